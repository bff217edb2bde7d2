/* A trace as a picture: a row for each track, slices from left to right, arrows from hand-offs to the waits that they
 * ended, and faults in red. */
#include <math.h>
#include <stdlib.h>

#include "base/svg.h"
#include "host/trace/tracks.h"

enum {
  WIDTH = 1180,
  MARGIN = 36,
  LEFT = 176, /* of the rows; names stand before it */
  RIGHT = 1088,
  ROW = 30,
  SLICE = 20,
  FRAMES = 15,        /* above the slices of a row: the steps that they belong to */
  EVENTS_MOST = 3000, /* of a longer trace the first are drawn */
  TRACKS_MOST = 48
};

typedef struct row {
  double y; /* of its slices' upper edge */
  bool shown;
  uint64_t busy;   /* ticks */
  uint32_t frames; /* strips of steps above its slices */
} row;

typedef struct picture {
  const host_trace *trace;
  tracks tracks;
  row *rows;
  text *out;
  double y;
  uint64_t end; /* ticks that are drawn */
} picture;

static bool is_frame(const trace_event *event) { return event->kind == TRACE_POINT || event->kind == TRACE_STEP; }
static bool is_idle(const trace_event *event) { return event->kind == TRACE_WAIT || event->kind == TRACE_STUCK; }

static double x_of(const picture *pic, uint64_t tick) {
  const double share = pic->end ? (double)tick / (double)pic->end : 0;
  return LEFT + fmin(share, 1) * (RIGHT - LEFT);
}

static row *row_of(const picture *pic, uint32_t event) { return &pic->rows[pic->tracks.of_event[event]]; }

static bool is_drawn(const picture *pic, uint32_t event) {
  return event != TRACE_NONE && row_of(pic, event)->shown && pic->trace->events[event].begin < pic->end;
}

/* ---- how much of it ---- */

static int by_time(const void *a, const void *b) {
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* The tick before which no more events begin than are drawn. */
static uint64_t last_tick(const host_trace *trace, arena *a) {
  if (trace->count <= EVENTS_MOST) return trace->end;
  uint64_t *begins = ARENA_ARRAY(a, uint64_t, trace->count);
  for (uint32_t e = 0; e < trace->count; e++) begins[e] = trace->events[e].begin;
  qsort(begins, trace->count, sizeof *begins, by_time);
  return begins[EVENTS_MOST] > 0 ? begins[EVENTS_MOST] : 1;
}

static void measure(picture *pic) {
  for (uint32_t t = 0; t < pic->tracks.count; t++) pic->rows[t].shown = t < TRACKS_MOST;
  for (uint32_t e = 0; e < pic->trace->count; e++) {
    const trace_event *event = &pic->trace->events[e];
    row *r = row_of(pic, e);
    if (event->begin >= pic->end) continue;
    if (is_frame(event))
      r->frames = event->depth >= r->frames ? event->depth + 1 : r->frames;
    else if (!is_idle(event))
      r->busy += (event->end < pic->end ? event->end : pic->end) - event->begin;
  }
}

/* ---- head ---- */

static void draw_title(picture *pic) {
  const host_trace *trace = pic->trace;
  const kiln_host_plan *plan = trace->plan;
  text words = text_new(pic->out->arena);
  text_format(&words, "%llu ticks of simulated time · on a %s · seed %llu", (unsigned long long)trace->end,
              machine_name(plan->kind), (unsigned long long)plan->seed);
  if (pic->end < trace->end) text_format(&words, " · drawn: the first %llu ticks", (unsigned long long)pic->end);
  if (pic->tracks.count > TRACKS_MOST) text_format(&words, " · drawn: %d of %u tracks", TRACKS_MOST, pic->tracks.count);
  if (trace->dropped > 0) text_format(&words, " · %llu events lost", (unsigned long long)trace->dropped);
  svg_label(pic->out, MARGIN, pic->y + 18, "title", plan->kernel->name);
  svg_label(pic->out, MARGIN, pic->y + 40, "note", text_str(&words));
  pic->y += 58;
}

static void draw_legend(picture *pic) {
  bool used[TRACE_KINDS] = {false};
  double x = MARGIN;
  for (uint32_t e = 0; e < pic->trace->count; e++) used[pic->trace->events[e].kind] |= is_drawn(pic, e);
  for (uint32_t k = 0; k < TRACE_KINDS; k++) {
    const trace_kind_info *kind = trace_kind_of((trace_kind)k);
    const kiln_str words = str_from(kind->doc);
    if (!used[k]) continue;
    svg_box(pic->out, x, pic->y, 12, 12, kind->color, k == TRACE_WAIT ? "wait" : "item", STR(""));
    svg_label(pic->out, x + 18, pic->y + 10, "key", words);
    x += 18 + svg_text_width(words) + 20;
  }
  pic->y += 34;
}

/* ---- rows ---- */

/* Where every row goes; names and the background of blocks. */
static void place_rows(picture *pic) {
  const bool several = pic->tracks.processes > 1;
  for (uint32_t t = 0; t < pic->tracks.count && pic->rows[t].shown; t++) {
    const track *at = &pic->tracks.at[t];
    row *r = &pic->rows[t];
    text name = text_new(pic->out->arena), block = text_new(pic->out->arena);
    if (several && (t == 0 || at->process != at[-1].process)) {
      trace_name_block(pic->trace, at->block, &block);
      svg_label(pic->out, MARGIN, pic->y + 14, "head", text_str(&block));
      pic->y += 26;
    }
    track_name(pic->trace, at, &name);
    r->y = pic->y + (ROW - SLICE) / 2.0 + r->frames * FRAMES;
    pic->y = r->y + (ROW + SLICE) / 2.0;
    svg_label(pic->out, LEFT - 12, r->y + 14, "name", text_str(&name));
  }
}

/* How much of the time the track did something. */
static void draw_busy(picture *pic) {
  bool any = false;
  for (uint32_t t = 0; t < pic->tracks.count && pic->rows[t].shown; t++) {
    const row *r = &pic->rows[t];
    if (pic->tracks.at[t].lane != TRACE_OWN || pic->end == 0) continue;
    any = true;
    const double share = 100.0 * (double)r->busy / (double)pic->end;
    svg_label(pic->out, WIDTH - MARGIN, r->y + 14, "axis", str_format(pic->out->arena, "%.0f %%", share));
  }
  if (any) svg_label(pic->out, WIDTH - MARGIN, pic->y + 16, "axis", STR("busy"));
}

/* 1, 2 or 5 times a power of ten, so that about eight lines fit. */
static uint64_t nice_step(uint64_t end) {
  uint64_t step = 1;
  static const uint64_t factors[] = {2, 5, 10};
  for (uint64_t decade = 1; step * 8 < end; decade *= 10)
    for (uint32_t i = 0; i < 3 && step * 8 < end; i++) step = decade * factors[i];
  return step;
}

static void draw_time(picture *pic, double top) {
  const uint64_t step = nice_step(pic->end);
  for (uint64_t tick = 0; tick <= pic->end; tick += step) {
    const double x = x_of(pic, tick);
    svg_line(pic->out, x, top, x, pic->y, tick ? "grid" : "base");
    svg_label(pic->out, x, pic->y + 16, "tick", str_format(pic->out->arena, "%llu", (unsigned long long)tick));
  }
  svg_line(pic->out, LEFT, pic->y, RIGHT, pic->y, "base");
  svg_label(pic->out, LEFT - 12, pic->y + 16, "axis", STR("tick"));
}

/* ---- slices ---- */

static const char *text_class(const trace_event *event) {
  return is_frame(event) || is_idle(event) ? "dark" : "inside";
}

static double words_width(kiln_str words) { return svg_text_width(words) * 1.1 + 8; } /* bold, with room around */

/* The whole name, or its first word, or nothing. */
static void draw_words(picture *pic, const trace_event *event, kiln_str name, double x, double y, double width) {
  kiln_str words = name;
  if (words_width(words) > width)
    for (words.size = 0; words.size < name.size && name.data[words.size] != ' ';) words.size++;
  if (event->kind == TRACE_STUCK) words = name;
  if (words_width(words) > width) return;
  svg_label(pic->out, x + width / 2, y, text_class(event), words);
}

static kiln_str tip_of(picture *pic, const trace_event *event, kiln_str name) {
  text tip = text_new(pic->out->arena);
  text_format(&tip, "%.*s: ticks %llu to %llu", STR_FMT(name), (unsigned long long)event->begin,
              (unsigned long long)event->end);
  if (!event->op) return text_str(&tip);
  const kiln_place place = loc_place(event->op->loc, (kiln_str){0});
  text_format(&tip, ", %.*s:%u", STR_FMT(place.file), place.line);
  return text_str(&tip);
}

static void draw_slice(picture *pic, uint32_t which) {
  const trace_event *event = &pic->trace->events[which];
  const row *r = row_of(pic, which);
  const bool frame = is_frame(event);
  const double x = x_of(pic, event->begin), width = fmax(x_of(pic, event->end) - x, 1);
  const double y = frame ? r->y - (r->frames - event->depth) * FRAMES : r->y, height = frame ? FRAMES - 2 : SLICE;
  const char *class = event->kind == TRACE_WAIT ? "wait" : event->kind == TRACE_STUCK ? "stuck" : "item";
  text name = text_new(pic->out->arena);
  trace_name_event(pic->trace, event, &name);
  svg_box(pic->out, x, y, fmax(width - 0.6, 0.8), height, trace_kind_of(event->kind)->color, class,
          tip_of(pic, event, text_str(&name)));
  draw_words(pic, event, text_str(&name), x, y + (frame ? 10 : 14), width);
}

/* ---- arrows ---- */

static void draw_arrow(picture *pic, uint32_t from, uint32_t to, const char *class) {
  if (!is_drawn(pic, from) || !is_drawn(pic, to)) return;
  const trace_event *first = &pic->trace->events[from], *second = &pic->trace->events[to];
  const row *above = row_of(pic, from), *below = row_of(pic, to);
  const bool down = above->y < below->y;
  const uint64_t release = first->end > second->begin ? first->end : second->begin;
  const double x1 = x_of(pic, first->end), x2 = x_of(pic, release < second->end ? release : second->end);
  const double y1 = above->y + (down ? SLICE : 0), y2 = below->y + (down ? -1 : SLICE + 1), middle = (y1 + y2) / 2;
  text_format(pic->out, "<path d=\"M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f\" class=\"%s\"/>\n", x1, y1, x1, middle, x2,
              middle, x2, y2, class);
}

/* Those that somebody had to wait for stand out. */
static void draw_arrows(picture *pic) {
  for (uint32_t e = 0; e < pic->trace->count; e++) {
    const uint32_t cause = pic->trace->events[e].cause;
    if (cause == TRACE_NONE) continue;
    const bool late = pic->trace->events[cause].end > pic->trace->events[e].begin;
    draw_arrow(pic, cause, e, late ? "arrow" : "arrow early");
  }
}

/* ---- faults ---- */

/* A ring around what the fault was found at, and its number. */
static void draw_flag(picture *pic, const trace_mark *mark, uint32_t number) {
  const track *at = track_of_mark(&pic->tracks, mark);
  const row *r = at ? &pic->rows[at - pic->tracks.at] : NULL;
  if (!r || !r->shown || mark->at > pic->end) return;
  double x = x_of(pic, mark->at);
  if (mark->event != TRACE_NONE) {
    const trace_event *event = &pic->trace->events[mark->event];
    const double left = x_of(pic, event->begin), width = fmax(x_of(pic, event->end) - left, 3);
    text_format(pic->out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"3\" class=\"ring\"/>\n",
                left - 2, r->y - 2, width + 3, SLICE + 4);
    x = left + width;
  }
  text_format(pic->out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"8\" class=\"flag\"/>\n", x, r->y);
  svg_label(pic->out, x, r->y + 4, "inside", str_format(pic->out->arena, "%u", number));
}

static void draw_mark(picture *pic, uint32_t which) {
  const trace_mark *mark = &pic->trace->marks[which];
  text words = text_new(pic->out->arena);
  text_format(&words, "%u \302\267 %.*s", which + 1, STR_FMT(mark->message));
  svg_label(pic->out, LEFT, pic->y + 12, "fault", text_str(&words));
  pic->y += 20;
  if (mark->first != TRACE_NONE && mark->first != mark->event) draw_arrow(pic, mark->first, mark->event, "arrow wrong");
  draw_flag(pic, mark, which + 1);
}

/* ---- the whole ---- */

static const char style[] =
    ".wait{fill-opacity:.55}.stuck{fill-opacity:.28;stroke:#c0392b;stroke-dasharray:4 3}.dark{text-anchor:middle;"
    "fill:#3d4450;font-size:11px}.arrow{fill:none;stroke:#2b2f36;stroke-width:1.3;marker-end:url(#head)}"
    ".early{stroke-opacity:.28}.wrong{stroke:#c0392b;stroke-width:2;stroke-dasharray:5 3;marker-end:url(#bad)}"
    ".fault{fill:#c0392b;font-weight:600}.ring{fill:none;stroke:#c0392b;stroke-width:2}.flag{fill:#c0392b}";

static const char heads[] =
    "<defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"6\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" "
    "orient=\"auto\"><path d=\"M0 0.8L7 4L0 7.2z\" fill=\"#2b2f36\"/></marker>"
    "<marker id=\"bad\" viewBox=\"0 0 8 8\" refX=\"6\" refY=\"4\" markerWidth=\"5\" markerHeight=\"5\" "
    "orient=\"auto\"><path d=\"M0 0.8L7 4L0 7.2z\" fill=\"#c0392b\"/></marker></defs>\n";

void trace_svg(const host_trace *trace, text *out) {
  text body = text_new(out->arena);
  picture pic = {.trace = trace, .tracks = tracks_of(out->arena, trace), .out = &body, .y = 20};
  pic.rows = ARENA_ARRAY(out->arena, row, pic.tracks.count + 1);
  pic.end = last_tick(trace, out->arena);
  measure(&pic);
  text_add(&body, str_from(heads));
  draw_title(&pic);
  draw_legend(&pic);
  const double top = pic.y;
  place_rows(&pic);
  draw_time(&pic, top);
  draw_busy(&pic);
  for (uint32_t e = 0; e < trace->count; e++)
    if (is_drawn(&pic, e)) draw_slice(&pic, e);
  draw_arrows(&pic);
  pic.y += 34;
  for (uint32_t i = 0; i < trace->mark_count; i++) draw_mark(&pic, i);
  svg_picture(out, WIDTH, pic.y + 12, style, text_str(&body));
}
