/* A trace as Chrome's JSON, which Perfetto reads too: a process for each block, a thread for each track, a slice for
 * each event, an arrow from each hand-off to the wait that it ended, and an instant for each fault. A tick is shown as
 * a microsecond. */
#include "base/json.h"
#include "host/trace/tracks.h"

typedef struct writer {
  const host_trace *trace;
  tracks tracks;
  arena *arena;
  json out;
  uint64_t arrows;
} writer;

/* ---- one record ---- */

static void begin(writer *w, const char *phase, kiln_str name) {
  json_line(&w->out);
  json_object(&w->out, NULL);
  json_text(&w->out, "ph", phase);
  json_str(&w->out, "name", name);
}

static void put_track(writer *w, const track *t) {
  json_u64(&w->out, "pid", t->process + 1u);
  json_u64(&w->out, "tid", (uint64_t)(t - w->tracks.at) + 1);
}

static const track *track_of(const writer *w, uint32_t event) { return &w->tracks.at[w->tracks.of_event[event]]; }

static void put_place(writer *w, const ir_op *op) {
  if (!op || !op->loc.source) return;
  const kiln_place place = loc_place(op->loc, (kiln_str){0});
  json_str(&w->out, "place", str_format(w->arena, "%.*s:%u:%u", STR_FMT(place.file), place.line, place.column));
}

/* ---- tracks ---- */

static void name_track(writer *w, const track *t, const char *what, kiln_str name) {
  begin(w, "M", str_from(what));
  put_track(w, t);
  json_object(&w->out, "args");
  json_str(&w->out, "name", name);
  json_object_end(&w->out);
  json_object_end(&w->out);
}

static void write_tracks(writer *w) {
  for (uint32_t i = 0; i < w->tracks.count; i++) {
    const track *t = &w->tracks.at[i];
    text block = text_new(w->arena), name = text_new(w->arena);
    trace_name_block(w->trace, t->block, &block);
    track_name(w->trace, t, &name);
    if (i == 0 || t->process != t[-1].process) name_track(w, t, "process_name", text_str(&block));
    name_track(w, t, "thread_name", text_str(&name));
  }
}

/* ---- slices ---- */

/* What an event's amount counts; NULL: nothing that is worth a word. */
static const char *amount_name(const trace_event *event) {
  switch (event->kind) {
    case TRACE_LOAD:
    case TRACE_STORE:
    case TRACE_COPY: return "bytes";
    case TRACE_COMPUTE: return "lane_operations";
    case TRACE_PRODUCT: return "multiply_adds";
    default: return !event->root ? NULL : event->root->kind == IR_BARRIER ? "phase" : "count";
  }
}

static void write_slice(writer *w, uint32_t which) {
  const trace_event *event = &w->trace->events[which];
  const trace_kind_info *kind = trace_kind_of(event->kind);
  const char *amount = amount_name(event);
  text name = text_new(w->arena);
  trace_name_event(w->trace, event, &name);
  begin(w, "X", text_str(&name));
  json_text(&w->out, "cat", kind->name);
  json_u64(&w->out, "ts", event->begin);
  json_u64(&w->out, "dur", event->end - event->begin);
  put_track(w, track_of(w, which));
  json_text(&w->out, "cname", kind->chrome);
  json_object(&w->out, "args");
  if (amount) json_u64(&w->out, amount, event->amount);
  put_place(w, event->op);
  json_object_end(&w->out);
  json_object_end(&w->out);
}

/* ---- arrows ---- */

static void write_end(writer *w, const char *phase, const char *kind, uint32_t event, uint64_t at) {
  begin(w, phase, str_from(kind));
  json_text(&w->out, "cat", kind);
  json_u64(&w->out, "id", w->arrows);
  json_u64(&w->out, "ts", at);
  put_track(w, track_of(w, event));
  if (phase[0] == 'f') json_text(&w->out, "bp", "e");
  json_object_end(&w->out);
}

/* From the end of one slice to when the other was let go on; both ends lie inside of their slices. */
static void write_arrow(writer *w, const char *kind, uint32_t from, uint32_t to) {
  const trace_event *first = &w->trace->events[from], *second = &w->trace->events[to];
  uint64_t left = first->end < second->end ? first->end : second->end;
  left = left > first->begin ? left - 1 : first->begin;
  uint64_t right = second->begin > left ? second->begin : left;
  if (first->end > right && first->end < second->end) right = first->end;
  w->arrows++;
  write_end(w, "s", kind, from, left);
  write_end(w, "f", kind, to, right);
}

/* ---- faults ---- */

static void write_mark(writer *w, const trace_mark *mark) {
  const track *at = track_of_mark(&w->tracks, mark);
  begin(w, "i", mark->name);
  json_text(&w->out, "cat", "fault");
  json_u64(&w->out, "ts", mark->at);
  json_text(&w->out, "s", at ? "t" : "g");
  if (at) put_track(w, at);
  json_text(&w->out, "cname", "terrible");
  json_object(&w->out, "args");
  json_str(&w->out, "report", mark->message);
  json_object_end(&w->out);
  json_object_end(&w->out);
  if (mark->first == TRACE_NONE || mark->event == TRACE_NONE || mark->first == mark->event) return;
  const bool turned = w->trace->events[mark->event].begin < w->trace->events[mark->first].begin;
  write_arrow(w, "race", turned ? mark->event : mark->first, turned ? mark->first : mark->event);
}

/* ---- the whole ---- */

static void write_other(writer *w) {
  const kiln_host_plan *plan = w->trace->plan;
  json_object(&w->out, "otherData");
  json_str(&w->out, "kernel", plan->kernel->name);
  json_u64(&w->out, "seed", plan->seed);
  json_text(&w->out, "clock", "ticks of simulated time, shown as microseconds");
  json_u64(&w->out, "ticks", w->trace->end);
  json_u64(&w->out, "events", w->trace->count);
  json_u64(&w->out, "dropped_events", w->trace->dropped);
  json_object_end(&w->out);
}

void trace_json(const host_trace *trace, text *out) {
  writer w = {.trace = trace, .tracks = tracks_of(out->arena, trace), .arena = out->arena, .out = {.out = out}};
  json_object(&w.out, NULL);
  json_text(&w.out, "displayTimeUnit", "ms");
  json_line(&w.out);
  write_other(&w);
  json_line(&w.out);
  json_array(&w.out, "traceEvents");
  write_tracks(&w);
  for (uint32_t e = 0; e < trace->count; e++) {
    const trace_event *event = &trace->events[e];
    write_slice(&w, e);
    if (event->cause != TRACE_NONE) write_arrow(&w, "release", event->cause, e);
  }
  for (uint32_t i = 0; i < trace->mark_count; i++) write_mark(&w, &trace->marks[i]);
  json_array_end(&w.out);
  json_object_end(&w.out);
  json_end(&w.out);
}
