/* What ranges decide: comparisons of integers, and the masks made of them. An index that provably stays below an
 * array's size needs no mask; that is how blocks that come out even lose theirs. */
#include "pass/fold/fold.h"

typedef enum truth { NEVER, ALWAYS, UNKNOWN } truth;

static truth known(bool always, bool never) { return always ? ALWAYS : never ? NEVER : UNKNOWN; }

static truth compare(ir_code code, pass_range a, pass_range b) {
  switch (code) {
    case IR_lt: return known(a.high < b.low, a.low >= b.high);
    case IR_le: return known(a.high <= b.low, a.low > b.high);
    case IR_gt: return compare(IR_lt, b, a);
    case IR_ge: return compare(IR_le, b, a);
    case IR_eq: return known(a.low == a.high && b.low == b.high && a.low == b.low, a.high < b.low || b.high < a.low);
    default: return UNKNOWN;
  }
}

/* A value compared with itself. */
static truth compare_same(ir_code code) { return code == IR_eq || code == IR_le || code == IR_ge ? ALWAYS : NEVER; }

ir_value *fold_comparison(ir_builder *b, const ir_op *op) {
  bool negated = op->code == IR_ne;
  ir_code code = negated ? IR_eq : op->code;
  if (code != IR_eq && code != IR_lt && code != IR_le && code != IR_gt && code != IR_ge) return NULL;
  const ir_value *x = op->operands[0], *y = op->operands[1];
  if (ir_is_float(x->type.dtype)) return NULL;
  truth t = x == y ? compare_same(code) : compare(code, pass_range_of(b->kernel, x), pass_range_of(b->kernel, y));
  if (t == UNKNOWN) return NULL;
  return ir_full(b, IR_BOOL, &op->results[0]->type.shape, (t == ALWAYS) != negated);
}

/* The operands from the mask on. */
static void drop_operands(ir_op *op, uint32_t from) {
  while (op->operand_count > from) op->operands[--op->operand_count]->uses--;
}

bool fold_mask(ir_builder *b, ir_op *op, ir_value **value) {
  *value = NULL;
  if ((op->code != IR_load && op->code != IR_store) || !op->attrs->masked) return false;
  uint32_t mask = op->operand_count - 1 - (op->attrs->other ? 1 : 0);
  uint64_t bits;
  if (!pass_splat(op->operands[mask], &bits)) return false;
  if (bits) {
    drop_operands(op, mask);
    op->attrs->masked = op->attrs->other = false;
    return true;
  }
  if (op->code == IR_store) return false; /* dropping it is the caller's */
  const ir_type *type = &op->results[0]->type;
  *value = op->attrs->other ? op->operands[mask + 1] : ir_full(b, type->dtype, &type->shape, 0);
  return true;
}
