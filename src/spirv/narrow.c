/* Floats narrower than f32 in registers: f32 values that were rounded by integer arithmetic on their patterns, since
 * the least capable devices have no other way and the results are the same on all. One emitter for every format: what
 * it writes follows from the numbers of types.def. */
#include "spirv/lower.h"

#define INFINITE 0x7f800000u
#define NOT_A_NUMBER 0x7fc00000u
#define SIGN 0x80000000u

typedef struct emitter {
  spv_lower *low;
  spv_code *c;
  ir_float_format f;
  uint32_t cut;    /* bits of an f32's mantissa that the format lacks */
  uint32_t rebias; /* from the format's exponents to those of f32, in their place */
  uint32_t over, largest, nan, sign;
} emitter;

static emitter emitter_of(spv_lower *low, ir_dtype dtype) {
  ir_float_format f = ir_dtype_get(dtype)->format;
  return (emitter){.low = low,
                   .c = &low->code,
                   .f = f,
                   .cut = 23 - f.mantissa,
                   .rebias = (uint32_t)(127 - f.bias) << 23,
                   .over = (uint32_t)ir_float_over(f),
                   .largest = (uint32_t)ir_float_largest(f),
                   .nan = (uint32_t)ir_float_nan(f),
                   .sign = (uint32_t)ir_float_sign(f)};
}

static spv_id constant(emitter *e, uint32_t value) { return spv_int(e->c, value); }
static spv_id op2(emitter *e, SpvOp op, spv_id a, spv_id b) { return spv_op2(e->c, op, e->c->u32, a, b); }
static spv_id with(emitter *e, SpvOp op, spv_id a, uint32_t b) { return op2(e, op, a, constant(e, b)); }
static spv_id test(emitter *e, SpvOp op, spv_id a, uint32_t b) {
  return spv_op2(e->c, op, e->c->boolean, a, constant(e, b));
}
static spv_id pick(emitter *e, spv_id condition, spv_id yes, spv_id no) {
  return spv_select(e->c, e->c->u32, condition, yes, no);
}
static spv_id as_float(emitter *e, spv_id bits) { return spv_bitcast(e->c, e->c->f32, bits); }
static spv_id as_bits(emitter *e, spv_id value) { return spv_bitcast(e->c, e->c->u32, value); }
static spv_id power_of_two(emitter *e, int32_t exponent) {
  return as_float(e, constant(e, (uint32_t)(127 + exponent) << 23));
}

/* Formats with the exponents of f32: their subnormals are its own, cut short. */
static bool is_upper_part(const emitter *e) { return e->f.bias == 127 && e->f.specials == IR_SPECIALS_IEEE; }

/* The exponent of the last bit of subnormals. */
static int32_t least_exponent(const emitter *e) { return 1 - e->f.bias - (int32_t)e->f.mantissa; }

/* A value of the format, given by its pattern, as the bits of an f32. */
static uint32_t wide_bits(const emitter *e, uint32_t pattern) { return (pattern << e->cut) + e->rebias; }

/* ---- rounding ---- */

/* Drops the low bits of a pattern that the format lacks, to nearest, ties to even: the last bit that is kept, which of
 * a mantissa without bits is the implied one, decides. */
static spv_id drop_bits(emitter *e, spv_id size) {
  spv_id odd = constant(e, 1);
  if (e->f.mantissa > 0) odd = with(e, SpvOpBitwiseAnd, with(e, SpvOpShiftRightLogical, size, e->cut), 1);
  spv_id bias = with(e, SpvOpIAdd, odd, (1u << (e->cut - 1)) - 1);
  return with(e, SpvOpBitwiseAnd, op2(e, SpvOpIAdd, size, bias), ~((1u << e->cut) - 1));
}

/* Adding and taking away a power of two leaves multiples of the smallest subnormal. */
static spv_id round_small(emitter *e, spv_id size) {
  spv_id power = power_of_two(e, least_exponent(e) + 23);
  spv_id up = spv_op2(e->c, SpvOpFAdd, e->c->f32, as_float(e, size), power);
  return as_bits(e, spv_op2(e->c, SpvOpFSub, e->c->f32, up, power));
}

static uint32_t over_bits(const emitter *e) {
  if (ir_float_has_infinity(e->f)) return INFINITE;
  return e->f.specials == IR_SPECIALS_FINITE ? wide_bits(e, e->largest) : NOT_A_NUMBER;
}

/* Powers of two: 2^-127 is half of the smallest normal f32, and nothing is smaller; NaN takes in zero and all that is
 * negative, whose patterns, less one, are those past infinity's. */
static spv_id round_power(emitter *e, spv_id pattern) {
  spv_id normal = drop_bits(e, pattern);
  normal = pick(e, test(e, SpvOpUGreaterThan, normal, wide_bits(e, e->largest)), constant(e, NOT_A_NUMBER), normal);
  spv_id tiny = pick(e, test(e, SpvOpUGreaterThan, pattern, 1u << 22), constant(e, 1u << 23), constant(e, 1u << 22));
  spv_id rounded = pick(e, test(e, SpvOpULessThan, pattern, 1u << 23), tiny, normal);
  spv_id none = test(e, SpvOpUGreaterThanEqual, with(e, SpvOpISub, pattern, 1), INFINITE);
  return pick(e, none, constant(e, NOT_A_NUMBER), rounded);
}

static spv_id round_signed(emitter *e, spv_id pattern) {
  spv_id size = with(e, SpvOpBitwiseAnd, pattern, ~SIGN), sign = with(e, SpvOpBitwiseAnd, pattern, SIGN);
  spv_id rounded = drop_bits(e, size);
  if (!is_upper_part(e)) {
    spv_id too_large = test(e, SpvOpUGreaterThan, rounded, wide_bits(e, e->largest));
    rounded = pick(e, too_large, constant(e, over_bits(e)), rounded);
    rounded = pick(e, test(e, SpvOpULessThan, size, (1u << 23) + e->rebias), round_small(e, size), rounded);
  }
  bool finite = e->f.specials == IR_SPECIALS_FINITE;
  rounded = pick(e, test(e, SpvOpUGreaterThan, size, INFINITE), constant(e, finite ? SIGN : NOT_A_NUMBER), rounded);
  if (e->f.specials == IR_SPECIALS_FNUZ) /* neither zero nor NaN has a sign */
    sign = pick(e, test(e, SpvOpULessThan, with(e, SpvOpISub, rounded, 1), INFINITE), sign, constant(e, 0));
  return op2(e, SpvOpBitwiseOr, rounded, sign);
}

spv_id spv_narrow_round(spv_lower *low, ir_dtype dtype, spv_id value) {
  emitter e = emitter_of(low, dtype);
  spv_id pattern = as_bits(&e, value);
  return as_float(&e, e.f.specials == IR_SPECIALS_FNU ? round_power(&e, pattern) : round_signed(&e, pattern));
}

/* ---- memory ---- */

static spv_id unpack_small(emitter *e, spv_id size) {
  spv_id count = spv_op1(e->c, SpvOpConvertUToF, e->c->f32, size);
  return as_bits(e, spv_op2(e->c, SpvOpFMul, e->c->f32, count, power_of_two(e, least_exponent(e))));
}

spv_id spv_narrow_unpack(spv_lower *low, ir_dtype dtype, spv_id bits) {
  emitter e = emitter_of(low, dtype);
  uint32_t width = e.f.exponent + e.f.mantissa;
  if (is_upper_part(&e)) return as_float(&e, with(&e, SpvOpShiftLeftLogical, bits, e.cut));
  spv_id size = spv_and_const(e.c, bits, (1u << width) - 1);
  spv_id wide = with(&e, SpvOpIAdd, with(&e, SpvOpShiftLeftLogical, size, e.cut), e.rebias);
  if (e.f.specials == IR_SPECIALS_FNU)
    wide = pick(&e, test(&e, SpvOpIEqual, size, 0), constant(&e, 1u << 22), wide);
  else
    wide = pick(&e, test(&e, SpvOpULessThan, size, 1u << e.f.mantissa), unpack_small(&e, size), wide);
  if (e.largest + 1 < 1u << width) { /* patterns that are no finite number */
    spv_id special = constant(&e, NOT_A_NUMBER);
    if (ir_float_has_infinity(e.f))
      special = pick(&e, test(&e, SpvOpIEqual, size, e.over), constant(&e, INFINITE), special);
    wide = pick(&e, test(&e, SpvOpUGreaterThan, size, e.largest), special, wide);
  }
  if (e.sign) {
    spv_id sign = with(&e, SpvOpShiftLeftLogical, spv_and_const(e.c, bits, e.sign), 31 - width);
    wide = op2(&e, SpvOpBitwiseOr, wide, sign);
  }
  if (e.f.specials == IR_SPECIALS_FNUZ)
    wide = pick(&e, test(&e, SpvOpIEqual, bits, e.nan), constant(&e, NOT_A_NUMBER), wide);
  return as_float(&e, wide);
}

/* A subnormal's pattern; other values are kept from the conversion, whose range they may leave. */
static spv_id pack_small(emitter *e, spv_id size, spv_id is_small) {
  spv_id scaled = spv_op2(e->c, SpvOpFMul, e->c->f32, as_float(e, size), power_of_two(e, -least_exponent(e)));
  spv_id tame = spv_select(e->c, e->c->f32, is_small, scaled, as_float(e, constant(e, 0)));
  return spv_op1(e->c, SpvOpConvertFToU, e->c->u32, tame);
}

/* Of a value that is one of the format's. */
spv_id spv_narrow_pack(spv_lower *low, ir_dtype dtype, spv_id value) {
  emitter e = emitter_of(low, dtype);
  spv_id pattern = as_bits(&e, value), size = with(&e, SpvOpBitwiseAnd, pattern, ~SIGN);
  if (is_upper_part(&e)) return with(&e, SpvOpShiftRightLogical, pattern, e.cut);
  spv_id packed = with(&e, SpvOpShiftRightLogical, with(&e, SpvOpISub, size, e.rebias), e.cut);
  if (e.f.specials != IR_SPECIALS_FNU) {
    spv_id is_small = test(&e, SpvOpULessThan, size, (1u << 23) + e.rebias);
    packed = pick(&e, is_small, pack_small(&e, size, is_small), packed);
  }
  if (e.f.specials != IR_SPECIALS_FINITE)
    packed = pick(&e, test(&e, SpvOpUGreaterThan, size, INFINITE), constant(&e, e.nan), packed);
  if (ir_float_has_infinity(e.f))
    packed = pick(&e, test(&e, SpvOpIEqual, size, INFINITE), constant(&e, e.over), packed);
  if (!e.sign) return packed;
  spv_id moved = with(&e, SpvOpShiftRightLogical, pattern, 31 - e.f.exponent - e.f.mantissa);
  return op2(&e, SpvOpBitwiseOr, packed, with(&e, SpvOpBitwiseAnd, moved, e.sign));
}

/* ---- from f64 ---- */

/* What devices may take for zero on the way to f32, in formats that have none. */
static spv_id keep_tiny(emitter *e, spv_id value, spv_id bits) {
  spv_code *c = e->c;
  spv_id none = spv_num_const(e->low, IR_F64, 0),
         least = spv_num_const(e->low, IR_F64, ir_bits_from_f64(IR_F64, 0x1p-127));
  spv_id normal = spv_num_const(e->low, IR_F64, ir_bits_from_f64(IR_F64, 0x1p-126));
  spv_id above = spv_op2(c, SpvOpFOrdGreaterThan, c->boolean, value, least);
  spv_id tiny = spv_both(c, spv_op2(c, SpvOpFOrdGreaterThan, c->boolean, value, none),
                         spv_op2(c, SpvOpFOrdLessThan, c->boolean, value, normal));
  return pick(e, tiny, pick(e, above, constant(e, 1u << 23), constant(e, 1u << 22)), bits);
}

/* To f32 rounding to odd, which keeps the rounding that follows exact: the 29 bits that an f32 has no room for become
 * one sticky bit above them. */
spv_id spv_narrow_from_f64(spv_lower *low, ir_dtype dtype, spv_id value) {
  emitter e = emitter_of(low, dtype);
  spv_id low_word, high_word;
  spv_num_halves(low, value, &low_word, &high_word);
  spv_id inexact = test(&e, SpvOpINotEqual, with(&e, SpvOpBitwiseAnd, low_word, 0x1fffffff), 0);
  spv_id kept = with(&e, SpvOpBitwiseAnd, low_word, 0xe0000000);
  kept = pick(&e, inexact, with(&e, SpvOpBitwiseOr, kept, 0x20000000), kept);
  spv_id nearest = spv_op1(e.c, SpvOpFConvert, e.c->f32, spv_num_join(low, IR_F64, kept, high_word));
  if (e.f.specials != IR_SPECIALS_FNU) return nearest;
  return as_float(&e, keep_tiny(&e, value, as_bits(&e, nearest)));
}
