/* Other extents for classes of dimensions: see resize.h. Attributes are changed first, for they are read against the
 * old shapes of operands. */
#include "pass/resize.h"

resizing resizing_of(pass_ctx *c) {
  arena *a = &c->kernel->module->arena;
  resizing r = {.c = c, .classes = dim_classes_of(c->kernel)};
  r.extent = ARENA_ARRAY(a, int64_t, r.classes.count);
  r.offset = ARENA_ARRAY(a, ir_value *, r.classes.count);
  return r;
}

/* Values made since the classes were found have none. */
uint32_t resize_root(const resizing *r, const ir_value *v, uint32_t dimension) {
  const size_t slot = (size_t)v->id * KILN_MAX_RANK + dimension;
  if (slot >= r->classes.count) return UINT32_MAX;
  const uint32_t root = dim_classes_root(&r->classes, v, dimension);
  return r->extent[root] > 0 ? root : UINT32_MAX;
}

static ir_dim new_extent(const resizing *r, uint32_t root) {
  return ir_dim_const(r->c->kernel->module, r->extent[root]);
}

static void resize_shape(const resizing *r, const ir_value *v, ir_shape *shape) {
  for (uint32_t d = 0; d < shape->rank; d++) {
    const uint32_t root = resize_root(r, v, d);
    if (root != UINT32_MAX) shape->dims[d] = new_extent(r, root);
  }
}

/* start + offset * stride as operand of index i */
static void move_start(ir_builder *b, ir_op *op, ir_index *index, ir_value *offset) {
  ir_value *moved = index->stride == 1 ? offset : ir_map2(b, IR_mul, offset, ir_scalar_i32(b, index->stride));
  if (index->operand >= 0) {
    ir_set_operand(op, (uint32_t)index->operand, ir_map2(b, IR_add, op->operands[index->operand], moved));
    return;
  }
  if (index->start->value) moved = ir_map2(b, IR_add, moved, ir_scalar_i32(b, index->start->value));
  /* starts stand before mask and other */
  uint32_t extras = (op->attrs->masked ? 1u : 0u) + (op->attrs->other ? 1u : 0u), at = op->operand_count - extras;
  ir_value **operands = ARENA_ARRAY(&b->module->arena, ir_value *, (size_t)op->operand_count + 1);
  for (uint32_t i = 0; i < op->operand_count; i++) operands[i + (i >= at)] = op->operands[i];
  op->operands = operands;
  op->operand_count++;
  operands[at] = moved;
  moved->uses++;
  index->operand = (int32_t)at;
}

static void resize_access(const resizing *r, ir_builder *b, ir_op *op) {
  const ir_value *tile = access_tile(op);
  for (uint32_t i = 0; i < op->attrs->index_count; i++) {
    int32_t dimension = access_dimension(op, i);
    uint32_t root = dimension < 0 ? UINT32_MAX : resize_root(r, tile, (uint32_t)dimension);
    if (root == UINT32_MAX) continue;
    bool whole = access_is_whole(op, i) && resize_root(r, op->operands[0], i) == root;
    op->attrs->index[i].size = new_extent(r, root);
    if (!whole && r->offset[root]) move_start(b, op, &op->attrs->index[i], r->offset[root]);
  }
}

static bool resize_attrs(void *user, ir_op *op) {
  const resizing *r = user;
  ir_builder b = pass_before(r->c, op);
  if (ir_op_get(op->code)->effects & E_INDEXES)
    resize_access(r, &b, op);
  else if (op->code == IR_slice)
    for (uint32_t d = 0; d < op->attrs->size.count; d++) {
      uint32_t root = resize_root(r, op->results[0], d);
      if (root != UINT32_MAX) op->attrs->size.at[d] = r->extent[root];
    }
  else if (op->code == IR_scratch || (op->attrs && ir_op_get(op->code)->attrs & A_SHAPE))
    resize_shape(r, op->results[0], &op->attrs->shape);
  return true;
}

static bool resize_types(void *user, ir_op *op) {
  const resizing *r = user;
  for (uint32_t i = 0; i < op->result_count; i++) resize_shape(r, op->results[i], &op->results[i]->type.shape);
  for (uint32_t k = 0; k < op->region_count; k++)
    for (uint32_t i = 0; i < op->regions[k]->arg_count; i++)
      resize_shape(r, op->regions[k]->args[i], &op->regions[k]->args[i]->type.shape);
  return true;
}

void resize_body(const resizing *r) {
  ir_walk(r->c->kernel->body, resize_attrs, (void *)(uintptr_t)r);
  ir_walk(r->c->kernel->body, resize_types, (void *)(uintptr_t)r);
}
