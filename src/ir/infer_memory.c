/* Types of load, store, view and scratch. Whether an access stays inside its array is no question of types. */
#include "ir/infer.h"

/* The shape that an index cuts out of `ref`, whose dimensions it must match one by one. */
static bool cut(ir_builder *b, const ir_op *op, const ir_type *ref, ir_shape *out) {
  const ir_attrs *attrs = op->attrs;
  *out = (ir_shape){0};
  if (attrs->index_count != ref->shape.rank) {
    diag_report(b->diags, DIAG_index_count, op->loc, (long long)ref->shape.rank, (long long)attrs->index_count);
    return false;
  }
  for (uint32_t i = 0; i < attrs->index_count; i++) {
    const ir_index *index = &attrs->index[i];
    if (index->operand >= (int32_t)op->operand_count) return ir_need_count(b, op, (uint32_t)index->operand + 1);
    if (index->operand >= 0 && !ir_need_scalar_i32(b, op, "an index", &op->operands[index->operand]->type))
      return false;
    if (index->point) continue;
    if (!ir_need_range(b, op, "a stride", index->stride, index->stride >= 1, "at least 1")) return false;
    out->dims[out->rank++] = index->size;
  }
  return true;
}

static uint32_t start_count(const ir_attrs *attrs) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < attrs->index_count; i++) count += attrs->index[i].operand >= 0;
  return count;
}

static bool need_ref(ir_builder *b, const ir_op *op) {
  if (op->operand_count > 0 && op->operands[0]->type.kind == IR_REF) return true;
  diag_report(b->diags, DIAG_not_a_ref, op->loc, ir_op_label(op));
  return false;
}

static bool need_mask(ir_builder *b, const ir_op *op, const ir_value *mask, const ir_shape *shape) {
  ir_type expected = ir_tile_type(IR_BOOL, shape);
  return ir_need_type(b, op, "the mask", &mask->type, &expected);
}

static bool infer_load(ir_builder *b, ir_op *op) {
  const ir_type *ref = &op->operands[0]->type;
  uint32_t next = 1 + start_count(op->attrs);
  ir_type type = {.kind = IR_TILE, .dtype = ref->dtype};
  if (!ir_need_count(b, op, next + op->attrs->masked + op->attrs->other) || !cut(b, op, ref, &type.shape)) return false;
  if (op->attrs->masked && !need_mask(b, op, op->operands[next++], &type.shape)) return false;
  if (op->attrs->other && !ir_need_type(b, op, "`other`", &op->operands[next]->type, &type)) return false;
  return ir_infer_result(b, op, type);
}

static bool infer_store(ir_builder *b, ir_op *op) {
  const ir_type *ref = &op->operands[0]->type;
  uint32_t next = 2 + start_count(op->attrs);
  ir_type type = {.kind = IR_TILE, .dtype = ref->dtype};
  if (!ir_need_count(b, op, next + op->attrs->masked) || !cut(b, op, ref, &type.shape)) return false;
  if (!ir_need_type(b, op, "the value", &op->operands[1]->type, &type)) return false;
  return !op->attrs->masked || need_mask(b, op, op->operands[next], &type.shape);
}

static bool infer_view(ir_builder *b, ir_op *op) {
  ir_type type = op->operands[0]->type;
  return ir_need_count(b, op, 1 + start_count(op->attrs)) && cut(b, op, &op->operands[0]->type, &type.shape) &&
         ir_infer_result(b, op, type);
}

bool ir_infer_memory(ir_builder *b, ir_op *op) {
  if (op->code == IR_scratch)
    return ir_infer_result(b, op, ir_ref_type(op->attrs->type, op->attrs->space, &op->attrs->shape));
  if (!need_ref(b, op)) return false;
  if (op->code == IR_load) return infer_load(b, op);
  return op->code == IR_store ? infer_store(b, op) : infer_view(b, op);
}
