/* Pass join_blocks: small blocks that lie side by side are worked on together, for what a host spends on a grid point
 * and on each walk over a tile does not depend on how much is in it.
 *
 *   grid i: 4096 parallel                           grid i: 128 parallel
 *   let t0 = i * 2                                  let t0 = i * 64
 *   let xb = view x[t0 : 2, :]           becomes    let xb = view x[t0 : 64, :]
 *   let v = xb[...]                                 let v = xb[...]
 *   ob[...] = v * v                                 ob[...] = v * v
 *
 * Assumes expand_blocks has run. An axis of the grid goes when the only use of its index i is to be i * n, where
 * accesses to arrays begin that take n elements: of one class of dimensions (dim_classes), whose elements do not need
 * one another. Whatever has no dimension of the class is then the same for all points, and computed once; it must not
 * be stored to an array, nor told. The blocks stay small enough for the nearest cache, and enough of them for many
 * threads. */
#include "pass/resize.h"

enum {
  JOINED = 8192, /* elements of the largest tile: at most */
  POINTS = 64    /* of the grid: at least so many stay */
};

typedef struct joining {
  resizing to;
  const ir_axis *axis;
  uint32_t root; /* of the class; UINT32_MAX: no access begins by the axis so far */
  int64_t size;  /* of a block */
  int64_t most;  /* elements of the largest tile with a dimension of the class */
} joining;

/* ---- where blocks begin ---- */

/* Whether `op`, which may be NULL, makes axis * a number. */
static bool begins(const joining *j, const ir_op *op, int64_t *by) {
  if (!op || op->code != IR_mul || op->results[0]->type.shape.rank != 0) return false;
  const uint32_t which = op->operands[0] == j->axis->index ? 0 : 1;
  return op->operands[which] == j->axis->index && pass_integer(op->operands[1 - which], by);
}

static bool begins_by_axis(const joining *j, const ir_op *op, uint32_t i) {
  int64_t by;
  const ir_index *index = &op->attrs->index[i];
  return index->operand >= 0 && begins(j, op->operands[index->operand]->def, &by);
}

static bool in_class(const joining *j, const ir_op *op, uint32_t i) {
  const int32_t dimension = access_dimension(op, i);
  return dimension >= 0 && dim_classes_root(&j->to.classes, access_tile(op), (uint32_t)dimension) == j->root;
}

static bool find_class(void *user, ir_op *op) {
  joining *j = user;
  if (!(ir_op_get(op->code)->effects & E_INDEXES)) return true;
  for (uint32_t i = 0; i < op->attrs->index_count; i++) {
    const int32_t dimension = access_dimension(op, i);
    if (dimension < 0 || !begins_by_axis(j, op, i)) continue;
    j->root = dim_classes_root(&j->to.classes, access_tile(op), (uint32_t)dimension);
    j->size = j->to.classes.at[j->root].extent;
    return false;
  }
  return true;
}

/* ---- what may be joined ---- */

static bool fits_access(const joining *j, const ir_op *op) {
  for (uint32_t i = 0; i < op->attrs->index_count; i++) {
    const bool by_axis = begins_by_axis(j, op, i);
    if (by_axis != in_class(j, op, i) && !access_is_whole(op, i)) return false;
    if (by_axis && op->attrs->index[i].stride != 1) return false;
  }
  const bool array = ref_is_param(ir_root_ref(op->operands[0]));
  const bool writes = ir_op_get(op->code)->effects & E_WRITES;
  return !array || !writes || dim_classes_has(&j->to.classes, access_tile(op), j->root);
}

static bool fits_effect(const joining *j, const ir_op *op) {
  switch (op->code) {
    case IR_load:
    case IR_store:
    case IR_view: return fits_access(j, op);
    case IR_scratch:
    case IR_yield: return true;
    default: return ir_op_get(op->code)->effects == E_CONTROL;
  }
}

static bool starts_access(const ir_op *op, uint32_t operand) {
  bool starts = false;
  for (uint32_t i = 0; ir_op_get(op->code)->effects & E_INDEXES && i < op->attrs->index_count; i++)
    starts |= op->attrs->index[i].operand == (int32_t)operand;
  return starts;
}

/* Whether the axis is used by `op`, or what it is multiplied to is, in no other way than as the start of a block. */
static bool fits_operands(const joining *j, const ir_op *op) {
  int64_t by;
  const bool scales = begins(j, op, &by) && by == j->size;
  for (uint32_t k = 0; k < op->operand_count; k++) {
    const ir_value *v = op->operands[k];
    if (v == j->axis->index && !scales) return false;
    if (begins(j, v->def, &by) && !starts_access(op, k)) return false;
  }
  return true;
}

/* A value with two dimensions of the class would become a square of blocks. */
static bool fits_result(joining *j, const ir_value *v) {
  uint32_t dimensions = 0;
  for (uint32_t d = 0; d < v->type.shape.rank; d++) dimensions += dim_classes_root(&j->to.classes, v, d) == j->root;
  if (dimensions > 0 && ir_count(&v->type) > j->most) j->most = ir_count(&v->type);
  return dimensions < 2;
}

static bool fits_op(void *user, ir_op *op) {
  joining *j = user;
  const ir_op_info *info = ir_op_get(op->code);
  if (op->code == IR_dot || (info->form == IR_FORM_EFFECT && !fits_effect(j, op))) return false;
  if (op->code == IR_iota && dim_classes_root(&j->to.classes, op->results[0], (uint32_t)op->attrs->axis) == j->root)
    return false;
  for (uint32_t k = 0; k < op->result_count; k++)
    if (!fits_result(j, op->results[k])) return false;
  return fits_operands(j, op);
}

static bool fits(joining *j) {
  ir_region *body = j->to.c->kernel->body;
  ir_walk(body, find_class, j);
  if (j->root == UINT32_MAX || j->size < 2 || j->to.classes.at[j->root].fixed) return false;
  return ir_walk(body, fits_op, j);
}

/* ---- joining ---- */

static bool is_product(ir_code code) { return code == IR_mul; }

static void join(joining *j, ir_axis *axis, int64_t blocks) {
  pass_ctx *c = j->to.c;
  const pass_ops products = pass_collect(c, is_product);
  j->to.extent[j->root] = j->size * blocks;
  axis->extent = ir_dim_const(c->kernel->module, axis->extent->value / blocks);
  for (size_t i = 0; i < products.count; i++) {
    int64_t by;
    ir_op *op = products.data[i];
    if (!begins(j, op, &by)) continue;
    ir_builder b = pass_before(c, op);
    ir_set_operand(op, op->operands[0] == axis->index ? 1 : 0, ir_scalar_i32(&b, j->size * blocks));
  }
  resize_body(&j->to);
}

/* 0: unknown, or none. */
static int64_t count_points(const ir_kernel *k) {
  int64_t points = 1;
  for (uint32_t a = 0; a < k->axis_count; a++)
    if (k->axes[a].bound || !i64_mul(points, k->axes[a].extent->value, &points)) return 0;
  return points;
}

static bool join_axis(pass_ctx *c, ir_axis *axis) {
  const int64_t spare = count_points(c->kernel) / POINTS;
  if (spare < 2 || axis->extent->value < 2) return false;
  joining j = {.to = resizing_of(c), .axis = axis, .root = UINT32_MAX};
  if (!fits(&j)) return false;
  const int64_t room = JOINED / j.most;
  const int64_t blocks = pass_divisor(axis->extent->value, room < spare ? room : spare);
  if (blocks < 2) return false;
  join(&j, axis, blocks);
  return true;
}

bool pass_join_blocks(pass_ctx *c) {
  bool joined = false;
  if (c->target->check || pass_has_roles(c->kernel)) return false;
  for (uint32_t a = c->kernel->axis_count; a-- > 0;) joined |= join_axis(c, &c->kernel->axes[a]);
  return joined;
}
