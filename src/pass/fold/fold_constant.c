/* Constants: ops on tiles of one literal. The arithmetic is ir/eval's, so a folded value is the one the executor would
 * compute. Functions that devices may round differently (host_ulp above 0) are left alone. */
#include "ir/eval/eval.h"
#include "pass/fold/fold.h"

static ir_value *splat_like(ir_builder *b, const ir_value *result, uint64_t bits) {
  return ir_full(b, result->type.dtype, &result->type.shape, bits);
}

/* An op on the same elements everywhere. */
static ir_value *fold_splats(ir_builder *b, const ir_op *op) {
  uint64_t in[3] = {0}, bits;
  if (ir_op_get(op->code)->host_ulp > 0) return NULL;
  for (uint32_t i = 0; i < op->operand_count; i++)
    if (!pass_splat(op->operands[i], &in[i])) return NULL;
  return ir_eval_one(op, in, &bits) ? splat_like(b, op->results[0], bits) : NULL;
}

static bool has_elements(const ir_type *type) { return ir_count(type) > 0; }

/* Ops that only move elements, and reductions for which more of the same is the same. */
static ir_value *fold_moved(ir_builder *b, const ir_op *op, uint64_t bits) {
  uint64_t other;
  switch (op->code) {
    case IR_broadcast:
    case IR_reshape:
    case IR_transpose:
    case IR_reverse:
    case IR_slice:
    case IR_dynamic_slice:
    case IR_roll:
    case IR_bitcast:
      if (op->code == IR_bitcast && !pass_same_width(op)) return NULL;
      return splat_like(b, op->results[0], bits);
    case IR_reduce_max:
    case IR_reduce_min:
    case IR_reduce_and:
    case IR_reduce_or: return has_elements(&op->operands[0]->type) ? splat_like(b, op->results[0], bits) : NULL;
    case IR_cummax:
    case IR_cummin: return splat_like(b, op->results[0], bits);
    case IR_pad:
      return pass_splat(op->operands[1], &other) && other == bits ? splat_like(b, op->results[0], bits) : NULL;
    case IR_concatenate:
      for (uint32_t i = 1; i < op->operand_count; i++)
        if (!pass_splat(op->operands[i], &other) || other != bits) return NULL;
      return splat_like(b, op->results[0], bits);
    default: return NULL;
  }
}

ir_value *fold_constant(ir_builder *b, const ir_op *op) {
  uint64_t bits;
  if (op->code == IR_full) return NULL;
  if (ir_evals_one(op)) return fold_splats(b, op);
  return op->operand_count > 0 && pass_splat(op->operands[0], &bits) ? fold_moved(b, op, bits) : NULL;
}
