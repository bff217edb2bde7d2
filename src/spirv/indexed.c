/* Elements at computed places, and bit casts between widths: virtual, as all ops that only move elements. */
#include "spirv/lower.h"

spv_id spv_clamp_to(spv_lower *low, spv_id at, int64_t extent) {
  spv_code *c = &low->code;
  return spv_max(c, spv_min(c, at, spv_int(c, extent - 1)), spv_int(c, 0));
}

/* The start of a window of `size` in `extent`, moved so that all of it is inside. */
static spv_id start_of(spv_lower *low, const ir_value *start, int64_t extent, int64_t size) {
  return spv_clamp_to(low, spv_eval_scalar(low, start), extent - size + 1);
}

spv_id spv_eval_dynamic_slice(spv_lower *low, const ir_op *op, const spv_point *at) {
  spv_point inner = {.rank = at->rank};
  for (uint32_t axis = 0; axis < at->rank; axis++) {
    int64_t extent = ir_extent(&op->operands[0]->type, axis), size = ir_extent(&op->results[0]->type, axis);
    inner.at[axis] = spv_add(&low->code, at->at[axis], start_of(low, op->operands[1 + axis], extent, size));
  }
  return spv_eval(low, op->operands[0], &inner);
}

spv_id spv_eval_update(spv_lower *low, const ir_op *op, const spv_point *at) {
  spv_code *c = &low->code;
  spv_point inner = {.rank = at->rank};
  spv_id inside = 0, whole = spv_eval(low, op->operands[0], at);
  for (uint32_t axis = 0; axis < at->rank; axis++) {
    int64_t extent = ir_extent(&op->operands[0]->type, axis), size = ir_extent(&op->operands[1]->type, axis);
    if (size == 0) return whole;
    spv_id moved = spv_sub(c, at->at[axis], start_of(low, op->operands[2 + axis], extent, size));
    inside = spv_both(c, inside, spv_inside(low, moved, size));
    inner.at[axis] = spv_clamp_to(low, moved, size);
  }
  spv_id part = spv_eval(low, op->operands[1], &inner);
  return spv_select(c, spv_num_type(low, op->results[0]->type.dtype), inside, part, whole);
}

spv_id spv_eval_take(spv_lower *low, const ir_op *op, const spv_point *at) {
  spv_point inner = {.rank = op->operand_count - 1};
  for (uint32_t axis = 0; axis < inner.rank; axis++) {
    int64_t extent = ir_extent(&op->operands[0]->type, axis);
    if (extent == 0) return spv_num_const(low, op->results[0]->type.dtype, 0);
    inner.at[axis] = spv_clamp_to(low, spv_eval(low, op->operands[1 + axis], at), extent);
  }
  return spv_eval(low, op->operands[0], &inner);
}

/* ---- bit casts ---- */

typedef struct words {
  spv_id low, high; /* high: 64-bit types only */
} words;

static words words_of(spv_lower *low, ir_dtype dtype, spv_id value) {
  words w = {0};
  if (ir_dtype_get(dtype)->bits == 64)
    spv_num_halves(low, value, &w.low, &w.high);
  else
    w.low = spv_num_pack(low, dtype, value);
  return w;
}

static spv_id number_of(spv_lower *low, ir_dtype dtype, words w) {
  return w.high ? spv_num_join(low, dtype, w.low, w.high) : spv_num_unpack(low, dtype, w.low);
}

/* Part number at[rank - 1] of a wider element. */
static spv_id cast_narrower(spv_lower *low, const ir_op *op, const spv_point *at) {
  spv_code *c = &low->code;
  const ir_dtype from = op->operands[0]->type.dtype, to = op->results[0]->type.dtype;
  const uint32_t bits = ir_dtype_get(to)->bits;
  spv_point inner = *at;
  spv_id part = at->at[--inner.rank];
  words w = words_of(low, from, spv_eval(low, op->operands[0], &inner));
  if (w.high) {
    spv_id upper = spv_op2(c, SpvOpUGreaterThanEqual, c->boolean, part, spv_int(c, 32 / bits));
    w.low = spv_select(c, c->u32, upper, w.high, w.low);
    part = spv_mod_const(c, part, 32 / bits);
  }
  if (bits == 32) return spv_num_unpack(low, to, w.low);
  spv_id moved = spv_op2(c, SpvOpShiftRightLogical, c->u32, w.low, spv_mul(c, part, spv_int(c, bits)));
  return spv_num_unpack(low, to, spv_and_const(c, moved, (1u << bits) - 1));
}

/* All the parts that the operand's last axis holds, the lowest first. */
static spv_id cast_wider(spv_lower *low, const ir_op *op, const spv_point *at) {
  spv_code *c = &low->code;
  const ir_dtype from = op->operands[0]->type.dtype, to = op->results[0]->type.dtype;
  const uint32_t bits = ir_dtype_get(from)->bits, count = ir_dtype_get(to)->bits / bits, per_word = 32 / bits;
  spv_point inner = *at;
  spv_id halves[2] = {0};
  inner.rank++;
  for (uint32_t k = 0; k < count; k++) {
    inner.at[at->rank] = spv_int(c, k);
    spv_id part = words_of(low, from, spv_eval(low, op->operands[0], &inner)).low;
    spv_id moved = spv_op2(c, SpvOpShiftLeftLogical, c->u32, part, spv_int(c, (int64_t)(k % per_word) * bits));
    spv_id *word = &halves[k / per_word];
    *word = *word ? spv_op2(c, SpvOpBitwiseOr, c->u32, *word, moved) : moved;
  }
  return number_of(low, to, (words){halves[0], halves[1]});
}

spv_id spv_eval_bitcast(spv_lower *low, const ir_op *op, const spv_point *at) {
  const ir_dtype from = op->operands[0]->type.dtype, to = op->results[0]->type.dtype;
  uint32_t from_bits = ir_dtype_get(from)->bits, to_bits = ir_dtype_get(to)->bits;
  if (from_bits > to_bits) return cast_narrower(low, op, at);
  if (from_bits < to_bits) return cast_wider(low, op, at);
  return spv_num_bitcast(low, from, to, spv_eval(low, op->operands[0], at));
}
