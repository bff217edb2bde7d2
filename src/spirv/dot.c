/* Matrix products: the accumulators stay in registers in the result's usual layout (lanes and vectors along its last
 * axis, rows written out); the operands are evaluated, and so streamed from memory, along the contracted axes, four
 * steps at a time. */
#include <string.h>

#include "spirv/lower.h"

#define STEPS 4 /* of the last contracted axis written out: one vector of an operand that is contiguous along it */

typedef struct product {
  const ir_op *op;
  ir_dtype dtype;    /* that is accumulated in: f32 for narrower results */
  spv_points points; /* of the result */
  spv_nest inner;    /* over the contracted axes */
  spv_carry carry;
  spv_nest outer;  /* over the result when it does not fit registers */
  uint32_t memory; /* + 1 */
} product;

static bool holds(const ir_list *list, uint32_t axis, uint32_t *where) {
  for (uint32_t k = 0; k < list->count; k++)
    if (list->at[k] == axis) {
      *where = k;
      return true;
    }
  return false;
}

/* The point in an operand: batch axes and free axes from the result's point, contracted ones from the step's. */
static spv_point operand_point(const product *p, bool left, const spv_point *result, const spv_point *step) {
  const ir_attrs *attrs = p->op->attrs;
  const ir_list *batch = left ? &attrs->lhs_batch : &attrs->rhs_batch;
  const ir_list *contract = left ? &attrs->lhs_contract : &attrs->rhs_contract;
  const ir_list *other_contract = &attrs->lhs_contract;
  spv_point point = {.rank = p->op->operands[left ? 0 : 1]->type.shape.rank};
  uint32_t left_rank = p->op->operands[0]->type.shape.rank;
  uint32_t free = left ? batch->count : left_rank - other_contract->count; /* first free axis's place in the result */
  for (uint32_t axis = 0; axis < point.rank; axis++) {
    uint32_t where;
    if (holds(batch, axis, &where))
      point.at[axis] = result->at[where];
    else if (holds(contract, axis, &where))
      point.at[axis] = step->at[where];
    else
      point.at[axis] = result->at[free++];
  }
  return point;
}

static spv_id operand(spv_lower *low, const product *p, bool left, const spv_point *result, const spv_point *step) {
  const ir_value *value = p->op->operands[left ? 0 : 1];
  spv_point point = operand_point(p, left, result, step);
  return spv_num_convert(low, value->type.dtype, p->dtype, spv_eval(low, value, &point));
}

static void multiply(spv_lower *low, void *user) {
  product *p = user;
  uint32_t all = (1u << p->inner.rank) - 1, steps = spv_nest_count(&p->inner, all);
  for (uint32_t k = 0; k < steps; k++) {
    spv_point step;
    if (!spv_nest_point(low, &p->inner, all, k, &step)) continue;
    for (size_t i = 0; i < p->points.count; i++) {
      const spv_id factors[] = {operand(low, p, true, &p->points.data[i], &step),
                                operand(low, p, false, &p->points.data[i], &step)};
      low->code.free_order = true;
      const spv_id terms[] = {p->carry.values[i], spv_map(low, IR_mul, p->dtype, factors, p->op->loc)};
      p->carry.values[i] = spv_map(low, IR_add, p->dtype, terms, p->op->loc);
      low->code.free_order = false;
    }
  }
}

/* Loops over the contracted axes: no lanes, STEPS of the last one at a time. */
static void plan_inner(spv_lower *low, product *p) {
  const ir_list *contract = &p->op->attrs->lhs_contract;
  p->inner.rank = contract->count;
  for (uint32_t k = 0; k < contract->count; k++) {
    int64_t extent = ir_extent(&p->op->operands[0]->type, (uint32_t)contract->at[k]);
    uint32_t unroll = k + 1 < contract->count ? 1 : extent < STEPS ? (uint32_t)(extent ? extent : 1) : STEPS;
    p->inner.axes[k] = (spv_nest_axis){.extent = extent, .vector = 1, .lanes = 1, .unroll = unroll, .step = unroll};
    p->inner.axes[k].base = spv_int(&low->code, 0);
  }
}

static void accumulate(spv_lower *low, product *p) {
  p->carry.count = (uint32_t)p->points.count;
  p->carry.values = ARENA_ARRAY(low->arena, spv_id, p->carry.count + 1);
  p->carry.types = ARENA_ARRAY(low->arena, spv_id, p->carry.count + 1);
  for (uint32_t i = 0; i < p->carry.count; i++) {
    p->carry.values[i] = spv_num_const(low, p->dtype, 0);
    p->carry.types[i] = spv_num_type(low, p->dtype);
  }
  spv_nest_walk(low, &p->inner, (1u << p->inner.rank) - 1, &p->carry, multiply, p);
  for (uint32_t i = 0; i < p->carry.count; i++)
    p->carry.values[i] = spv_num_convert(low, p->dtype, p->op->results[0]->type.dtype, p->carry.values[i]);
}

static void product_strip(spv_lower *low, void *user) {
  product *p = user;
  uint32_t all = (1u << p->outer.rank) - 1, count = spv_nest_count(&p->outer, all);
  p->points.count = 0;
  for (uint32_t i = 0; i < count; i++) {
    spv_point point;
    if (spv_nest_point(low, &p->outer, all, i, &point)) VEC_PUSH(low->arena, &p->points, point);
  }
  accumulate(low, p);
  for (size_t i = 0; i < p->points.count; i++) {
    spv_place place = spv_memory_place(low, p->memory - 1, &p->op->results[0]->type, &p->points.data[i]);
    spv_store(low, &place, &p->carry.values[i], 1, p->op->results[0]->type.dtype);
  }
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Points of a lane that only the last coordinate tells apart, one after the other. */
static size_t columns_of(const spv_points *all) {
  size_t count = 1;
  const uint32_t before = all->count > 0 && all->data[0].rank > 0 ? all->data[0].rank - 1 : 0;
  while (count < all->count && !memcmp(all->data[count].at, all->data[0].at, before * sizeof(spv_id))) count++;
  return count;
}

/* How many columns of a lane's rows to multiply at a time, as many rows of them as registers hold: elements of the
 * operands that are loaded serve the most products where the two are near. */
static size_t choose_columns(size_t rows, size_t columns) {
  size_t best = 1, best_loads = 2, best_products = 1;
  for (size_t some = columns; some > 0; some = some % 8 == 0 || some > SPV_ACCUMULATE ? (some + 1) / 2 : 0) {
    const size_t high = least(rows, SPV_ACCUMULATE / some), loads = high + some, products = high * some;
    if (loads * best_products >= best_loads * products) continue;
    best = some;
    best_loads = loads;
    best_products = products;
  }
  return best;
}

/* A block of rows and columns. */
static void multiply_block(spv_lower *low, product *p, const spv_points *all, size_t columns, size_t first, size_t high,
                           size_t wide, spv_id *ids) {
  p->points.count = 0;
  for (size_t i = 0; i < high * wide; i++)
    VEC_PUSH(low->arena, &p->points, all->data[first + i / wide * columns + i % wide]);
  accumulate(low, p);
  for (size_t i = 0; i < high * wide; i++) ids[first + i / wide * columns + i % wide] = p->carry.values[i];
}

/* So many at a time as registers hold; a role keeps more than that, and adds them to what it keeps. */
static void in_registers(spv_lower *low, product *p) {
  const ir_value *result = p->op->results[0];
  spv_points all = {0};
  spv_register_points(low, &result->type, &all);
  spv_id *ids = ARENA_ARRAY(low->arena, spv_id, all.count + 1);
  const size_t columns = columns_of(&all), rows = all.count / columns, wide = choose_columns(rows, columns);
  const size_t high = least(rows, SPV_ACCUMULATE / wide);
  for (size_t row = 0; row < rows; row += high)
    for (size_t column = 0; column < columns; column += wide)
      multiply_block(low, p, &all, columns, row * columns + column, least(high, rows - row),
                     least(wide, columns - column), ids);
  spv_set_registers(low, result, &all, ids);
}

void spv_dot_op(spv_lower *low, const ir_op *op) {
  const ir_value *result = op->results[0];
  product p = {.op = op, .dtype = ir_dtype_wide(result->type.dtype)};
  spv_prepare(low, op->operands[0]);
  spv_prepare(low, op->operands[1]);
  plan_inner(low, &p);
  if (spv_register_count(low, &result->type) <= (low->in_role ? PASS_ROLE_KEEPS : SPV_ACCUMULATE)) {
    in_registers(low, &p);
    return;
  }
  int64_t extents[KILN_MAX_RANK];
  spv_extents(&result->type, extents);
  spv_set_memory(low, result);
  p.memory = low->homes[result->id].memory + 1;
  p.outer = spv_nest_plan(low, extents, result->type.shape.rank, SPV_ACCUMULATE / 2, 0);
  spv_before_write(low, p.memory - 1);
  spv_nest_walk(low, &p.outer, (1u << p.outer.rank) - 1, NULL, product_strip, &p);
}
