/* Types of what the units of a machine tell one another. */
#include "ir/infer.h"

static const char *const kind_words[] = {"a tile", "a ref", "a barrier", "a semaphore"};

/* Operand `i` is of that kind. */
static bool need_kind(ir_builder *b, const ir_op *op, uint32_t i, ir_kind kind) {
  if (op->operand_count > i && op->operands[i]->type.kind == kind) return true;
  const char *found = op->operand_count > i ? kind_words[op->operands[i]->type.kind] : "nothing";
  return diag_report(b->diags, DIAG_expected_kind, op->loc, ir_op_label(op), kind_words[kind], found), false;
}

/* .. and one of them, not an array. */
static bool need_one(ir_builder *b, const ir_op *op, uint32_t i, ir_kind kind) {
  if (!need_kind(b, op, i, kind)) return false;
  const ir_type *type = &op->operands[i]->type;
  for (uint32_t d = 0; d < type->shape.rank; d++) {
    if (!ir_dim_known(type->shape.dims[d]) || type->shape.dims[d]->value == 1) continue;
    kiln_str found = ir_type_text(b->module, type);
    return diag_report(b->diags, DIAG_one_element, op->loc, ir_op_label(op), STR_FMT(found)), false;
  }
  return true;
}

static bool need_scalar(ir_builder *b, const ir_op *op, uint32_t i, ir_dtype dtype, const char *what) {
  ir_type expected = ir_tile_type(dtype, NULL);
  return ir_need_type(b, op, what, &op->operands[i]->type, &expected);
}

static bool infer_wait(ir_builder *b, ir_op *op) {
  bool semaphore = op->operand_count > 0 && op->operands[0]->type.kind == IR_SEMAPHORE;
  if (!need_one(b, op, 0, semaphore ? IR_SEMAPHORE : IR_BARRIER) || !ir_need_count(b, op, semaphore ? 2 : 1))
    return false;
  return !semaphore || need_scalar(b, op, 1, IR_I32, "the amount");
}

static bool infer_signal(ir_builder *b, ir_op *op) {
  bool remote = op->operand_count == 3;
  return need_one(b, op, 0, IR_SEMAPHORE) && ir_need_count(b, op, remote ? 3 : 2) &&
         need_scalar(b, op, 1, IR_I32, "the amount") && (!remote || need_scalar(b, op, 2, IR_I32, "the device"));
}

/* The split copy of a cluster hands each block a part: of its source, one dimension is so many times larger. */
static bool infer_copy(ir_builder *b, ir_op *op) {
  const ir_attrs *a = op->attrs;
  uint32_t next = 2u + a->arrives + a->guarded;
  if (!ir_need_count(b, op, next) || !need_kind(b, op, 0, IR_REF) || !need_kind(b, op, 1, IR_REF) ||
      !ir_need_same_dtype(b, op, 0, 1))
    return false;
  const ir_shape *from = &op->operands[0]->type.shape, *to = &op->operands[1]->type.shape;
  if (a->way != IR_WAY_SPLIT && !ir_need_shape(b, op, "the source", from, "the destination", to)) return false;
  if (a->arrives && !need_one(b, op, 2, IR_BARRIER)) return false;
  return !a->guarded || need_scalar(b, op, next - 1, IR_BOOL, "the condition");
}

/* sum[m, n] += left[m, k] right[k, n] */
static bool infer_mma(ir_builder *b, ir_op *op) {
  const ir_attrs *a = op->attrs;
  uint32_t next = 3;
  if (!ir_need_count(b, op, 3u + a->accumulates + a->arrives) || !need_kind(b, op, 0, IR_REF) ||
      !need_kind(b, op, 2, IR_REF))
    return false;
  const ir_type *sum = &op->operands[0]->type, *left = &op->operands[1]->type, *right = &op->operands[2]->type;
  ir_shape expected = sum->shape;
  if (left->kind > IR_REF) return need_kind(b, op, 1, IR_REF);
  if (sum->shape.rank != 2 || left->shape.rank != 2 || right->shape.rank != 2)
    return diag_report(b->diags, DIAG_mma_rank, op->loc, (long long)sum->shape.rank, (long long)left->shape.rank,
                       (long long)right->shape.rank),
           false;
  expected.dims[1] = right->shape.dims[0];
  if (!ir_need_shape(b, op, "the left operand", &left->shape, "the sum and the right operand ask for", &expected))
    return false;
  expected = right->shape;
  expected.dims[1] = sum->shape.dims[1];
  if (!a->across && !ir_need_shape(b, op, "the right operand", &right->shape, "the sum asks for", &expected))
    return false;
  if (a->accumulates && !need_scalar(b, op, next++, IR_BOOL, "the condition")) return false;
  return !a->arrives || need_one(b, op, next, IR_BARRIER);
}

static bool infer_commit(ir_builder *b, ir_op *op) {
  bool arrives = op->attrs->what == IR_WHAT_MMA;
  if (op->attrs->what == IR_WHAT_LOADS || op->attrs->arrives != arrives)
    return diag_report(b->diags, DIAG_bad_commit, op->loc), false;
  return ir_need_count(b, op, arrives) && (!arrives || need_one(b, op, 0, IR_BARRIER));
}

static bool infer_await(ir_builder *b, ir_op *op) {
  bool counts = op->attrs->what != IR_WHAT_TMEM;
  if (op->attrs->what == IR_WHAT_SMEM) return diag_report(b->diags, DIAG_bad_await, op->loc), false;
  return ir_need_count(b, op, counts) && (!counts || need_scalar(b, op, 0, IR_I32, "how many may be left"));
}

static bool infer_peer(ir_builder *b, ir_op *op) {
  const uint32_t rank = ir_team_rank(b->kernel, IR_TEAM_CLUSTER);
  if (!ir_need_count(b, op, 1 + rank)) return false;
  if (op->operands[0]->type.kind == IR_TILE) return need_kind(b, op, 0, IR_REF);
  for (uint32_t i = 1; i <= rank; i++)
    if (!need_scalar(b, op, i, IR_I32, "a coordinate")) return false;
  return ir_infer_result(b, op, op->operands[0]->type);
}

bool ir_infer_sync(ir_builder *b, ir_op *op) {
  switch (op->code) {
    case IR_peer: return infer_peer(b, op);
    case IR_arrive: return ir_need_count(b, op, 1) && need_one(b, op, 0, IR_BARRIER);
    case IR_wait: return infer_wait(b, op);
    case IR_test:
      return ir_need_count(b, op, 1) && need_one(b, op, 0, IR_BARRIER) &&
             ir_infer_result(b, op, ir_tile_type(IR_BOOL, NULL));
    case IR_signal: return infer_signal(b, op);
    case IR_count:
      return ir_need_count(b, op, 1) && need_one(b, op, 0, IR_SEMAPHORE) &&
             ir_infer_result(b, op, ir_tile_type(IR_I32, NULL));
    case IR_copy: return infer_copy(b, op);
    case IR_mma: return infer_mma(b, op);
    case IR_commit: return infer_commit(b, op);
    default: return infer_await(b, op);
  }
}
