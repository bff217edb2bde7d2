/* Identities that hold for every value, NaN, infinities and the sign of zero included. x + 0.0 is not one (-0 + 0 is
 * 0), x - 0.0 is; x * 0 is one for integers only. */
#include "pass/fold/fold.h"

static bool is_splat(const ir_value *v, uint64_t bits) {
  uint64_t found;
  return pass_splat(v, &found) && found == bits;
}

static bool is_number(const ir_value *v, double number) {
  return is_splat(v, ir_is_float(v->type.dtype) ? ir_bits_from_f64(v->type.dtype, number)
                                                : ir_bits_from_i64(v->type.dtype, (int64_t)number));
}

/* Zero for the op's purpose: -0.0 in a float sum, +0.0 in a float difference. */
static bool is_zero_of(ir_code code, const ir_value *v) {
  return is_number(v, ir_is_float(v->type.dtype) && code == IR_add ? -0.0 : 0.0);
}

static ir_value *zeros(ir_builder *b, const ir_value *like) {
  return ir_full(b, like->type.dtype, &like->type.shape, 0);
}

/* (x + c) + d for wrapping integers, and the same for products: one constant instead of two. */
static ir_value *gather_constants(ir_builder *b, const ir_op *op) {
  const ir_value *inner = op->operands[0];
  uint64_t bits;
  if (ir_is_float(inner->type.dtype) || !inner->def || inner->def->code != op->code) return NULL;
  if (!pass_splat(op->operands[1], &bits) || !pass_splat(inner->def->operands[1], &bits)) return NULL;
  return ir_map2(b, op->code, inner->def->operands[0], ir_map2(b, op->code, inner->def->operands[1], op->operands[1]));
}

/* A constant stands on the right of what commutes, so that rules need look there only. */
static ir_value *constant_to_the_right(ir_builder *b, const ir_op *op) {
  uint64_t left, right;
  if (!pass_splat(op->operands[0], &left) || pass_splat(op->operands[1], &right)) return NULL;
  return ir_map2(b, op->code, op->operands[1], op->operands[0]);
}

static ir_value *of_sum(ir_builder *b, const ir_op *op) {
  ir_value *x = op->operands[0], *y = op->operands[1];
  if (is_zero_of(op->code, y)) return x;
  if (op->code == IR_sub) return x == y && !ir_is_float(x->type.dtype) ? zeros(b, x) : NULL;
  ir_value *moved = constant_to_the_right(b, op);
  return moved ? moved : gather_constants(b, op);
}

static ir_value *of_product(ir_builder *b, const ir_op *op) {
  ir_value *x = op->operands[0], *y = op->operands[1];
  if (is_number(y, 1)) return x;
  if (op->code == IR_div) return NULL;
  if (!ir_is_float(y->type.dtype) && is_number(y, 0)) return y;
  ir_value *moved = constant_to_the_right(b, op);
  return moved ? moved : gather_constants(b, op);
}

static ir_value *of_bits(ir_builder *b, const ir_op *op) {
  ir_value *x = op->operands[0], *y = op->operands[1];
  ir_value *moved = constant_to_the_right(b, op);
  if (moved) return moved;
  bool none = is_splat(y, 0);
  bool all = is_splat(y, y->type.dtype == IR_BOOL ? 1 : ir_bits_from_i64(y->type.dtype, -1));
  if (op->code == IR_xor) return none ? x : x == y ? zeros(b, x) : NULL;
  if (x == y) return x;
  if (op->code == IR_and) return none ? y : all ? x : NULL;
  return none ? x : all ? y : NULL;
}

static ir_value *of_twice(const ir_op *op) {
  const ir_op *inner = op->operands[0]->def;
  return inner && inner->code == op->code ? inner->operands[0] : NULL;
}

static ir_value *of_select(const ir_op *op) {
  uint64_t condition;
  if (op->operands[1] == op->operands[2]) return op->operands[1];
  if (!pass_splat(op->operands[0], &condition)) return NULL;
  return op->operands[condition ? 1 : 2];
}

/* ---- ops on shapes ---- */

static bool same_shape(const ir_type *a, const ir_type *b) {
  if (a->shape.rank != b->shape.rank) return false;
  for (uint32_t axis = 0; axis < a->shape.rank; axis++)
    if (ir_extent(a, axis) != ir_extent(b, axis)) return false;
  return true;
}

static ir_value *of_reshape(ir_builder *b, const ir_op *op) {
  ir_value *x = op->operands[0];
  if (same_shape(&x->type, &op->results[0]->type)) return x;
  if (!x->def || x->def->code != IR_reshape) return NULL;
  return ir_make1(b, IR_reshape, x->def->operands, 1, op->attrs);
}

static bool in_order(const ir_list *axes) {
  for (uint32_t i = 0; i < axes->count; i++)
    if (axes->at[i] != i) return false;
  return true;
}

static ir_value *of_broadcast(const ir_op *op) {
  ir_value *x = op->operands[0];
  return same_shape(&x->type, &op->results[0]->type) && in_order(&op->attrs->axes) ? x : NULL;
}

static ir_value *of_transpose(ir_builder *b, const ir_op *op) {
  ir_value *x = op->operands[0];
  if (in_order(&op->attrs->axes)) return x;
  if (!x->def || x->def->code != IR_transpose) return NULL;
  ir_attrs attrs = {.axes = {.count = op->attrs->axes.count}};
  for (uint32_t i = 0; i < attrs.axes.count; i++) attrs.axes.at[i] = x->def->attrs->axes.at[op->attrs->axes.at[i]];
  return ir_make1(b, IR_transpose, x->def->operands, 1, &attrs);
}

static ir_value *of_reverse(const ir_op *op) {
  const ir_op *inner = op->operands[0]->def;
  if (op->attrs->axes.count == 0) return op->operands[0];
  if (!inner || inner->code != IR_reverse || inner->attrs->axes.count != op->attrs->axes.count) return NULL;
  for (uint32_t i = 0; i < op->attrs->axes.count; i++)
    if (inner->attrs->axes.at[i] != op->attrs->axes.at[i]) return NULL;
  return inner->operands[0];
}

/* Same shape means same elements: a slice cannot start elsewhere, and strides need room. */
static ir_value *of_slice(const ir_op *op) {
  return same_shape(&op->operands[0]->type, &op->results[0]->type) ? op->operands[0] : NULL;
}

/* Starts that are known, once sizes are: a slice from there, moved inside as the op says. */
static ir_value *of_dynamic_slice(ir_builder *b, const ir_op *op) {
  const ir_type *whole = &op->operands[0]->type;
  const uint32_t rank = whole->shape.rank;
  ir_attrs attrs = {.start = {.count = rank}, .size = {.count = rank}, .stride = {.count = rank}};
  for (uint32_t i = 0; i < rank; i++) {
    int64_t start, size = ir_extent(&op->results[0]->type, i), last = ir_extent(whole, i) - size;
    if (!pass_integer(op->operands[1 + i], &start)) return NULL;
    attrs.start.at[i] = start < 0 ? 0 : start > last ? last : start;
    attrs.size.at[i] = size;
    attrs.stride.at[i] = 1;
  }
  return ir_make1(b, IR_slice, op->operands, 1, &attrs);
}

static ir_value *of_convert(const ir_op *op) {
  return op->operands[0]->type.dtype == op->results[0]->type.dtype ? op->operands[0] : NULL;
}

ir_value *fold_identity(ir_builder *b, const ir_op *op) {
  switch (op->code) {
    case IR_add:
    case IR_sub: return of_sum(b, op);
    case IR_mul:
    case IR_div: return of_product(b, op);
    case IR_and:
    case IR_or:
    case IR_xor: return of_bits(b, op);
    case IR_shl:
    case IR_shr:
    case IR_shr_logical: return is_splat(op->operands[1], 0) ? op->operands[0] : NULL;
    case IR_max:
    case IR_min: return op->operands[0] == op->operands[1] ? op->operands[0] : NULL;
    case IR_neg:
    case IR_not: return of_twice(op);
    case IR_select: return of_select(op);
    case IR_convert:
    case IR_bitcast: return of_convert(op);
    case IR_broadcast: return of_broadcast(op);
    case IR_reshape: return of_reshape(b, op);
    case IR_transpose: return of_transpose(b, op);
    case IR_reverse: return of_reverse(op);
    case IR_slice: return of_slice(op);
    case IR_dynamic_slice: return of_dynamic_slice(b, op);
    case IR_concatenate: return op->operand_count == 1 ? op->operands[0] : NULL;
    default: return NULL;
  }
}
