/* Running sums and the like: strips follow one another along the axis, each with what came before. Within a strip every
 * lane joins its own consecutive elements, then the lanes along the axis join theirs by doubling distances. */
#include "ir/eval/eval.h"
#include "spirv/lower.h"

typedef struct scan {
  const ir_op *op;
  const ir_value *value;
  ir_dtype dtype;
  uint32_t axis, kept;
  spv_nest nest;
  uint32_t kept_count;
  spv_carry carry; /* what came before, per kept element */
  spv_sink sink;
} scan;

/* Powers of two have no zero: the zero in a register stands for no element there, and sums leave it out. */
static spv_id unless_nothing(spv_lower *low, spv_id value, spv_id sum, spv_id other) {
  spv_code *c = &low->code;
  spv_id exists = spv_op2(c, SpvOpINotEqual, c->boolean, spv_bitcast(c, c->u32, value), spv_int(c, 0));
  return spv_select(c, c->f32, exists, sum, other);
}

static spv_id join(spv_lower *low, const scan *s, spv_id a, spv_id b) {
  const spv_id pair[] = {a, b};
  spv_id joined = spv_map(low, (ir_code)ir_op_get(s->op->code)->combine, s->dtype, pair, s->op->loc);
  if (s->op->code != IR_cumsum || ir_dtype_get(s->dtype)->format.specials != IR_SPECIALS_FNU) return joined;
  return unless_nothing(low, a, unless_nothing(low, b, joined, a), b);
}

static spv_id nothing(spv_lower *low, const scan *s) {
  ir_dtype wide = ir_dtype_wide(s->dtype); /* what registers hold: it has a zero where the type itself may not */
  return spv_num_const(low, wide, ir_identity_bits_as(s->op->code, s->dtype, wide));
}

/* ---- lanes ---- */

static spv_id shuffle(spv_lower *low, const scan *s, spv_id value, spv_id lane) {
  return spv_shuffle(low, spv_num_type(low, s->dtype), value, lane);
}

static spv_id lane_along(spv_lower *low, const spv_nest_axis *axis) {
  spv_code *c = &low->code;
  return spv_mod_const(c, spv_shr_const(c, low->lane, axis->lane_shift), axis->lanes);
}

/* The lane `distance` before this one along the axis (after it in reverse), and whether there is one. */
static spv_id lane_before(spv_lower *low, const scan *s, uint32_t distance, spv_id *exists) {
  spv_code *c = &low->code;
  const spv_nest_axis *axis = &s->nest.axes[s->axis];
  bool back = s->op->attrs->reverse;
  spv_id along = lane_along(low, axis), limit = spv_int(c, back ? axis->lanes - distance : distance);
  *exists = spv_op2(c, back ? SpvOpULessThan : SpvOpUGreaterThanEqual, c->boolean, along, limit);
  int64_t step = (int64_t)distance << axis->lane_shift;
  return spv_and_const(c, spv_add(c, low->lane, spv_int(c, back ? step : -step)), low->lanes - 1);
}

/* Joins every lane's `total` with those of the lanes before it along the axis. */
static spv_id scan_lanes(spv_lower *low, const scan *s, spv_id total) {
  for (uint32_t distance = 1; distance < s->nest.axes[s->axis].lanes; distance *= 2) {
    spv_id exists, from = lane_before(low, s, distance, &exists);
    spv_id joined = join(low, s, shuffle(low, s, total, from), total);
    total = spv_select(&low->code, spv_num_type(low, s->dtype), exists, joined, total);
  }
  return total;
}

/* What the lanes before this one have together, given every lane's running `total`. */
static spv_id lanes_before(spv_lower *low, const scan *s, spv_id total) {
  spv_id exists, from = lane_before(low, s, 1, &exists);
  return spv_select(&low->code, spv_num_type(low, s->dtype), exists, shuffle(low, s, total, from), nothing(low, s));
}

/* The total of the last lane along the axis: that of all. */
static spv_id all_lanes(spv_lower *low, const scan *s, spv_id total) {
  spv_code *c = &low->code;
  const spv_nest_axis *axis = &s->nest.axes[s->axis];
  uint32_t bits = (axis->lanes - 1) << axis->lane_shift;
  if (s->op->attrs->reverse) return shuffle(low, s, total, spv_and_const(c, low->lane, (low->lanes - 1) & ~bits));
  return shuffle(low, s, total, spv_op2(c, SpvOpBitwiseOr, c->u32, low->lane, spv_int(c, bits)));
}

/* ---- strips ---- */

/* One group of consecutive elements per lane: `first` is its number along the axis. */
static void scan_group(spv_lower *low, scan *s, uint32_t kept, uint32_t first) {
  spv_code *c = &low->code;
  const spv_nest_axis *axis = &s->nest.axes[s->axis];
  spv_point points[4];
  spv_id sums[4], inside[4];
  uint32_t used = 0;
  for (uint32_t k = 0; k < axis->vector; k++) {
    spv_point *point = &points[used];
    uint32_t along = first + (s->op->attrs->reverse ? axis->vector - 1 - k : k);
    uint32_t number = spv_nest_number(&s->nest, s->kept, kept, along);
    if (!spv_nest_point(low, &s->nest, s->kept | 1u << s->axis, number, point)) continue;
    inside[used] = spv_inside(low, point->at[s->axis], axis->extent);
    spv_id value = spv_eval(low, s->value, point);
    value = spv_select(c, spv_num_type(low, s->dtype), inside[used], value, nothing(low, s));
    sums[used] = used ? join(low, s, sums[used - 1], value) : value;
    used++;
  }
  if (!used) return;
  spv_id total = sums[used - 1], before = s->carry.values[kept];
  if (axis->lanes > 1) {
    total = scan_lanes(low, s, total);
    s->carry.values[kept] = join(low, s, before, all_lanes(low, s, total));
    before = join(low, s, before, lanes_before(low, s, total));
  } else {
    s->carry.values[kept] = join(low, s, before, total);
  }
  for (uint32_t k = 0; k < used; k++)
    spv_sink_keep(low, &s->sink, &points[k], join(low, s, before, sums[k]), inside[k]);
}

static void scan_strip(spv_lower *low, void *user) {
  scan *s = user;
  const spv_nest_axis *axis = &s->nest.axes[s->axis];
  for (uint32_t kept = 0; kept < s->kept_count; kept++)
    for (uint32_t k = 0; k < axis->unroll; k++) {
      uint32_t group = s->op->attrs->reverse ? axis->unroll - 1 - k : k;
      scan_group(low, s, kept, group * axis->vector);
    }
}

static void scan_rows(spv_lower *low, void *user) {
  scan *s = user;
  s->carry.count = s->kept_count;
  s->carry.values = ARENA_ARRAY(low->arena, spv_id, s->kept_count);
  s->carry.types = ARENA_ARRAY(low->arena, spv_id, s->kept_count);
  for (uint32_t i = 0; i < s->kept_count; i++) {
    s->carry.values[i] = nothing(low, s);
    s->carry.types[i] = spv_num_type(low, s->dtype);
  }
  spv_nest_walk(low, &s->nest, 1u << s->axis, &s->carry, scan_strip, s);
}

void spv_scan_op(spv_lower *low, const ir_op *op) {
  scan s = {
      .op = op, .value = op->operands[0], .dtype = op->operands[0]->type.dtype, .axis = (uint32_t)op->attrs->axis};
  int64_t extents[KILN_MAX_RANK];
  uint32_t rank = s.value->type.shape.rank, all = (1u << rank) - 1;
  spv_extents(&s.value->type, extents);
  s.kept = all & ~(1u << s.axis);
  spv_prepare(low, s.value);
  s.sink = spv_sink_open(low, op->results[0]);
  s.nest = spv_nest_plan(low, extents, rank, SPV_STRIP / 2, s.sink.registers ? all : 0);
  s.nest.axes[s.axis].backward = op->attrs->reverse;
  s.kept_count = spv_nest_count(&s.nest, s.kept);
  spv_nest_walk(low, &s.nest, s.kept, NULL, scan_rows, &s);
  spv_sink_close(low, &s.sink);
}
