/* settle_async: what units start and await happens at once. That is one of the orders that a kernel without races
 * allows, and the one that a machine without asynchronous copies needs.
 *
 *   copy x[i, :] -> s arrive full               let v = x[i, :]
 *                                               s[...] = v
 *                                     becomes   arrive full
 *   mma sum, s, t                               sum[...] = sum[...] + dot(s[...], t[...])
 *   await mma 0                                 (nothing)
 *
 * - What a copy reads outside of its source is zero; what it writes outside is dropped.
 * - A copy made by all blocks of a cluster that tells the leader alone counts once they all have made it: such a
 *   barrier takes so many times the arrivals, and every other arrival is made so often.
 * - Accumulators begin with zero.
 * What stays: barriers, semaphores, who arrives and who waits. */
#include "pass/expand/expand.h"
#include "pass/util.h"

typedef struct settling {
  pass_ctx *c;
  uint32_t *shares; /* by value id of a barrier: how many of its arrivals are made for one */
} settling;

static bool is_concerned(ir_code code) {
  switch (code) {
    case IR_copy:
    case IR_mma:
    case IR_commit:
    case IR_await:
    case IR_scratch:
    case IR_arrive: return true;
    default: return false;
  }
}

/* Of a copy that several blocks make for one arrival. */
static bool shares_arrival(const ir_op *op) {
  return op->code == IR_copy && op->attrs->arrives && op->attrs->across && op->attrs->way != IR_WAY_ALL;
}

/* ---- blocks of a cluster ---- */

/* The own block's number along some of the cluster's axes. */
static val number_along(ir_builder *b, uint32_t along) {
  const ir_team_axes axes = ir_team_axes_of(b->kernel, IR_TEAM_CLUSTER);
  val number = ir_scalar_i32(b, 0);
  for (uint32_t i = 0; i < axes.count; i++) {
    if (!(along >> i & 1)) continue;
    number = ir_map2(b, IR_mul, number, ir_scalar_i32(b, axes.at[i].extent->value));
    number = ir_map2(b, IR_add, number, axes.at[i].index);
  }
  return number;
}

/* What `ref` is in the block of that number along the axes; elsewhere it has the own block's place. */
static val in_block(ir_builder *b, val ref, uint32_t along, uint32_t number) {
  const ir_team_axes axes = ir_team_axes_of(b->kernel, IR_TEAM_CLUSTER);
  val operands[1 + KILN_MAX_RANK] = {ref};
  for (uint32_t i = axes.count; i-- > 0;) {
    const uint32_t extent = (uint32_t)axes.at[i].extent->value;
    operands[1 + i] = along >> i & 1 ? ir_scalar_i32(b, number % extent) : axes.at[i].index;
    if (along >> i & 1) number /= extent;
  }
  return ir_make1(b, IR_peer, operands, 1 + axes.count, &(ir_attrs){0});
}

/* ---- what lies outside ---- */

/* Where the elements of a ref lie along each dimension of a view under it: scalars and lines. A line is along `axis` of
 * the ref. */
typedef struct places {
  val at[KILN_MAX_RANK];
  int32_t axis[KILN_MAX_RANK];
} places;

static places own_places(ir_builder *b, const ir_shape *shape) {
  places own = {.at = {NULL}};
  for (uint32_t d = 0; d < shape->rank; d++) {
    own.at[d] = expand_iota(b, &(ir_shape){.rank = 1, .dims = {shape->dims[d]}}, 0);
    own.axis[d] = (int32_t)d;
  }
  return own;
}

/* From the dimensions of a view to those of what it is a view of. */
static places places_under(ir_builder *b, const ir_op *view, const places *own) {
  places under = {.at = {NULL}};
  for (uint32_t d = 0, axis = 0; d < view->attrs->index_count; d++) {
    const ir_index *index = &view->attrs->index[d];
    val start = index->operand >= 0 ? view->operands[index->operand] : ir_scalar_i32(b, index->start->value);
    under.at[d] = start;
    under.axis[d] = -1;
    if (index->point) continue;
    const ir_shape *line = &own->at[axis]->type.shape;
    val steps = ir_map2(b, IR_mul, own->at[axis], expand_int(b, line, index->stride));
    under.at[d] = ir_map2(b, IR_add, steps, ir_broadcast_to(b, start, line));
    under.axis[d] = own->axis[axis++];
  }
  return under;
}

/* A line along one axis of `shape`, or a scalar, as a tile of that shape. */
static val spread(ir_builder *b, val v, int32_t axis, const ir_shape *shape) {
  ir_attrs attrs = {.shape = *shape};
  if (v->type.shape.rank > 0) attrs.axes = (ir_list){1, {axis}};
  return ir_make1(b, IR_broadcast, &v, 1, &attrs);
}

/* Makes the mask of a view smaller, and gives the view leave to reach outside where it may. */
static val only_inside(ir_builder *b, const places *at, ir_op *view, const ir_shape *shape, val mask) {
  const ir_type *array = &view->operands[0]->type;
  for (uint32_t d = 0; d < array->shape.rank; d++) {
    const int64_t last = ir_extent(array, d) - 1;
    const pass_range range = pass_range_of(b->kernel, at->at[d]);
    if (range.low >= 0 && range.high <= last) continue;
    val inside = spread(b, expand_within(b, at->at[d], 0, last), at->axis[d], shape);
    mask = mask ? ir_map2(b, IR_and, mask, inside) : inside;
    view->attrs->edge = true;
  }
  return mask;
}

/* Which elements of a ref exist; NULL: all of them. */
static val existing(ir_builder *b, val ref) {
  const ir_shape *shape = &ref->type.shape;
  bool fits = true;
  for (const ir_value *v = ref; v->def && v->def->code == IR_view; v = v->def->operands[0])
    fits = fits && !pass_view_reaches_outside(b->kernel, v->def);
  if (fits) return NULL;
  places at = own_places(b, shape);
  val mask = NULL;
  for (; ref->def && ref->def->code == IR_view; ref = ref->def->operands[0]) {
    at = places_under(b, ref->def, &at);
    mask = only_inside(b, &at, ref->def, shape, mask);
  }
  return mask;
}

/* ---- copies ---- */

static val load_existing(ir_builder *b, val ref) {
  ir_attrs attrs = pass_whole_index(b, &ref->type.shape);
  val operands[] = {ref, existing(b, ref)};
  attrs.masked = operands[1] != NULL;
  return ir_make1(b, IR_load, operands, 1u + attrs.masked, &attrs);
}

/* The part of the source that is this block's, along each dimension that is larger there. */
static val share_of(ir_builder *b, val from, const ir_shape *to, uint32_t axes) {
  ir_attrs attrs = pass_whole_index(b, to);
  val operands[1 + KILN_MAX_RANK] = {from};
  uint32_t count = 1;
  for (uint32_t d = 0; d < to->rank; d++) {
    if (from->type.shape.dims[d] == to->dims[d]) continue;
    operands[count] = ir_map2(b, IR_mul, number_along(b, axes), ir_scalar_i32(b, to->dims[d]->value));
    attrs.index[d].operand = (int32_t)count++;
  }
  return ir_make1(b, IR_view, operands, count, &attrs);
}

static void arrive_at(const settling *s, ir_builder *b, val barrier, bool share) {
  const uint32_t times = share ? 1 : s->shares[ir_root_ref(barrier)->id];
  for (uint32_t i = 0; i < times; i++) ir_make(b, IR_arrive, &barrier, 1, &(ir_attrs){0});
}

/* What one block does in all along the axes tells the own barrier of each. */
static void tell_blocks(const settling *s, ir_builder *b, val barrier, uint32_t axes) {
  const uint32_t blocks = ir_team_units(b->kernel, IR_TEAM_CLUSTER, axes);
  for (uint32_t i = 0; i < blocks; i++) arrive_at(s, b, axes ? in_block(b, barrier, axes, i) : barrier, false);
}

static void move(ir_builder *b, val from, val to, uint32_t combine) {
  val v = load_existing(b, from);
  existing(b, to); /* what would go elsewhere is dropped by its views */
  if (combine == IR_COMBINE_SET) {
    pass_store_whole(b, to, v);
    return;
  }
  ir_attrs atomic = pass_whole_index(b, &to->type.shape);
  atomic.combine = combine;
  ir_make(b, IR_atomic, (val[]){to, v}, 2, &atomic);
}

static void copy_to_blocks(const settling *s, ir_builder *b, const ir_op *op) {
  const uint32_t axes = op->attrs->across, blocks = ir_team_units(b->kernel, IR_TEAM_CLUSTER, axes);
  for (uint32_t i = 0; i < blocks; i++)
    move(b, in_block(b, op->operands[0], axes, i), in_block(b, op->operands[1], axes, i), op->attrs->combine);
  if (op->attrs->arrives) tell_blocks(s, b, op->operands[2], axes);
}

static void settle_copy(const settling *s, ir_builder *b, const ir_op *op) {
  const ir_attrs *attrs = op->attrs;
  val from = op->operands[0], to = op->operands[1];
  if (ir_copies_to_blocks(op)) {
    copy_to_blocks(s, b, op);
    return;
  }
  if (attrs->across && attrs->way == IR_WAY_SPLIT) from = share_of(b, from, &to->type.shape, attrs->across);
  move(b, from, to, attrs->combine);
  if (!attrs->arrives) return;
  const bool share = shares_arrival(op);
  arrive_at(s, b, share ? in_block(b, op->operands[2], attrs->across, 0) : op->operands[2], share);
}

static void settle_guarded(const settling *s, ir_builder *b, const ir_op *op) {
  if (!op->attrs->guarded) {
    settle_copy(s, b, op);
    return;
  }
  ir_region *regions[] = {ir_region_new(b, NULL), ir_region_new(b, NULL)};
  ir_builder within = pass_inside(b, regions[0]);
  settle_copy(s, &within, op);
  ir_make_control(b, IR_when, &op->operands[op->operand_count - 1], 1, regions, 2, NULL, 0, NULL);
}

/* ---- products ---- */

static val tile_of(ir_builder *b, val v) { return v->type.kind == IR_TILE ? v : load_existing(b, v); }

static void multiply(ir_builder *b, val sum, val left, val right, val accumulates) {
  const ir_attrs dot = {.type = sum->type.dtype, .lhs_contract = {1, {1}}, .rhs_contract = {1, {0}}};
  val product = ir_make1(b, IR_dot, (val[]){left, right}, 2, &dot);
  val total = ir_map2(b, IR_add, load_existing(b, sum), product);
  if (accumulates) total = ir_map3(b, IR_select, ir_broadcast_to(b, accumulates, &sum->type.shape), total, product);
  pass_store_whole(b, sum, total);
}

/* Along the axes the blocks share the columns of the right side, and each has a sum of its own. */
static void settle_product(ir_builder *b, const ir_op *op) {
  const ir_attrs *attrs = op->attrs;
  const uint32_t blocks = ir_team_units(b->kernel, IR_TEAM_CLUSTER, attrs->across);
  val accumulates = attrs->accumulates ? op->operands[3] : NULL, sum = op->operands[0], left = op->operands[1];
  if (blocks == 1) {
    val tile = tile_of(b, left), right = load_existing(b, op->operands[2]);
    multiply(b, sum, tile, right, accumulates);
    return;
  }
  val *parts = ARENA_ARRAY(&b->module->arena, val, blocks);
  for (uint32_t i = 0; i < blocks; i++) parts[i] = load_existing(b, in_block(b, op->operands[2], attrs->across, i));
  val right = ir_make1(b, IR_concatenate, parts, blocks, &(ir_attrs){.axis = 1});
  for (uint32_t i = 0; i < blocks; i++) {
    const bool tile = left->type.kind == IR_TILE;
    val own = tile ? left : load_existing(b, in_block(b, left, attrs->across, i));
    multiply(b, in_block(b, sum, attrs->across, i), own, right, accumulates);
  }
}

/* Accumulators begin with zero; a barrier of copies that share an arrival takes each of theirs. */
static void settle_scratch(const settling *s, ir_op *op) {
  val ref = op->results[0];
  ir_builder b = pass_before(s->c, op);
  b.before = op->next;
  if (op->attrs->kind == IR_BARRIER) op->attrs->arrivals *= s->shares[ref->id];
  if (op->attrs->kind != IR_BARRIER && op->attrs->kind != IR_SEMAPHORE && op->attrs->space == IR_SPACE_ACC)
    pass_clear(&b, ref);
}

static void settle_op(const settling *s, ir_op *op) {
  if (op->code == IR_scratch) {
    settle_scratch(s, op);
    return;
  }
  ir_builder b = pass_before(s->c, op);
  if (op->code == IR_copy) settle_guarded(s, &b, op);
  if (op->code == IR_mma) settle_product(&b, op);
  if (op->code == IR_arrive) arrive_at(s, &b, op->operands[0], false);
  if ((op->code == IR_mma || op->code == IR_commit) && op->attrs->arrives)
    tell_blocks(s, &b, op->operands[op->operand_count - 1], op->attrs->across);
  ir_erase(op);
}

/* False after a diagnostic: copies of different sets of blocks share the arrivals of one barrier. */
static bool count_shares(settling *s, const pass_ops *ops) {
  const ir_kernel *k = s->c->kernel;
  s->shares = ARENA_ARRAY(&k->module->arena, uint32_t, k->value_count + 1);
  for (uint32_t id = 0; id < k->value_count; id++) s->shares[id] = 1;
  for (size_t i = 0; i < ops->count; i++) {
    const ir_op *op = ops->data[i];
    if (!shares_arrival(op)) continue;
    uint32_t *shares = &s->shares[ir_root_ref(op->operands[2])->id];
    const uint32_t blocks = ir_team_units(k, IR_TEAM_CLUSTER, op->attrs->across);
    if (*shares != 1 && *shares != blocks) return diag_report(s->c->diags, DIAG_uneven_shares, op->loc), false;
    *shares = blocks;
  }
  return true;
}

/* False after a diagnostic. */
static bool can_settle(const pass_ctx *c, const pass_ops *ops) {
  for (size_t i = 0; i < ops->count; i++) {
    const ir_op *op = ops->data[i];
    if (op->code != IR_mma || !(op->attrs->scaled || op->attrs->sparse)) continue;
    diag_report(c->diags, DIAG_no_way_to_run, op->loc, "mma", "scales and sparse factors are the host's");
    return false;
  }
  return true;
}

bool pass_settle_async(pass_ctx *c) {
  if (!ir_is_crew(c->kernel)) return false;
  settling s = {.c = c};
  bool changed = pass_expand_blocks(c);
  const pass_ops ops = pass_collect(c, is_concerned);
  if (!can_settle(c, &ops) || !count_shares(&s, &ops)) return true;
  for (size_t i = 0; i < ops.count; i++) settle_op(&s, ops.data[i]);
  return changed || ops.count > 0;
}
