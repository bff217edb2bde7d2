/* Types of what the units of a machine tell one another. */
#include "ir/infer/infer.h"

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

/* Factors of a matrix's rows (of its columns, for the right one): [rows, k / so many]. */
static bool need_scales(ir_builder *b, const ir_op *op, uint32_t i, const char *what, ir_dim rows, ir_dim k) {
  if (!need_kind(b, op, i, IR_REF)) return false;
  const ir_type *scales = &op->operands[i]->type;
  ir_shape expected = {.rank = 2, .dims = {rows, scales->shape.rank == 2 ? scales->shape.dims[1] : k}};
  if (!ir_need_class(b, op, scales->dtype, T_FLOAT) ||
      !ir_need_shape(b, op, what, &scales->shape, "its factor asks for", &expected))
    return false;
  const ir_dim each = expected.dims[1];
  const bool whole = !ir_dim_known(each) || !ir_dim_known(k) || (each->value > 0 && k->value % each->value == 0);
  return ir_need_range(b, op, "the scales of a row", ir_dim_known(each) ? each->value : 0, whole, "a divisor of k");
}

/* What factors become before they are multiplied: f32, or words. */
static bool need_words(ir_builder *b, const ir_op *op) {
  const ir_dtype sum = op->operands[0]->type.dtype, wide = ir_dtype_wide(sum);
  const bool fits = wide == IR_F32 || (wide == IR_I32 && !op->attrs->scaled);
  return ir_need_range(b, op, "the bits of the sum", ir_dtype_get(sum)->bits, fits,
                       op->attrs->scaled ? "those of a float up to f32" : "at most 32");
}

static bool need_scaled(ir_builder *b, const ir_op *op, uint32_t next) {
  const ir_shape *left = &op->operands[1]->type.shape, *right = &op->operands[2]->type.shape;
  const ir_dim columns = op->operands[0]->type.shape.dims[1]; /* of all blocks */
  return need_words(b, op) && need_scales(b, op, next, "the left scales", left->dims[0], right->dims[0]) &&
         need_scales(b, op, next + 1, "the right scales", columns, right->dims[0]);
}

/* Of four elements in a row two are there, and for each it is said which one it is. */
static bool need_sparse(ir_builder *b, const ir_op *op, uint32_t at) {
  const ir_dim k = op->operands[2]->type.shape.dims[0];
  if (!need_kind(b, op, at, IR_REF)) return false;
  const ir_type *which = &op->operands[at]->type;
  return need_words(b, op) && ir_need_class(b, op, which->dtype, T_UINT) &&
         ir_need_shape(b, op, "what says which", &which->shape, "the left operand has", &op->operands[1]->type.shape) &&
         ir_need_range(b, op, "k of a sparse product", ir_dim_known(k) ? k->value : 0,
                       !ir_dim_known(k) || k->value % 4 == 0, "a multiple of 4");
}

static bool need_matrices(ir_builder *b, const ir_op *op) {
  const ir_shape *sum = &op->operands[0]->type.shape, *left = &op->operands[1]->type.shape;
  const ir_shape *right = &op->operands[2]->type.shape;
  ir_shape expected = *sum;
  if (sum->rank != 2 || left->rank != 2 || right->rank != 2)
    return diag_report(b->diags, DIAG_mma_rank, op->loc, (long long)sum->rank, (long long)left->rank,
                       (long long)right->rank),
           false;
  expected.dims[1] = right->dims[0];
  if (op->attrs->sparse)
    expected.dims[1] = ir_dim_make(b->module, IR_DIM_DIV, right->dims[0], ir_dim_const(b->module, 2));
  if (!ir_need_shape(b, op, "the left operand", left, "the sum and the right operand ask for", &expected)) return false;
  expected = *right;
  expected.dims[1] = sum->dims[1];
  return op->attrs->across || ir_need_shape(b, op, "the right operand", right, "the sum asks for", &expected);
}

/* sum[m, n] += left[m, k] right[k, n] */
static bool infer_mma(ir_builder *b, ir_op *op) {
  const ir_attrs *a = op->attrs;
  uint32_t next = 3;
  if (!ir_need_count(b, op, 3u + a->accumulates + a->arrives + 2u * a->scaled + a->sparse) ||
      !need_kind(b, op, 0, IR_REF) || !need_kind(b, op, 2, IR_REF))
    return false;
  if (op->operands[1]->type.kind > IR_REF) return need_kind(b, op, 1, IR_REF);
  if (!need_matrices(b, op)) return false;
  if (a->accumulates && !need_scalar(b, op, next++, IR_BOOL, "the condition")) return false;
  if (a->arrives && !need_one(b, op, next++, IR_BARRIER)) return false;
  if (a->scaled && !need_scaled(b, op, next)) return false;
  return !a->sparse || need_sparse(b, op, next + 2u * a->scaled);
}

static bool infer_commit(ir_builder *b, ir_op *op) {
  bool arrives = op->attrs->what == IR_WHAT_MMA;
  if (op->attrs->what == IR_WHAT_LOADS || op->attrs->arrives != arrives)
    return diag_report(b->diags, DIAG_bad_commit, op->loc), false;
  return ir_need_count(b, op, arrives) && (!arrives || need_one(b, op, 0, IR_BARRIER));
}

static bool infer_claim(ir_builder *b, ir_op *op) {
  if (!ir_need_count(b, op, 2) || !need_kind(b, op, 0, IR_REF) || !need_one(b, op, 1, IR_BARRIER)) return false;
  ir_type numbers = op->operands[0]->type;
  numbers.dtype = IR_I32;
  return ir_need_type(b, op, "the answer", &op->operands[0]->type, &numbers);
}

static bool infer_await(ir_builder *b, ir_op *op) {
  bool counts = op->attrs->what != IR_WHAT_TMEM;
  if (op->attrs->what == IR_WHAT_SMEM) return diag_report(b->diags, DIAG_bad_await, op->loc), false;
  return ir_need_count(b, op, counts) && (!counts || need_scalar(b, op, 0, IR_I32, "how many may be left"));
}

static bool infer_peer(ir_builder *b, ir_op *op) {
  const uint32_t rank = ir_team_axes_of(b->kernel, IR_TEAM_CLUSTER).count;
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
    case IR_claim: return infer_claim(b, op);
    default: return infer_await(b, op);
  }
}
