/* Element types in registers: wrapping, packing into words, conversion. What is particular to floats narrower than f32
 * is in narrow.c. */
#include "spirv/lower.h"

static uint32_t bits_of(ir_dtype dtype) { return ir_dtype_get(dtype)->bits; }
static bool is_narrow(ir_dtype dtype) { return ir_is_float(dtype) && bits_of(dtype) < 32; }
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
  if (ir_is_float(dtype)) return const_f32(low, (float)ir_bits_to_f64(dtype, bits));
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

spv_id spv_num_round(spv_lower *low, ir_dtype dtype, spv_id value) {
  if (is_narrow(dtype)) return spv_narrow_round(low, dtype, value);
  if (ir_is_float(dtype) || dtype == IR_BOOL || bits_of(dtype) >= 32) return value;
  return wrap(&low->code, value, bits_of(dtype), is_signed(dtype));
}

/* ---- memory ---- */

spv_id spv_num_unpack(spv_lower *low, ir_dtype dtype, spv_id bits) {
  spv_code *c = &low->code;
  if (dtype == IR_BOOL) return spv_op2(c, SpvOpINotEqual, c->boolean, bits, spv_int(c, 0));
  if (dtype == IR_F32) return spv_bitcast(c, c->f32, bits);
  if (is_narrow(dtype)) return spv_narrow_unpack(low, dtype, bits);
  bool whole = bits_of(dtype) == 32 || (!is_signed(dtype) && bits_of(dtype) >= 8);
  return whole ? bits : wrap(c, bits, bits_of(dtype), is_signed(dtype));
}

spv_id spv_num_pack(spv_lower *low, ir_dtype dtype, spv_id value) {
  spv_code *c = &low->code;
  if (dtype == IR_BOOL) return spv_select(c, c->u32, value, spv_int(c, 1), spv_int(c, 0));
  if (dtype == IR_F32) return spv_bitcast(c, c->u32, value);
  if (is_narrow(dtype)) return spv_narrow_pack(low, dtype, value);
  return bits_of(dtype) < 32 ? spv_and_const(c, value, (1u << bits_of(dtype)) - 1) : value;
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
  if (is_narrow(from)) { /* by its bits: some of them are subnormal as an f32, which devices may take for zero */
    spv_id size = spv_op2(c, SpvOpShiftLeftLogical, c->u32, spv_bitcast(c, c->u32, value), spv_int(c, 1));
    return spv_op2(c, SpvOpINotEqual, c->boolean, size, spv_int(c, 0));
  }
  spv_id zero = spv_num_const(low, from, 0);
  return spv_op2(c, ir_is_float(from) ? SpvOpFUnordNotEqual : SpvOpINotEqual, c->boolean, value, zero);
}

static spv_id from_bool(spv_lower *low, ir_dtype to, spv_id value) {
  spv_id one = spv_num_const(low, to, ir_bits_from_i64(to, 1)), zero = spv_num_const(low, to, ir_bits_from_i64(to, 0));
  return spv_select(&low->code, spv_num_type(low, to), value, one, zero);
}

/* A word that may have its top bit set, by halves that are exact: SwiftShader rounds such a word twice. */
static spv_id word_to_f32(spv_lower *low, spv_id word) {
  spv_code *c = &low->code;
  spv_id top = spv_op1(c, SpvOpConvertUToF, c->f32, spv_shr_const(c, word, 16));
  spv_id rest = spv_op1(c, SpvOpConvertUToF, c->f32, spv_and_const(c, word, 0xffff));
  return spv_op2(c, SpvOpFAdd, c->f32, spv_op2(c, SpvOpFMul, c->f32, top, const_f32(low, 65536)), rest);
}

static spv_id int_to_float(spv_lower *low, ir_dtype from, ir_dtype to, spv_id value) {
  const SpvOp op = is_signed(from) ? SpvOpConvertSToF : SpvOpConvertUToF;
  const bool halves = from == IR_U32 && bits_of(to) < 64 && spv_fact_of(&low->code, value)->low < 0;
  spv_id number = halves ? word_to_f32(low, value) : spv_op1(&low->code, op, spv_num_type(low, to), value);
  return spv_num_round(low, to, number);
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
  if (!ir_is_float(from))
    return ir_is_float(to) ? int_to_float(low, from, to, value) : int_to_int(low, from, to, value);
  if (!ir_is_float(to)) return float_to_int(low, from, to, value);
  bool wide_from = bits_of(from) == 64, wide_to = bits_of(to) == 64;
  if (wide_from && is_narrow(to)) return spv_num_round(low, to, spv_narrow_from_f64(low, to, value));
  return wide_from == wide_to ? spv_num_round(low, to, value)
                              : spv_op1(&low->code, SpvOpFConvert, spv_num_type(low, to), value);
}

spv_id spv_num_bitcast(spv_lower *low, ir_dtype from, ir_dtype to, spv_id value) {
  if (bits_of(from) == 64)
    return from == to || ir_is_float(from) == ir_is_float(to) ? value
                                                              : spv_bitcast(&low->code, spv_num_type(low, to), value);
  return spv_num_unpack(low, to, spv_num_pack(low, from, value));
}
