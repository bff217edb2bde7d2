/* The type of dot: batch axes, then what is left of the left operand, then what is left of the right one. */
#include "ir/infer/infer.h"

/* Marks the axes of a list in `taken`; one axis may have one role only. */
static bool take(ir_builder *b, const ir_op *op, ir_list *axes, uint32_t rank, uint32_t *taken) {
  if (!ir_need_axes(b, op, axes, rank)) return false;
  for (uint32_t i = 0; i < axes->count; i++) {
    uint32_t bit = UINT32_C(1) << axes->at[i];
    if (*taken & bit)
      return diag_report(b->diags, DIAG_duplicate_axis, op->loc, ir_op_label(op), (long long)axes->at[i]), false;
    *taken |= bit;
  }
  return true;
}

/* Axes that belong together have one size. */
static bool pair(ir_builder *b, const ir_op *op, const char *what, const ir_list *lhs, const ir_list *rhs) {
  const ir_shape *left = &op->operands[0]->type.shape, *right = &op->operands[1]->type.shape;
  if (!ir_need_list(b, op, what, rhs, lhs->count)) return false;
  for (uint32_t i = 0; i < lhs->count; i++) {
    ir_dim a = left->dims[lhs->at[i]], c = right->dims[rhs->at[i]];
    if (ir_dim_equal(a, c) != IR_NO) continue;
    kiln_str x = ir_dim_text(b->module, a), y = ir_dim_text(b->module, c);
    diag_report(b->diags, DIAG_dot_sizes, op->loc, (long long)lhs->at[i], STR_FMT(x), (long long)rhs->at[i],
                STR_FMT(y));
    return false;
  }
  return true;
}

static bool accumulates(ir_builder *b, const ir_op *op, uint32_t side) {
  const ir_dtype_info *from = ir_dtype_get(op->operands[side]->type.dtype), *to = ir_dtype_get(op->attrs->type);
  const ir_dtype_info *other = ir_dtype_get(op->operands[1 - side]->type.dtype);
  bool floats = from->class == IR_CLASS_FLOAT || other->class == IR_CLASS_FLOAT;
  bool ok = floats ? to->class == IR_CLASS_FLOAT : (to->class & T_INT) != 0;
  if (ok && (to->bits >= from->bits || to->class != from->class)) return true;
  diag_report(b->diags, DIAG_accumulator_type, op->loc, from->name, to->name);
  return false;
}

static bool append(ir_shape *to, ir_dim d) {
  if (to->rank == KILN_MAX_RANK) return false;
  to->dims[to->rank++] = d;
  return true;
}

static bool append_rest(ir_shape *to, const ir_shape *from, uint32_t taken) {
  for (uint32_t i = 0; i < from->rank; i++) {
    if (!(taken >> i & 1) && !append(to, from->dims[i])) return false;
  }
  return true;
}

bool ir_infer_dot(ir_builder *b, ir_op *op) {
  ir_attrs *attrs = op->attrs;
  if (!ir_need_count(b, op, 2) || !ir_need_tiles(b, op) || !ir_need_class(b, op, op->operands[0]->type.dtype, T_NUM) ||
      !accumulates(b, op, 0) || !ir_need_class(b, op, op->operands[1]->type.dtype, T_NUM) || !accumulates(b, op, 1))
    return false;
  const ir_shape *left = &op->operands[0]->type.shape, *right = &op->operands[1]->type.shape;
  uint32_t left_taken = 0, right_taken = 0;
  if (!take(b, op, &attrs->lhs_batch, left->rank, &left_taken) ||
      !take(b, op, &attrs->lhs_contract, left->rank, &left_taken) ||
      !take(b, op, &attrs->rhs_batch, right->rank, &right_taken) ||
      !take(b, op, &attrs->rhs_contract, right->rank, &right_taken) ||
      !pair(b, op, "rhs_batch", &attrs->lhs_batch, &attrs->rhs_batch) ||
      !pair(b, op, "rhs_contract", &attrs->lhs_contract, &attrs->rhs_contract))
    return false;
  ir_type type = {.kind = IR_TILE, .dtype = attrs->type};
  bool fits = true;
  for (uint32_t i = 0; i < attrs->lhs_batch.count; i++)
    fits = fits && append(&type.shape, left->dims[attrs->lhs_batch.at[i]]);
  fits = fits && append_rest(&type.shape, left, left_taken) && append_rest(&type.shape, right, right_taken);
  return ir_need_range(b, op, "the rank of the result", left->rank + right->rank, fits, "at most 8") &&
         ir_infer_result(b, op, type);
}
