/* expand_blocks: what a grid step sees of a parameter becomes a `view`, and sequential axes become loops.
 *
 *   kernel k(x: f32[64, 32]) -> (y: f32[64, 32]) {     kernel k(x: f32[64, 32]) -> (y: f32[64, 32]) {
 *     grid i: 8 parallel, j: 4                           grid i: 8 parallel
 *     block x (8, 8) at (i, j)                           let r = i * 8
 *     block y (8, 8) at (i, j)                           for j in 0..4 {
 *     scratch s: f32[8, 8] in smem                         let bx = view x[r : 8, j * 8 : 8]
 *     s[...] = x[...]                                      ..
 *
 * (the scratch, which lives as long as the whole walk, stands before the loop.)
 *
 * - The parallel axes stay: they are the grid. The sequential ones nest in order, the last one innermost.
 * - An index map is copied to the outermost loop in which all axes that it reads are known, so that a block that does
 * not change from step to step is one view.
 * - A view is marked `edge` unless its map provably stays inside the array; a block that is the whole array is the
 * array.
 * - Scratch of the body is allocated once, before the loops: it lives through all steps. */
#include "model/step.h"
#include "pass/util.h"

typedef struct nest {
  ir_builder b;
  ir_kernel *kernel;
  uint32_t depth;      /* sequential axes */
  uint32_t *axis;      /* their places in kernel->axes */
  ir_region **region;  /* [0] the new body, [l] the body of loop l - 1 */
  ir_value **clones;   /* by old value id: copies of index map values */
  ir_value **stand_in; /* by old value id: what block refs and sequential axes became */
  uint32_t old_values;
} nest;

/* ---- how deep a block's map must be evaluated ---- */

typedef struct map_needs {
  const nest *nest;
  uint32_t level;
} map_needs;

static void need_value(map_needs *needs, const ir_value *v) {
  const nest *n = needs->nest;
  for (uint32_t level = 0; level < n->depth; level++)
    if (n->kernel->axes[n->axis[level]].index == v && level + 1 > needs->level) needs->level = level + 1;
}

static bool need_operands(void *user, ir_op *op) {
  map_needs *needs = user;
  for (uint32_t i = 0; i < op->operand_count; i++) need_value(needs, op->operands[i]);
  if (op->code == IR_load) {
    if (!pass_read_only(needs->nest->kernel, ir_root_ref(op->operands[0]))) needs->level = needs->nest->depth;
  }
  return true;
}

static uint32_t level_of_map(const nest *n, const ir_block *block) {
  map_needs needs = {n, 0};
  if (block->map) ir_walk(block->map, need_operands, &needs);
  return needs.level;
}

/* ---- views ---- */

/* Copies the map to the builder's place; `out` gets one block index per dimension. No map: the first block. */
static void inline_map(nest *n, const ir_block *block, ir_value **out) {
  if (!block->map) {
    for (uint32_t axis = 0; axis < block->size.rank; axis++) out[axis] = ir_scalar_i32(&n->b, 0);
    return;
  }
  ir_clone_region(&n->b, block->map, n->clones);
  const ir_op *yield = pass_yield_of(block->map);
  for (uint32_t axis = 0; axis < yield->operand_count; axis++) {
    ir_value *v = yield->operands[axis];
    out[axis] = n->clones[v->id] ? n->clones[v->id] : v;
  }
}

/* The block's first element, by the model's rule: as a number when the index is one, else as a value. */
static ir_value *place_block(nest *n, block_rule rule, ir_value *index, int64_t *number) {
  ir_builder *b = &n->b;
  if (pass_integer(index, number) && i64_mul(*number, rule.scale, number) && i64_add(*number, rule.offset, number))
    return NULL;
  *number = 0;
  ir_value *first = rule.scale == 1 ? index : ir_map2(b, IR_mul, index, ir_scalar_i32(b, rule.scale));
  return rule.offset == 0 ? first : ir_map2(b, IR_add, first, ir_scalar_i32(b, rule.offset));
}

typedef struct view_parts {
  ir_attrs attrs;
  ir_value *operands[1 + KILN_MAX_RANK];
  uint32_t operand_count;
  bool whole;
} view_parts;

static void add_dimension(nest *n, const ir_block *block, uint32_t axis, ir_value *index, view_parts *view) {
  const block_dim dim = block_dim_of(block, &n->kernel->params[block->param].ref->type, axis);
  const pass_range range = pass_range_of(n->kernel, index);
  const bool point = dim.kind == BLOCK_SQUEEZED;
  int64_t number;
  if (!block_inside(&dim, range.low) || !block_inside(&dim, range.high)) view->attrs.edge = true;
  if (point || dim.size != dim.array || range.low != 0 || range.high != 0) view->whole = false;
  ir_index *out = &view->attrs.index[axis];
  ir_value *start = place_block(n, block_rule_of(&dim), index, &number);
  *out = (ir_index){.point = point, .operand = -1, .size = block->size.dims[axis], .stride = 1};
  out->start = ir_dim_const(n->b.module, number);
  if (!start) return;
  out->operand = (int32_t)view->operand_count;
  view->operands[view->operand_count++] = start;
}

static ir_value *expand_block(nest *n, const ir_block *block) {
  ir_value *array = n->kernel->params[block->param].ref, *index[KILN_MAX_RANK];
  n->b.loc = block->loc;
  inline_map(n, block, index);
  view_parts view = {.operands = {array}, .operand_count = 1, .whole = true};
  view.attrs.index_count = array->type.shape.rank;
  for (uint32_t axis = 0; axis < array->type.shape.rank; axis++) add_dimension(n, block, axis, index[axis], &view);
  if (view.whole) return array;
  ir_value *result = ir_make1(&n->b, IR_view, view.operands, view.operand_count, &view.attrs);
  if (result) result->name = block->ref->name;
  return result;
}

/* False after a diagnostic. */
static bool expand_blocks_at(nest *n, uint32_t level) {
  for (uint32_t i = 0; i < n->kernel->block_count; i++) {
    const ir_block *block = &n->kernel->blocks[i];
    if (level_of_map(n, block) != level) continue;
    ir_value *ref = expand_block(n, block);
    if (!ref) return false;
    n->stand_in[block->ref->id] = ref;
  }
  return true;
}

/* ---- loops ---- */

/* Moves ops to the end of a region: scratch only, or all. */
static void move_ops(ir_region *from, ir_region *to, bool scratch_only) {
  for (ir_op *op = from->first, *next; op; op = next) {
    next = op->next;
    if (!scratch_only || op->code == IR_scratch) pass_append(to, op);
  }
}

static ir_value *extent_of(nest *n, const ir_axis *axis) {
  if (!axis->bound) return ir_scalar_i32(&n->b, axis->extent->value);
  ir_value *bound = axis->bound;
  return ir_make1(&n->b, IR_load, &bound, 1, &(ir_attrs){0});
}

static void wrap_in_loop(nest *n, uint32_t level) {
  const ir_axis *axis = &n->kernel->axes[n->axis[level]];
  n->b.loc = axis->loc;
  ir_value *bounds[3] = {ir_scalar_i32(&n->b, 0), extent_of(n, axis), ir_scalar_i32(&n->b, 1)};
  ir_attrs attrs = {.grid_axis = (int32_t)n->axis[level] + 1};
  ir_make_control(&n->b, IR_for, bounds, 3, &n->region[level + 1], 1, NULL, 0, &attrs);
}

static void open_nest(nest *n, pass_ctx *c) {
  ir_kernel *k = c->kernel;
  arena *a = &k->module->arena;
  *n = (nest){.kernel = k, .b = {.module = k->module, .kernel = k, .diags = c->diags, .loc = k->loc}};
  n->old_values = k->value_count;
  n->clones = ARENA_ARRAY(a, ir_value *, k->value_count + 1);
  n->stand_in = ARENA_ARRAY(a, ir_value *, k->value_count + 1);
  n->axis = ARENA_ARRAY(a, uint32_t, k->axis_count + 1);
  n->region = ARENA_ARRAY(a, ir_region *, k->axis_count + 1);
  n->region[0] = ir_region_new(&n->b, NULL);
  for (uint32_t i = 0; i < k->axis_count; i++) {
    if (k->axes[i].parallel) continue;
    n->axis[n->depth++] = i;
    n->region[n->depth] = ir_region_new(&n->b, NULL);
    n->stand_in[k->axes[i].index->id] = ir_region_arg(&n->b, n->region[n->depth], pass_i32(), k->axes[i].name);
  }
}

/* ---- the new kernel ---- */

static bool use_stand_ins(void *user, ir_op *op) {
  const nest *n = user;
  for (uint32_t i = 0; i < op->operand_count; i++) {
    uint32_t id = op->operands[i]->id;
    if (id < n->old_values && n->stand_in[id]) ir_set_operand(op, i, n->stand_in[id]);
  }
  return true;
}

/* Maps have been copied; what they use is used no more. */
static void drop_maps(ir_kernel *k) {
  for (uint32_t i = 0; i < k->block_count; i++)
    if (k->blocks[i].map) pass_erase_all(k->blocks[i].map);
  k->block_count = 0;
}

static void close_kernel(nest *n) {
  ir_kernel *k = n->kernel;
  k->body = n->region[0];
  drop_maps(k);
  ir_walk(k->body, use_stand_ins, n);
  uint32_t kept = 0;
  for (uint32_t i = 0; i < k->axis_count; i++)
    if (k->axes[i].parallel) k->axes[kept++] = k->axes[i];
  k->axis_count = kept;
}

bool pass_expand_blocks(pass_ctx *c) {
  nest n;
  ir_kernel *k = c->kernel;
  open_nest(&n, c);
  if (n.depth == 0 && k->block_count == 0) return false;
  move_ops(k->body, n.region[0], true);
  /* From the inside out, so that every loop is made around a finished body. */
  for (uint32_t level = n.depth + 1; level-- > 0;) {
    n.b.region = n.region[level];
    if (!expand_blocks_at(&n, level)) return true;
    if (level == n.depth)
      move_ops(k->body, n.region[level], false);
    else
      wrap_in_loop(&n, level);
  }
  close_kernel(&n);
  return true;
}
