/* Nests: the loops over a tile's elements. A strip is what the lanes do at once: a few consecutive elements of the last
 * axis each (layout_stream of ir/linear.h says which), several such groups written out one after the other; loops run
 * over the strips, and a last strip that is not full is written separately, with masks, so that the full ones need
 * none. */
#include "spirv/lower.h"

void spv_extents(const ir_type *type, int64_t *extents) {
  for (uint32_t axis = 0; axis < type->shape.rank; axis++) extents[axis] = ir_extent(type, axis);
}

static uint32_t vector_for(const int64_t *extents, uint32_t rank) {
  uint32_t vector = 4;
  if (rank == 0) return 1;
  while (extents[rank - 1] % vector) vector /= 2;
  return vector;
}

static int64_t groups_of(const spv_nest_axis *axis) {
  int64_t group = (int64_t)axis->vector * axis->lanes;
  return (axis->extent + group - 1) / group;
}

/* The largest number up to `limit` of groups to write out: a divisor of their count when that costs at most half. */
static uint32_t choose_unroll(int64_t groups, int64_t limit) {
  if (groups <= limit) return (uint32_t)(groups ? groups : 1);
  for (int64_t unroll = limit; unroll > limit / 2; unroll--)
    if (groups % unroll == 0) return (uint32_t)unroll;
  return (uint32_t)(limit > 0 ? limit : 1);
}

static void set_step(spv_nest_axis *axis) { axis->step = (int64_t)axis->vector * axis->lanes * axis->unroll; }

spv_nest spv_nest_plan(spv_lower *low, const int64_t *extents, uint32_t rank, uint32_t budget, uint32_t whole) {
  uint32_t vector = vector_for(extents, rank);
  layout spread = layout_stream(extents, rank, low->lane_bits, (uint32_t)__builtin_ctz(vector));
  spv_nest nest = {.rank = rank};
  for (uint32_t k = 0; k < rank; k++)
    nest.axes[k] = (spv_nest_axis){.extent = extents[k], .vector = k + 1 == rank ? vector : 1, .lanes = 1, .unroll = 1};
  for (uint32_t bit = spread.lane_bits; bit-- > 0;)
    for (uint32_t k = 0; k < rank; k++)
      if (layout_axis(&spread, spread.map.basis[spread.register_bits + bit], k)) {
        nest.axes[k].lanes *= 2;
        nest.axes[k].lane_shift = bit;
      }
  int64_t left = budget / vector;
  for (uint32_t k = rank; k-- > 0;)
    if (whole >> k & 1) {
      nest.axes[k].unroll = (uint32_t)groups_of(&nest.axes[k]);
      left /= nest.axes[k].unroll ? nest.axes[k].unroll : 1;
    }
  for (uint32_t k = rank; k-- > 0;) {
    if (!(whole >> k & 1)) {
      nest.axes[k].unroll = choose_unroll(groups_of(&nest.axes[k]), left);
      left /= nest.axes[k].unroll;
    }
    set_step(&nest.axes[k]);
    nest.axes[k].base = spv_int(&low->code, 0);
  }
  return nest;
}

/* ---- walking ---- */

typedef struct walk {
  spv_lower *low;
  spv_nest *nest;
  uint32_t mask;
  spv_carry *carry;
  spv_strip_fn fn;
  void *user;
} walk;

static void walk_axis(walk *w, uint32_t axis);

static void walk_loop(walk *w, uint32_t axis, int64_t strips) {
  spv_code *c = &w->low->code;
  spv_nest_axis *of = &w->nest->axes[axis];
  uint32_t count = w->carry ? w->carry->count : 0;
  spv_loop loop = spv_code_loop(c);
  spv_id *phis = ARENA_ARRAY(w->low->arena, spv_id, count + 1), *next = ARENA_ARRAY(w->low->arena, spv_id, count + 1);
  phis[count] = spv_code_phi(c, &loop, c->u32, spv_int(c, 0));
  for (uint32_t i = 0; i < count; i++)
    phis[i] = w->carry->values[i] = spv_code_phi(c, &loop, w->carry->types[i], w->carry->values[i]);
  spv_range(c, phis[count], 0, (strips - 1) * of->step, (uint32_t)of->step);
  spv_loop_test(c->m, &loop, false);
  of->base = of->backward ? spv_sub(c, spv_int(c, (strips - 1) * of->step), phis[count]) : phis[count];
  walk_axis(w, axis + 1);
  next[0] = spv_add(c, phis[count], spv_int(c, of->step));
  for (uint32_t i = 0; i < count; i++) next[i + 1] = w->carry->values[i];
  spv_id again = SPV(c->m, SpvOpULessThan, c->boolean, next[0], spv_int(c, strips * of->step));
  const spv_id *left = spv_code_loop_end(c, &loop, phis, next, count + 1, again);
  for (uint32_t i = 0; i < count; i++) w->carry->values[i] = left[i + 1];
}

/* The strips of an axis: all full ones, and the last if it is not. */
static void walk_strips(walk *w, uint32_t axis) {
  spv_code *c = &w->low->code;
  spv_nest_axis *of = &w->nest->axes[axis];
  int64_t strips = of->extent / of->step;
  bool partial = of->extent % of->step;
  for (int part = 0; part < 2; part++) {
    bool full = (part == 0) != of->backward;
    of->base = spv_int(c, full ? 0 : strips * of->step);
    if (full && strips > 1)
      walk_loop(w, axis, strips);
    else if (full ? strips == 1 : partial)
      walk_axis(w, axis + 1);
  }
}

static void walk_axis(walk *w, uint32_t axis) {
  if (axis == w->nest->rank)
    w->fn(w->low, w->user);
  else if (w->mask >> axis & 1)
    walk_strips(w, axis);
  else
    walk_axis(w, axis + 1);
}

void spv_nest_walk(spv_lower *low, spv_nest *nest, uint32_t mask, spv_carry *carry, spv_strip_fn fn, void *user) {
  for (uint32_t axis = 0; axis < nest->rank; axis++)
    if (mask >> axis & 1 && nest->axes[axis].extent == 0) return;
  walk w = {low, nest, mask, carry, fn, user};
  walk_axis(&w, 0);
}

/* ---- points ---- */

static spv_id lane_part(spv_lower *low, const spv_nest_axis *axis) {
  spv_code *c = &low->code;
  spv_id lane = spv_mod_const(c, spv_shr_const(c, low->lane, axis->lane_shift), axis->lanes);
  return spv_mul(c, lane, spv_int(c, axis->vector));
}

/* The coordinate of element `number` (of unroll * vector) along an axis; false when it is certainly past the end. */
static bool coordinate(spv_lower *low, const spv_nest_axis *axis, uint32_t number, spv_id *at) {
  spv_code *c = &low->code;
  int64_t within = (int64_t)(number / axis->vector) * axis->vector * axis->lanes + number % axis->vector;
  *at = spv_add(c, spv_add(c, axis->base, lane_part(low, axis)), spv_int(c, within));
  return spv_fact_of(c, *at)->low < axis->extent;
}

/* Number of elements a lane has of a strip along the axes in `mask`. */
uint32_t spv_nest_count(const spv_nest *nest, uint32_t mask) {
  uint32_t count = 1;
  for (uint32_t axis = 0; axis < nest->rank; axis++)
    if (mask >> axis & 1) count *= nest->axes[axis].unroll * nest->axes[axis].vector;
  return count;
}

bool spv_nest_point(spv_lower *low, const spv_nest *nest, uint32_t mask, uint32_t number, spv_point *point) {
  point->rank = nest->rank;
  bool exists = true;
  for (uint32_t axis = nest->rank; axis-- > 0;) {
    const spv_nest_axis *of = &nest->axes[axis];
    point->at[axis] = of->base;
    if (!(mask >> axis & 1)) continue;
    exists &= coordinate(low, of, number % (of->unroll * of->vector), &point->at[axis]);
    number /= of->unroll * of->vector;
  }
  return exists;
}

/* The number of the element that is `kept` among the axes of `mask` and `rest` among the others. */
uint32_t spv_nest_number(const spv_nest *nest, uint32_t mask, uint32_t kept, uint32_t rest) {
  uint32_t number = 0, scale = 1;
  for (uint32_t axis = nest->rank; axis-- > 0;) {
    uint32_t size = nest->axes[axis].unroll * nest->axes[axis].vector;
    uint32_t *from = mask >> axis & 1 ? &kept : &rest;
    number += *from % size * scale;
    *from /= size;
    scale *= size;
  }
  return number;
}

spv_id spv_point_inside(spv_lower *low, const spv_nest *nest, const spv_point *point) {
  spv_id inside = 0;
  for (uint32_t axis = 0; axis < nest->rank; axis++)
    inside = spv_both(&low->code, inside, spv_inside(low, point->at[axis], nest->axes[axis].extent));
  return inside;
}
