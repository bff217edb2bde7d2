/* Element types in registers: rounding, packing into words, conversion. Half floats are f32 values that were rounded by
 * integer arithmetic, since the least capable devices have no other way and the results are the same on all. */
#include "spirv/lower.h"

static uint32_t bits_of(ir_dtype dtype) { return ir_dtype_get(dtype)->bits; }
static bool is_float(ir_dtype dtype) { return ir_dtype_get(dtype)->class == IR_CLASS_FLOAT; }
static bool is_signed(ir_dtype dtype) { return ir_dtype_get(dtype)->class == IR_CLASS_SINT; }

spv_id spv_num_type(spv_lower *low, ir_dtype dtype) {
  spv_code *c = &low->code;
  switch (ir_dtype_get(dtype)->class) {
    case IR_CLASS_BOOL: return c->boolean;
    case IR_CLASS_FLOAT: return bits_of(dtype) == 64 ? spv_type_float(c->m, 64) : c->f32;
    default: return bits_of(dtype) == 64 ? spv_type_int(c->m, 64, false) : c->u32;
  }
}

static spv_id const_f32(spv_lower *low, float value) { return spv_const_f32(&low->module, value); }

spv_id spv_num_const(spv_lower *low, ir_dtype dtype, uint64_t bits) {
  spv_code *c = &low->code;
  if (dtype == IR_BOOL) return spv_const_bool(c->m, bits & 1);
  if (bits_of(dtype) == 64) return spv_const_bits(c->m, spv_num_type(low, dtype), 64, bits);
  if (is_float(dtype)) return const_f32(low, (float)ir_bits_to_f64(dtype, bits));
  return spv_int(c, ir_bits_to_i64(dtype, bits));
}

/* ---- rounding to the type ---- */

static spv_id wrap(spv_code *c, spv_id value, uint32_t bits, bool sign) {
  const spv_fact *fact = spv_fact_of(c, value);
  int64_t high = INT64_C(1) << (sign ? bits - 1 : bits), lowest = sign ? -high : 0;
  if (fact->low >= lowest && fact->high < high) return value;
  if (!sign) return spv_and_const(c, value, (uint32_t)high - 1);
  spv_id up = spv_op2(c, SpvOpShiftLeftLogical, c->u32, value, spv_int(c, 32 - (int64_t)bits));
  spv_id id = spv_op2(c, SpvOpShiftRightArithmetic, c->u32, up, spv_int(c, 32 - (int64_t)bits));
  spv_range(c, id, lowest, high - 1, 1);
  return id;
}

static spv_id at_least(spv_code *c, spv_id value, uint32_t limit) {
  return spv_op2(c, SpvOpUGreaterThanEqual, c->boolean, value, spv_int(c, limit));
}

/* Drops the low `bits` bits of a float's pattern, to nearest, ties to even. */
static spv_id drop_bits(spv_code *c, spv_id pattern, uint32_t bits) {
  spv_id odd = spv_op2(c, SpvOpBitwiseAnd, c->u32,
                       spv_op2(c, SpvOpShiftRightLogical, c->u32, pattern, spv_int(c, bits)), spv_int(c, 1));
  spv_id bias = spv_op2(c, SpvOpIAdd, c->u32, odd, spv_int(c, (INT64_C(1) << (bits - 1)) - 1));
  spv_id sum = spv_op2(c, SpvOpIAdd, c->u32, pattern, bias);
  return spv_op2(c, SpvOpBitwiseAnd, c->u32, sum, spv_int(c, -(INT64_C(1) << bits)));
}

/* bf16: the upper half of an f32. NaN is kept away from the carry, which could turn it into infinity. */
static spv_id round_bf16(spv_lower *low, spv_id value) {
  spv_code *c = &low->code;
  spv_id pattern = spv_bitcast(c, c->u32, value);
  spv_id rounded = spv_bitcast(c, c->f32, drop_bits(c, pattern, 16));
  spv_id nan = spv_op2(c, SpvOpFUnordNotEqual, c->boolean, value, value);
  return spv_select(c, c->f32, nan, spv_bitcast(c, c->f32, spv_int(c, 0x7fc00000)), rounded);
}

/* f16: 11 significant bits; below 2^-14 multiples of 2^-24, which is what adding and taking away 0.5 leaves; above
 * 65520 infinity. */
static spv_id round_f16(spv_lower *low, spv_id value) {
  spv_code *c = &low->code;
  spv_id pattern = spv_bitcast(c, c->u32, value);
  spv_id sign = spv_op2(c, SpvOpBitwiseAnd, c->u32, pattern, spv_int(c, 0x80000000));
  spv_id size = spv_op2(c, SpvOpBitwiseAnd, c->u32, pattern, spv_int(c, 0x7fffffff));
  spv_id normal = drop_bits(c, size, 13);
  normal = spv_select(c, c->u32, at_least(c, normal, 0x47800000), spv_int(c, 0x7f800000), normal);
  normal = spv_select(c, c->u32, spv_op2(c, SpvOpUGreaterThan, c->boolean, size, spv_int(c, 0x7f800000)),
                      spv_int(c, 0x7fc00000), normal);
  spv_id half = const_f32(low, 0.5f);
  spv_id up = spv_op2(c, SpvOpFAdd, c->f32, spv_bitcast(c, c->f32, size), half);
  spv_id small = spv_bitcast(c, c->u32, spv_op2(c, SpvOpFSub, c->f32, up, half));
  spv_id chosen = spv_select(c, c->u32, at_least(c, size, 0x38800000), normal, small);
  return spv_bitcast(c, c->f32, spv_op2(c, SpvOpBitwiseOr, c->u32, chosen, sign));
}

spv_id spv_num_round(spv_lower *low, ir_dtype dtype, spv_id value) {
  if (dtype == IR_F16) return round_f16(low, value);
  if (dtype == IR_BF16) return round_bf16(low, value);
  if (is_float(dtype) || dtype == IR_BOOL || bits_of(dtype) >= 32) return value;
  return wrap(&low->code, value, bits_of(dtype), is_signed(dtype));
}

/* ---- memory ---- */

static spv_id unpack_f16(spv_lower *low, spv_id bits) {
  spv_code *c = &low->code;
  spv_id size = spv_and_const(c, bits, 0x7fff);
  spv_id sign = spv_op2(c, SpvOpShiftLeftLogical, c->u32, spv_and_const(c, bits, 0x8000), spv_int(c, 16));
  spv_id wide = spv_op2(c, SpvOpShiftLeftLogical, c->u32, size, spv_int(c, 13));
  spv_id bias = spv_select(c, c->u32, at_least(c, size, 0x7c00), spv_int(c, 0x70000000), spv_int(c, 0x38000000));
  spv_id normal = spv_op2(c, SpvOpIAdd, c->u32, wide, bias);
  spv_id tiny = spv_op2(c, SpvOpFMul, c->f32, spv_op1(c, SpvOpConvertUToF, c->f32, size), const_f32(low, 0x1p-24f));
  spv_id chosen = spv_select(c, c->u32, at_least(c, size, 0x0400), normal, spv_bitcast(c, c->u32, tiny));
  return spv_bitcast(c, c->f32, spv_op2(c, SpvOpBitwiseOr, c->u32, chosen, sign));
}

static spv_id pack_f16(spv_lower *low, spv_id value) {
  spv_code *c = &low->code;
  spv_id pattern = spv_bitcast(c, c->u32, value);
  spv_id sign = spv_and_const(c, spv_op2(c, SpvOpShiftRightLogical, c->u32, pattern, spv_int(c, 16)), 0x8000);
  spv_id size = spv_op2(c, SpvOpBitwiseAnd, c->u32, pattern, spv_int(c, 0x7fffffff));
  spv_id moved = spv_op2(c, SpvOpISub, c->u32, size, spv_int(c, 0x38000000));
  spv_id normal = spv_op2(c, SpvOpShiftRightLogical, c->u32, moved, spv_int(c, 13));
  spv_id nan = spv_op2(c, SpvOpUGreaterThan, c->boolean, size, spv_int(c, 0x7f800000));
  spv_id special = spv_select(c, c->u32, nan, spv_int(c, 0x7e00), spv_int(c, 0x7c00));
  normal = spv_select(c, c->u32, at_least(c, size, 0x7f800000), special, normal);
  spv_id scaled = spv_op2(c, SpvOpFMul, c->f32, spv_bitcast(c, c->f32, size), const_f32(low, 0x1p24f));
  spv_id is_small = spv_op2(c, SpvOpULessThan, c->boolean, size, spv_int(c, 0x38800000));
  spv_id tame = spv_select(c, c->f32, is_small, scaled, const_f32(low, 0)); /* in the range of the conversion */
  spv_id tiny = spv_op1(c, SpvOpConvertFToU, c->u32, tame);
  return spv_op2(c, SpvOpBitwiseOr, c->u32, spv_select(c, c->u32, is_small, tiny, normal), sign);
}

spv_id spv_num_unpack(spv_lower *low, ir_dtype dtype, spv_id bits) {
  spv_code *c = &low->code;
  switch (dtype) {
    case IR_BOOL: return spv_op2(c, SpvOpINotEqual, c->boolean, bits, spv_int(c, 0));
    case IR_F16: return unpack_f16(low, bits);
    case IR_BF16: return spv_bitcast(c, c->f32, spv_op2(c, SpvOpShiftLeftLogical, c->u32, bits, spv_int(c, 16)));
    case IR_F32: return spv_bitcast(c, c->f32, bits);
    default: return is_signed(dtype) && bits_of(dtype) < 32 ? wrap(c, bits, bits_of(dtype), true) : bits;
  }
}

spv_id spv_num_pack(spv_lower *low, ir_dtype dtype, spv_id value) {
  spv_code *c = &low->code;
  switch (dtype) {
    case IR_BOOL: return spv_select(c, c->u32, value, spv_int(c, 1), spv_int(c, 0));
    case IR_F16: return pack_f16(low, value);
    case IR_BF16: return spv_op2(c, SpvOpShiftRightLogical, c->u32, spv_bitcast(c, c->u32, value), spv_int(c, 16));
    case IR_F32: return spv_bitcast(c, c->u32, value);
    default: return bits_of(dtype) < 32 ? spv_and_const(c, value, (1u << bits_of(dtype)) - 1) : value;
  }
}

spv_id spv_num_join(spv_lower *low, ir_dtype dtype, spv_id low_word, spv_id high_word) {
  spv_code *c = &low->code;
  spv_id pair = spv_op2(c, SpvOpCompositeConstruct, spv_type_vector(c->m, c->u32, 2), low_word, high_word);
  return spv_bitcast(c, spv_num_type(low, dtype), pair);
}

void spv_num_halves(spv_lower *low, spv_id value, spv_id *low_word, spv_id *high_word) {
  spv_code *c = &low->code;
  spv_id pair = spv_bitcast(c, spv_type_vector(c->m, c->u32, 2), value);
  *low_word = spv_extract(c, c->u32, pair, 0);
  *high_word = spv_extract(c, c->u32, pair, 1);
}

/* ---- conversion ---- */

static spv_id to_bool(spv_lower *low, ir_dtype from, spv_id value) {
  spv_code *c = &low->code;
  spv_id zero = spv_num_const(low, from, 0);
  return spv_op2(c, is_float(from) ? SpvOpFUnordNotEqual : SpvOpINotEqual, c->boolean, value, zero);
}

static spv_id from_bool(spv_lower *low, ir_dtype to, spv_id value) {
  spv_id one = spv_num_const(low, to, ir_bits_from_i64(to, 1)), zero = spv_num_const(low, to, 0);
  return spv_select(&low->code, spv_num_type(low, to), value, one, zero);
}

static spv_id int_to_float(spv_lower *low, ir_dtype from, ir_dtype to, spv_id value) {
  SpvOp op = is_signed(from) ? SpvOpConvertSToF : SpvOpConvertUToF;
  return spv_num_round(low, to, spv_op1(&low->code, op, spv_num_type(low, to), value));
}

static spv_id float_const(spv_lower *low, bool wide, double value) {
  return wide ? spv_num_const(low, IR_F64, ir_bits_from_f64(IR_F64, value)) : const_f32(low, (float)value);
}

/* Truncates and saturates; NaN gives 0. Only values in range reach the conversion. */
static spv_id float_to_int(spv_lower *low, ir_dtype from, ir_dtype to, spv_id value) {
  spv_code *c = &low->code;
  bool wide = bits_of(from) == 64, sign = is_signed(to);
  uint32_t bits = bits_of(to);
  double top = (double)(UINT64_C(1) << (bits - 1)) * (sign ? 1 : 2), bottom = sign ? -top : -1;
  spv_id type = spv_num_type(low, to);
  SpvOp above_bottom = sign ? SpvOpFOrdGreaterThanEqual : SpvOpFOrdGreaterThan;
  spv_id over = spv_op2(c, SpvOpFOrdGreaterThanEqual, c->boolean, value, float_const(low, wide, top));
  spv_id not_under = spv_op2(c, above_bottom, c->boolean, value, float_const(low, wide, bottom));
  spv_id fine = spv_op2(c, SpvOpLogicalAnd, c->boolean, not_under, spv_op1(c, SpvOpLogicalNot, c->boolean, over));
  spv_id tame = spv_select(c, spv_num_type(low, from), fine, value, float_const(low, wide, 0));
  spv_id whole = spv_op1(c, sign ? SpvOpConvertFToS : SpvOpConvertFToU, type, tame);
  spv_id nan = spv_op2(c, SpvOpFUnordNotEqual, c->boolean, value, value);
  uint64_t ones = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1, half = UINT64_C(1) << (bits - 1);
  spv_id most = spv_num_const(low, to, sign ? half - 1 : ones), least = spv_num_const(low, to, sign ? half & ones : 0);
  spv_id limit = spv_select(c, type, over, most, spv_select(c, type, nan, spv_num_const(low, to, 0), least));
  return spv_select(c, type, fine, whole, limit);
}

static spv_id int_to_int(spv_lower *low, ir_dtype from, ir_dtype to, spv_id value) {
  spv_code *c = &low->code;
  bool wide_from = bits_of(from) == 64, wide_to = bits_of(to) == 64;
  if (wide_from != wide_to)
    value = spv_op1(c, is_signed(from) ? SpvOpSConvert : SpvOpUConvert, spv_num_type(low, to), value);
  return spv_num_round(low, to, value);
}

spv_id spv_num_convert(spv_lower *low, ir_dtype from, ir_dtype to, spv_id value) {
  if (from == to) return value;
  if (to == IR_BOOL) return to_bool(low, from, value);
  if (from == IR_BOOL) return from_bool(low, to, value);
  if (!is_float(from)) return is_float(to) ? int_to_float(low, from, to, value) : int_to_int(low, from, to, value);
  if (!is_float(to)) return float_to_int(low, from, to, value);
  bool wide_from = bits_of(from) == 64, wide_to = bits_of(to) == 64;
  if (wide_from != wide_to) value = spv_op1(&low->code, SpvOpFConvert, spv_num_type(low, to), value);
  return to == IR_F32 || wide_to ? value : spv_num_round(low, to, value);
}

spv_id spv_num_bitcast(spv_lower *low, ir_dtype from, ir_dtype to, spv_id value) {
  if (bits_of(from) == 64)
    return from == to || is_float(from) == is_float(to) ? value : spv_bitcast(&low->code, spv_num_type(low, to), value);
  return spv_num_unpack(low, to, spv_num_pack(low, from, value));
}
