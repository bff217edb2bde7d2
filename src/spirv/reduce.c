/* Reductions: every lane joins what it holds, strip by strip, into a few accumulators per kept element; those are
 * joined, and then the lanes along the reduced axes. argmax and argmin carry an index beside each value. */
#include "ir/eval/eval.h"
#include "spirv/lower.h"

#define CHAINS 4u /* accumulators per kept element: independent additions in flight */

typedef struct reduction {
  const ir_op *op;
  const ir_value *value;
  ir_dtype dtype; /* that values are joined in: f32 for narrower floats */
  bool arg;
  uint32_t reduced, kept; /* masks of axes */
  spv_nest nest;
  uint32_t kept_count, chains;
  spv_carry carry; /* values, then (arg) indices */
  uint32_t memory; /* + 1: where results go when they do not stay in registers */
} reduction;

/* ---- joining two ---- */

static spv_id join_values(spv_lower *low, const reduction *r, spv_id a, spv_id b) {
  const spv_id pair[] = {a, b};
  return spv_map(low, (ir_code)ir_op_get(r->op->code)->combine, r->dtype, pair, r->op->loc);
}

static spv_id test(spv_lower *low, SpvOp op, spv_id a, spv_id b) {
  return spv_op2(&low->code, op, low->code.boolean, a, b);
}

/* Whether (value, index) comes before (best, best_index): NaN first, then the greater, then the smaller index. */
static spv_id comes_first(spv_lower *low, const reduction *r, spv_id value, spv_id index, spv_id best,
                          spv_id best_index) {
  spv_code *c = &low->code;
  const spv_id pair[] = {value, best};
  spv_id better = spv_map(low, r->op->code == IR_argmax ? IR_gt : IR_lt, r->dtype, pair, r->op->loc);
  spv_id equal = spv_map(low, IR_eq, r->dtype, pair, r->op->loc);
  spv_id earlier = test(low, SpvOpULessThan, index, best_index);
  if (ir_is_float(r->dtype)) {
    spv_id nan = test(low, SpvOpFUnordNotEqual, value, value), was_nan = test(low, SpvOpFUnordNotEqual, best, best);
    spv_id only = spv_both(c, nan, spv_op1(c, SpvOpLogicalNot, c->boolean, was_nan));
    better = test(low, SpvOpLogicalOr, better, only);
    equal = test(low, SpvOpLogicalOr, equal, spv_both(c, nan, was_nan));
  }
  return test(low, SpvOpLogicalOr, better, spv_both(c, equal, earlier));
}

/* Joins accumulator `from` into accumulator `to`. */
static void join(spv_lower *low, const reduction *r, spv_id *value, spv_id *index, spv_id with, spv_id with_index) {
  spv_code *c = &low->code;
  if (!r->arg) {
    *value = join_values(low, r, *value, with);
    return;
  }
  spv_id first = comes_first(low, r, with, with_index, *value, *index);
  *value = spv_select(c, spv_num_type(low, r->dtype), first, with, *value);
  *index = spv_select(c, c->u32, first, with_index, *index);
}

/* ---- strips ---- */

static spv_id number_along(spv_lower *low, const reduction *r, const spv_point *point) {
  spv_id number = spv_int(&low->code, 0);
  for (uint32_t axis = 0; axis < r->nest.rank; axis++)
    if (r->reduced >> axis & 1) {
      spv_id scaled = spv_mul(&low->code, number, spv_int(&low->code, r->nest.axes[axis].extent));
      number = spv_add(&low->code, scaled, point->at[axis]);
    }
  return number;
}

static spv_id first_value(spv_lower *low, const reduction *r) {
  ir_code code = r->op->code;
  if (r->arg) code = code == IR_argmax ? IR_reduce_max : IR_reduce_min;
  return spv_num_const(low, r->dtype, ir_identity_bits_as(code, r->value->type.dtype, r->dtype));
}

/* The number among the strip's kept elements of element `number` of the strip, and its number among the reduced ones.
 */
static void split_number(const reduction *r, uint32_t number, uint32_t *kept, uint32_t *rest) {
  uint32_t kept_scale = 1, rest_scale = 1;
  *kept = *rest = 0;
  for (uint32_t axis = r->nest.rank; axis-- > 0;) {
    uint32_t size = r->nest.axes[axis].unroll * r->nest.axes[axis].vector, digit = number % size;
    number /= size;
    bool is_kept = r->kept >> axis & 1;
    *(is_kept ? kept : rest) += digit * (is_kept ? kept_scale : rest_scale);
    *(is_kept ? &kept_scale : &rest_scale) *= size;
  }
}

static void accumulate(spv_lower *low, void *user) {
  reduction *r = user;
  spv_code *c = &low->code;
  uint32_t all = r->kept | r->reduced, count = spv_nest_count(&r->nest, all), total = r->kept_count * r->chains;
  for (uint32_t i = 0; i < count; i++) {
    spv_point point;
    if (!spv_nest_point(low, &r->nest, all, i, &point)) continue;
    uint32_t kept, rest;
    split_number(r, i, &kept, &rest);
    uint32_t slot = kept * r->chains + rest % r->chains;
    spv_id inside = 0;
    for (uint32_t axis = 0; axis < r->nest.rank; axis++)
      if (r->reduced >> axis & 1)
        inside = spv_both(c, inside, spv_inside(low, point.at[axis], r->nest.axes[axis].extent));
    spv_id value = spv_eval(low, r->value, &point);
    value = spv_select(c, spv_num_type(low, r->dtype), inside, value, first_value(low, r));
    spv_id index = 0;
    if (r->arg) index = spv_select(c, c->u32, inside, number_along(low, r, &point), spv_int(c, INT32_MAX));
    join(low, r, &r->carry.values[slot], r->arg ? &r->carry.values[total + slot] : NULL, value, index);
  }
}

static void begin(spv_lower *low, reduction *r) {
  uint32_t total = r->kept_count * r->chains;
  r->carry.count = total * (r->arg ? 2 : 1);
  r->carry.values = ARENA_ARRAY(low->arena, spv_id, r->carry.count);
  r->carry.types = ARENA_ARRAY(low->arena, spv_id, r->carry.count);
  for (uint32_t i = 0; i < r->carry.count; i++) {
    r->carry.values[i] = i < total ? first_value(low, r) : spv_int(&low->code, INT32_MAX);
    r->carry.types[i] = i < total ? spv_num_type(low, r->dtype) : low->code.u32;
  }
}

static void join_chains(spv_lower *low, reduction *r) {
  uint32_t total = r->kept_count * r->chains;
  for (uint32_t kept = 0; kept < r->kept_count; kept++)
    for (uint32_t width = r->chains / 2; width; width /= 2)
      for (uint32_t k = 0; k < width; k++) {
        spv_id *values = r->carry.values + kept * r->chains, *indices = values + total;
        join(low, r, &values[k], r->arg ? &indices[k] : NULL, values[k + width], r->arg ? indices[k + width] : 0);
      }
}

/* ---- lanes ---- */

static uint32_t lanes_along(const reduction *r) {
  uint32_t bits = 0;
  for (uint32_t axis = 0; axis < r->nest.rank; axis++)
    if (r->reduced >> axis & 1) bits |= (r->nest.axes[axis].lanes - 1) << r->nest.axes[axis].lane_shift;
  return bits;
}

/* The whole subgroup's sum in one instruction; other joins go lane by lane, since they must keep NaN. */
static spv_id whole_subgroup(spv_lower *low, const reduction *r, spv_id value) {
  ir_class class = ir_dtype_get(r->dtype)->class;
  if (r->arg || ir_op_get(r->op->code)->combine != IR_add || lanes_along(r) != low->lanes - 1) return 0;
  if (ir_dtype_get(r->dtype)->bits < 32) return 0; /* each step wraps */
  spv_capability(&low->module, SpvCapabilityGroupNonUniformArithmetic);
  SpvOp op = class == IR_CLASS_FLOAT ? SpvOpGroupNonUniformFAdd : SpvOpGroupNonUniformIAdd;
  spv_id scope = spv_int(&low->code, SpvScopeSubgroup);
  spv_id id = SPV(&low->module, op, spv_num_type(low, r->dtype), scope, SpvGroupOperationReduce, value);
  spv_here(&low->code, id);
  return id;
}

static void join_lanes(spv_lower *low, const reduction *r, spv_id *value, spv_id *index) {
  uint32_t bits = lanes_along(r);
  spv_id whole = bits ? whole_subgroup(low, r, *value) : 0;
  if (whole) {
    *value = whole;
    return;
  }
  for (uint32_t distance = 1; distance < low->lanes; distance *= 2) {
    if (!(bits & distance)) continue;
    spv_id other = spv_shuffle_xor(low, spv_num_type(low, r->dtype), *value, distance);
    join(low, r, value, index, other, r->arg ? spv_shuffle_xor(low, low->code.u32, *index, distance) : 0);
  }
}

/* ---- results ---- */

/* The point in the result of the kept element `number`; false when it does not exist. */
static bool result_point(spv_lower *low, const reduction *r, uint32_t number, spv_point *point, spv_id *inside) {
  spv_point whole;
  bool exists = spv_nest_point(low, &r->nest, r->kept, number, &whole);
  point->rank = 0;
  *inside = 0;
  for (uint32_t axis = 0; axis < whole.rank; axis++) {
    bool kept = r->kept >> axis & 1;
    if (kept) *inside = spv_both(&low->code, *inside, spv_inside(low, whole.at[axis], r->nest.axes[axis].extent));
    if (kept || r->op->attrs->keep) point->at[point->rank++] = kept ? whole.at[axis] : spv_int(&low->code, 0);
  }
  return exists;
}

static void keep_results(spv_lower *low, reduction *r) {
  const ir_value *result = r->op->results[0];
  uint32_t total = r->kept_count * r->chains;
  spv_points points = {0};
  spv_ids ids = {0};
  for (uint32_t kept = 0; kept < r->kept_count; kept++) {
    spv_point point;
    spv_id inside, value = r->carry.values[kept * r->chains];
    spv_id index = r->arg ? r->carry.values[total + kept * r->chains] : 0;
    if (!result_point(low, r, kept, &point, &inside)) continue;
    join_lanes(low, r, &value, r->arg ? &index : NULL);
    value = r->arg ? index : spv_num_round(low, result->type.dtype, value);
    VEC_PUSH(low->arena, &points, point);
    VEC_PUSH(low->arena, &ids, value);
    if (!r->memory) continue;
    spv_place place = spv_memory_place(low, r->memory - 1, &result->type, &point);
    spv_store(low, &place, &ids.data[ids.count - 1], 1, result->type.dtype);
  }
  if (!r->memory) spv_set_registers(low, result, &points, ids.data);
}

static void reduce_strip(spv_lower *low, void *user) {
  reduction *r = user;
  begin(low, r);
  spv_nest_walk(low, &r->nest, r->reduced, &r->carry, accumulate, r);
  join_chains(low, r);
  keep_results(low, r);
}

static uint32_t reduced_axes(const ir_op *op, uint32_t rank) {
  uint32_t mask = 0, all = (1u << rank) - 1;
  for (uint32_t k = 0; k < op->attrs->axes.count; k++) mask |= 1u << op->attrs->axes.at[k];
  return op->attrs->axes.count ? mask : all;
}

/* Few enough kept elements are all worked on at once and stay in registers; else loops run over them and write memory.
 */
static void plan(spv_lower *low, reduction *r, uint32_t cost) {
  int64_t extents[KILN_MAX_RANK];
  uint32_t rank = r->value->type.shape.rank;
  spv_effort effort = spv_effort_of(cost);
  spv_extents(&r->value->type, extents);
  r->nest = spv_nest_plan(low, extents, rank, effort.strip, r->kept);
  bool fits = spv_nest_count(&r->nest, r->kept) <= SPV_KEEP;
  uint32_t all = r->kept | r->reduced;
  if (!fits) r->nest = spv_nest_plan(low, extents, rank, effort.strip, 0);
  if (fits && spv_register_count(low, &r->value->type) <= effort.whole)
    r->nest = spv_nest_plan(low, extents, rank, effort.strip, all);
  r->kept_count = spv_nest_count(&r->nest, r->kept);
  r->chains = 1;
  while (r->chains * 2 <= spv_nest_count(&r->nest, r->reduced) && r->chains < CHAINS) r->chains *= 2;
  if (!fits) {
    spv_set_memory(low, r->op->results[0]);
    r->memory = low->homes[r->op->results[0]->id].memory + 1;
  }
}

void spv_reduce_op(spv_lower *low, const ir_op *op) {
  reduction r = {.op = op, .value = op->operands[0], .dtype = op->operands[0]->type.dtype};
  if (ir_is_float(r.dtype)) r.dtype = ir_dtype_wide(r.dtype);
  uint32_t rank = r.value->type.shape.rank;
  r.arg = ir_op_get(op->code)->combine < 0;
  r.reduced = reduced_axes(op, rank);
  r.kept = ((1u << rank) - 1) & ~r.reduced;
  uint32_t cost = spv_prepare(low, r.value);
  plan(low, &r, cost);
  if (r.memory) spv_before_write(low, r.memory - 1);
  spv_nest_walk(low, &r.nest, r.kept, NULL, reduce_strip, &r);
}
