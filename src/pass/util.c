/* Small questions that several passes ask of the IR. */
#include "pass/util.h"

ir_type pass_i32(void) { return (ir_type){.kind = IR_TILE, .dtype = IR_I32}; }

bool pass_splat(const ir_value *v, uint64_t *bits) {
  if (!v->def || v->def->code != IR_full) return false;
  *bits = v->def->attrs->bits;
  return true;
}

bool pass_integer(const ir_value *v, int64_t *out) {
  uint64_t bits;
  if (v->type.shape.rank != 0 || ir_dtype_get(v->type.dtype)->class == IR_CLASS_FLOAT || !pass_splat(v, &bits))
    return false;
  *out = ir_bits_to_i64(v->type.dtype, bits);
  return true;
}

const ir_param *pass_param_of(const ir_kernel *k, const ir_value *root) {
  for (uint32_t i = 0; i < k->param_count; i++)
    if (k->params[i].ref == root) return &k->params[i];
  return NULL;
}

bool pass_read_only(const ir_kernel *k, const ir_value *root) {
  const ir_param *param = pass_param_of(k, root);
  if (!param || param->direction != KILN_IN) return false;
  for (uint32_t i = 0; i < k->param_count; i++)
    if (k->params[i].alias == param - k->params) return false;
  return true;
}

bool pass_share_memory(const ir_kernel *k, const ir_value *root, const ir_value *other) {
  if (root == other) return true;
  const ir_param *a = pass_param_of(k, root), *b = pass_param_of(k, other);
  return a && b && (a->alias == b - k->params || b->alias == a - k->params);
}

bool pass_at_edge(const ir_value *ref) {
  for (; ref->def && ref->def->code == IR_view; ref = ref->def->operands[0])
    if (ref->def->attrs->edge) return true;
  return false;
}

bool pass_whole_access(const ir_op *op) {
  if (op->code != IR_load && op->code != IR_store) return false;
  if (op->attrs->masked) return false;
  const ir_type *ref = &op->operands[0]->type;
  for (uint32_t axis = 0; axis < op->attrs->index_count; axis++) {
    const ir_index *index = &op->attrs->index[axis];
    if (index->point || index->operand >= 0 || index->stride != 1) return false;
    if (index->start->value != 0 || index->size->value != ir_extent(ref, axis)) return false;
  }
  return true;
}

static void unlink_op(ir_op *op) {
  ir_region *from = op->parent;
  if (op->prev)
    op->prev->next = op->next;
  else
    from->first = op->next;
  if (op->next)
    op->next->prev = op->prev;
  else
    from->last = op->prev;
}

void pass_append(ir_region *region, ir_op *op) {
  if (op->parent) unlink_op(op);
  op->parent = region;
  op->next = NULL;
  op->prev = region->last;
  if (region->last)
    region->last->next = op;
  else
    region->first = op;
  region->last = op;
}

ir_op *pass_yield_of(const ir_region *region) {
  return region->last && region->last->code == IR_yield ? region->last : NULL;
}

typedef struct replacement {
  ir_value *from, *to;
} replacement;

static bool replace_operands(void *user, ir_op *op) {
  const replacement *r = user;
  for (uint32_t i = 0; i < op->operand_count; i++)
    if (op->operands[i] == r->from) ir_set_operand(op, i, r->to);
  return true;
}

void pass_replace_within(ir_region *region, ir_value *old, ir_value *new_value) {
  replacement r = {old, new_value};
  ir_walk(region, replace_operands, &r);
}

void pass_rename(pass_renames *r, const ir_value *from, ir_value *to) {
  while (r->to.count <= from->id) VEC_PUSH(r->arena, &r->to, NULL);
  r->to.data[from->id] = to;
}

void pass_update(const pass_renames *r, ir_op *op) {
  for (uint32_t i = 0; i < op->operand_count; i++) {
    ir_value *v = op->operands[i];
    while (v->id < r->to.count && r->to.data[v->id]) v = r->to.data[v->id];
    if (v != op->operands[i]) ir_set_operand(op, i, v);
  }
}

bool pass_same_width(const ir_op *bitcast) {
  return ir_dtype_bytes(bitcast->operands[0]->type.dtype) == ir_dtype_bytes(bitcast->results[0]->type.dtype);
}

bool pass_pure(const ir_op *op) { return ir_op_get(op->code)->form != IR_FORM_EFFECT || op->code == IR_view; }
