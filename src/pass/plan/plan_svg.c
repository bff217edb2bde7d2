/* The plan as a picture: one row per block over the first steps of the walk, then one chart per space with a box for
 * every allocation: from left to right while it is alive, from bottom to top where it lies. */
#include <math.h>

#include "base/svg.h"
#include "pass/plan/plan.h"

enum { WIDTH = 1080, MARGIN = 36, CHART_LEFT = 120, CHART_RIGHT = 740, ROW = 22, CHART_HEIGHT = 190, LABEL_ROOM = 92 };

static const char *const colors[] = {"#4e79a7", "#f28e2b", "#59a14f", "#b07aa1",
                                     "#e15759", "#76b7b2", "#9c755f", "#edc948"};
enum { COLORS = sizeof colors / sizeof colors[0] };

typedef struct picture {
  const plan *plan;
  text *out;
  double y; /* where the next section begins */
} picture;

static kiln_str bytes_text(picture *pic, uint64_t bytes) {
  text t = text_new(pic->out->arena);
  plan_bytes(&t, bytes);
  return text_str(&t);
}

static void section(picture *pic, kiln_str title, kiln_str note) {
  svg_label(pic->out, MARGIN, pic->y + 14, "head", title);
  svg_label(pic->out, MARGIN + 14 + (double)title.size * 11.4, pic->y + 14, "note", note);
  pic->y += 30;
}

/* ---- the walk ---- */

static kiln_str block_text(picture *pic, const plan_block *block, uint32_t step) {
  text t = text_new(pic->out->arena);
  for (uint32_t axis = 0; axis < block->size.rank; axis++)
    text_format(&t, axis ? ",%lld" : "%lld", (long long)block->shown[step].block[axis]);
  return text_str(&t);
}

/* One box from each step at which the block changes to the next such step. */
static void draw_walk_row(picture *pic, const plan_block *block, const char *color, double cell) {
  uint32_t shown = pic->plan->steps_shown;
  for (uint32_t begin = 0, end; begin < shown; begin = end) {
    for (end = begin + 1; end < shown && !block->shown[end].changed;) end++;
    kiln_str words = block_text(pic, block, begin);
    double x = CHART_LEFT + begin * cell, width = (end - begin) * cell;
    svg_box(pic->out, x + 0.5, pic->y + 2, width - 1, ROW - 4, color, "item", words);
    if (svg_text_width(words) + 4 < width) svg_label(pic->out, x + width / 2, pic->y + 15, "inside", words);
  }
}

static void draw_walk(picture *pic) {
  const plan *p = pic->plan;
  uint32_t known = 0;
  for (uint32_t i = 0; i < p->block_count; i++) known += p->blocks[i].known;
  if (known == 0 || p->steps_shown == 0) return;
  text note = text_new(pic->out->arena);
  text_format(&note, "which block each operand has, over %s %u steps", p->steps_shown < p->steps ? "the first" : "all",
              p->steps_shown);
  section(pic, STR("walk"), text_str(&note));
  double cell = fmin((double)(WIDTH - MARGIN - CHART_LEFT) / p->steps_shown, 64);
  for (uint32_t i = 0; i < p->block_count; i++) {
    svg_label(pic->out, CHART_LEFT - 10, pic->y + 15, "name", p->blocks[i].name);
    if (p->blocks[i].known)
      draw_walk_row(pic, &p->blocks[i], colors[p->blocks[i].param % COLORS], cell);
    else
      svg_label(pic->out, CHART_LEFT, pic->y + 15, "note", STR("depends on data"));
    pic->y += ROW;
  }
  uint32_t every = cell < 20 ? 8 : 1;
  for (uint32_t step = 0; step < p->steps_shown; step += every)
    svg_label(pic->out, CHART_LEFT + (step + 0.5) * cell, pic->y + 14, "tick", str_format(pic->out->arena, "%u", step));
  svg_label(pic->out, CHART_LEFT - 10, pic->y + 14, "axis", STR("step"));
  pic->y += 44;
}

/* ---- one space ---- */

typedef struct chart {
  const alloc_use *use;
  double top, bottom, step; /* step: width of one point */
  uint64_t full;            /* bytes at the top */
} chart;

static double x_of(const chart *c, uint32_t point) { return CHART_LEFT + point * c->step; }
static double y_of(const chart *c, uint64_t bytes) {
  return c->bottom - (double)bytes / (double)c->full * (c->bottom - c->top);
}

static void draw_axes(picture *pic, const chart *c) {
  for (uint32_t i = 0; i <= 4; i++) {
    uint64_t bytes = c->full / 4 * i;
    svg_line(pic->out, CHART_LEFT, y_of(c, bytes), CHART_RIGHT, y_of(c, bytes), i ? "grid" : "base");
    svg_label(pic->out, CHART_LEFT - 10, y_of(c, bytes) + 4, "axis", bytes_text(pic, bytes));
  }
  if (!c->use->limit || c->use->limit > c->full) return;
  svg_line(pic->out, CHART_LEFT, y_of(c, c->use->limit), CHART_RIGHT, y_of(c, c->use->limit), "limit");
  svg_label(pic->out, CHART_RIGHT - 4, y_of(c, c->use->limit) - 5, "over", STR("limit"));
}

/* Loops as shaded spans behind the boxes, where there is room to see them. */
static void draw_loops(picture *pic, const chart *c) {
  const pass_memory *memory = &pic->plan->memory;
  if (memory->point_count > CHART_RIGHT - CHART_LEFT) return;
  for (uint32_t i = 0; i < memory->point_count; i++) {
    const memory_point *at = &memory->points[i];
    if (!at->op || at->leaves || (at->op->code != IR_for && at->op->code != IR_while)) continue;
    uint32_t end = i + 1;
    while (memory->points[end].op != at->op) end++;
    svg_box(pic->out, x_of(c, i), c->top, x_of(c, end + 1) - x_of(c, i), c->bottom - c->top, "#8a94a6", "loop",
            STR("loop"));
  }
}

static void draw_points(picture *pic, const chart *c) {
  const plan *p = pic->plan;
  uint32_t every = c->step >= 13 ? 1 : (uint32_t)ceil(13 / c->step);
  for (uint32_t point = 0; point < p->memory.point_count; point += every) {
    text words = text_new(pic->out->arena);
    plan_point(p, point, &words);
    uint32_t at_line = plan_point_line(p, point);
    if (at_line) text_format(&words, "  :%u", at_line);
    double x = x_of(c, point) + c->step / 2;
    text_format(pic->out, "<g transform=\"translate(%.1f %.1f) rotate(-55)\">", x + 3, c->bottom + 12);
    svg_label(pic->out, 0, 0, "point", text_str(&words));
    text_add(pic->out, STR("</g>\n"));
  }
}

static void draw_item(picture *pic, const chart *c, uint32_t which) {
  const alloc_item *item = &pic->plan->memory.report.items[which];
  kiln_str name = plan_item_name(pic->plan, which);
  text tip = text_new(pic->out->arena);
  text_format(&tip, "%.*s: ", STR_FMT(name));
  alloc_explain(pic->plan->memory.report.items, which, &tip);
  double x = x_of(c, item->first), width = x_of(c, item->last + 1) - x;
  double y = y_of(c, item->offset + item->size), height = fmax(y_of(c, item->offset) - y, 1.5);
  svg_box(pic->out, x + 0.5, y + 0.5, width - 1, fmax(height - 1, 1), colors[which % COLORS], "item", text_str(&tip));
  if (height < 14 || svg_text_width(name) + 6 > width) return;
  svg_label(pic->out, x + width / 2, y + height / 2 + 4, "inside", name);
}

static void draw_key(picture *pic, uint32_t which, double y) {
  const alloc_item *item = &pic->plan->memory.report.items[which];
  text place = text_new(pic->out->arena);
  plan_bytes(&place, item->size);
  text_format(&place, " at %llu", (unsigned long long)item->offset);
  svg_box(pic->out, CHART_RIGHT + 28, y - 10, 12, 12, colors[which % COLORS], "item", STR(""));
  svg_label(pic->out, CHART_RIGHT + 48, y, "key", plan_item_name(pic->plan, which));
  svg_label(pic->out, WIDTH - MARGIN, y, "axis", text_str(&place));
}

/* A round number of bytes above the peak, so that the four grid lines are round too. */
static uint64_t round_up_to_nice(uint64_t bytes) {
  uint64_t nice = 4;
  while (nice < bytes && nice < UINT64_MAX / 2) nice *= 2;
  return nice / 4 * 3 >= bytes && nice > 4 ? nice / 4 * 3 : nice;
}

static void draw_space(picture *pic, const alloc_use *use) {
  const plan *p = pic->plan;
  text note = text_new(pic->out->arena);
  text_format(&note, "one for each %s: %.*s needed", plan_level_of(p, use), STR_FMT(bytes_text(pic, use->peak)));
  text_format(&note, ", %.*s if nothing shared room", STR_FMT(bytes_text(pic, use->total)));
  if (use->limit) text_format(&note, ", limit %.*s", STR_FMT(bytes_text(pic, use->limit)));
  section(pic, str_from(space_name(use->space)), text_str(&note));
  chart c = {.use = use, .top = pic->y, .bottom = pic->y + CHART_HEIGHT, .full = round_up_to_nice(use->peak)};
  c.step = (double)(CHART_RIGHT - CHART_LEFT) / p->memory.point_count;
  draw_loops(pic, &c);
  draw_axes(pic, &c);
  double key_y = c.top + 10;
  for (uint32_t i = 0; i < p->memory.report.item_count; i++) {
    const alloc_item *item = &p->memory.report.items[i];
    if (item->key.space != use->space || item->key.owner != use->owner) continue;
    draw_item(pic, &c, i);
    draw_key(pic, i, key_y);
    key_y += 19;
  }
  draw_points(pic, &c);
  pic->y = fmax(c.bottom + LABEL_ROOM, key_y + 10);
}

/* ---- the whole ---- */

static void draw_title(picture *pic) {
  const plan *p = pic->plan;
  text words = text_new(pic->out->arena);
  text_format(&words, "%llu step%s", (unsigned long long)p->steps, p->steps == 1 ? "" : "s");
  for (uint32_t i = 0; i < p->grid.rank; i++)
    text_format(&words, "%s%.*s: %lld%s", i ? ", " : " of the grid  ", STR_FMT(p->axis_names[i]),
                (long long)p->grid.size[i], p->grid.parallel[i] ? " parallel" : "");
  text_format(&words, "   on a %s, %llu unit%s", machine_name(p->machine), (unsigned long long)p->units,
              p->units == 1 ? "" : "s");
  svg_label(pic->out, MARGIN, pic->y + 18, "title", p->kernel->name);
  svg_label(pic->out, MARGIN, pic->y + 40, "note", text_str(&words));
  pic->y += 68;
}

void plan_svg(const plan *p, text *out) {
  text body = text_new(out->arena);
  picture pic = {.plan = p, .out = &body, .y = 20};
  draw_title(&pic);
  draw_walk(&pic);
  for (uint32_t i = 0; i < p->memory.report.use_count; i++) draw_space(&pic, &p->memory.report.uses[i]);
  svg_picture(out, WIDTH, pic.y + 12, "", text_str(&body));
}
