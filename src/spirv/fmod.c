/* The remainder of floats, exact: the body of a helper function (helper.c). */
#include <math.h>

#include "spirv/lower.h"

/* The remainder of floats is long division in the floats themselves: significands are whole numbers, doubled and taken
 * from without rounding, so that f64 needs no 64-bit integers. */
typedef struct format {
  spv_lower *low;
  spv_code *c;
  ir_dtype dtype;
  spv_id type;
  int64_t bias, digits; /* of the exponent; after the point */
  uint32_t fraction;    /* bits of the fraction in the upper word */
} format;

/* A float as mantissa * 2^(exponent - bias - digits), the mantissa from 2^digits to 2^(digits + 1) - 1. */
typedef struct parts {
  spv_id mantissa, exponent;
} parts;

static format format_of(spv_lower *low, ir_dtype dtype) {
  format f = {low, &low->code, dtype, spv_num_type(low, dtype), 127, 23, 23};
  if (dtype == IR_F64) f.bias = 1023, f.digits = 52, f.fraction = 20;
  return f;
}

static spv_id int2(const format *f, SpvOp op, spv_id a, spv_id b) { return spv_op2(f->c, op, f->c->u32, a, b); }
static spv_id float2(const format *f, SpvOp op, spv_id a, spv_id b) { return spv_op2(f->c, op, f->type, a, b); }
static spv_id test(const format *f, SpvOp op, spv_id a, spv_id b) { return spv_op2(f->c, op, f->c->boolean, a, b); }
static spv_id real(const format *f, double value) {
  return spv_num_const(f->low, f->dtype, ir_bits_from_f64(f->dtype, value));
}

/* The word with sign and exponent, and a float with this word in place of its own. */
static spv_id upper_word(const format *f, spv_id value) {
  spv_id lower, upper;
  if (f->dtype == IR_F32) return spv_bitcast(f->c, f->c->u32, value);
  spv_num_halves(f->low, value, &lower, &upper);
  return upper;
}
static spv_id with_upper(const format *f, spv_id value, spv_id word) {
  spv_id lower, upper;
  if (f->dtype == IR_F32) return spv_bitcast(f->c, f->type, word);
  spv_num_halves(f->low, value, &lower, &upper);
  return spv_num_join(f->low, f->dtype, lower, word);
}

static parts take_apart(const format *f, spv_id size) {
  spv_code *c = f->c;
  spv_id tiny = test(f, SpvOpFOrdLessThan, size, real(f, ldexp(1, (int)(1 - f->bias))));
  spv_id up = spv_int(c, f->digits + 9); /* makes any subnormal normal */
  spv_id normal = spv_select(c, f->type, tiny, float2(f, SpvOpFMul, size, real(f, ldexp(1, (int)f->digits + 9))), size);
  spv_id word = upper_word(f, normal), fraction = spv_and_const(c, word, (UINT32_C(1) << f->fraction) - 1);
  spv_id biased = int2(f, SpvOpShiftRightLogical, word, spv_int(c, f->fraction));
  spv_id unit = spv_int(c, (f->bias + f->digits) << f->fraction);
  return (parts){with_upper(f, normal, int2(f, SpvOpBitwiseOr, fraction, unit)),
                 int2(f, SpvOpISub, biased, spv_select(c, c->u32, tiny, up, spv_int(c, 0)))};
}

static spv_id power_of_two(const format *f, spv_id exponent) {
  spv_id biased = int2(f, SpvOpIAdd, exponent, spv_int(f->c, f->bias));
  return with_upper(f, real(f, 0), int2(f, SpvOpShiftLeftLogical, biased, spv_int(f->c, f->fraction)));
}

/* mantissa * 2^(exponent - bias - digits) in two steps, since the power alone may be too small for a float. */
static spv_id put_together(const format *f, spv_id mantissa, spv_id exponent) {
  spv_id power = int2(f, SpvOpISub, exponent, spv_int(f->c, f->bias + f->digits));
  spv_id half = int2(f, SpvOpShiftRightArithmetic, power, spv_int(f->c, 1));
  spv_id scaled = float2(f, SpvOpFMul, mantissa, power_of_two(f, half));
  return float2(f, SpvOpFMul, scaled, power_of_two(f, int2(f, SpvOpISub, power, half)));
}

static spv_id reduce(const format *f, spv_id rest, spv_id divisor) {
  spv_id less = float2(f, SpvOpFSub, rest, divisor);
  return spv_select(f->c, f->type, test(f, SpvOpFOrdGreaterThanEqual, rest, divisor), less, rest);
}

/* mantissa * 2^shift mod divisor, one bit a round. */
static spv_id shift_and_reduce(const format *f, spv_id mantissa, spv_id shift, spv_id divisor) {
  spv_code *c = f->c;
  spv_loop loop = spv_code_loop(c);
  const spv_id phis[] = {spv_code_phi(c, &loop, c->u32, shift),
                         spv_code_phi(c, &loop, f->type, reduce(f, mantissa, divisor))};
  spv_loop_test(c->m, &loop, false);
  spv_loop_body(c->m, &loop, test(f, SpvOpINotEqual, phis[0], spv_int(c, 0)));
  spv_id twice = float2(f, SpvOpFAdd, phis[1], phis[1]);
  const spv_id next[] = {int2(f, SpvOpISub, phis[0], spv_int(c, 1)), reduce(f, twice, divisor)};
  spv_code_loop_end(c, &loop, phis, next, 2, 0);
  return phis[1];
}

/* An infinite or absent dividend and a divisor of zero or none give NaN; a smaller dividend is its own remainder. */
spv_id spv_fmod_body(spv_lower *low, ir_code code, ir_dtype dtype, const spv_id *operands) {
  (void)code;
  const format of = format_of(low, dtype), *f = &of;
  spv_code *c = f->c;
  spv_id a = operands[0], b = operands[1];
  spv_id a_size = spv_glsl1(c, GLSLstd450FAbs, f->type, a), b_size = spv_glsl1(c, GLSLstd450FAbs, f->type, b);
  spv_id finite = test(f, SpvOpFOrdLessThan, a_size, real(f, (double)INFINITY));
  spv_id right = spv_both(c, finite, test(f, SpvOpFOrdGreaterThan, b_size, real(f, 0)));
  spv_id larger = test(f, SpvOpFOrdGreaterThanEqual, a_size, b_size), busy = spv_both(c, right, larger);
  spv_id one = real(f, 1);
  parts x = take_apart(f, spv_select(c, f->type, busy, a_size, one));
  parts y = take_apart(f, spv_select(c, f->type, busy, b_size, one));
  spv_id shift = int2(f, SpvOpISub, x.exponent, y.exponent);
  spv_id size = put_together(f, shift_and_reduce(f, x.mantissa, shift, y.mantissa), y.exponent);
  spv_id negative = test(f, SpvOpSLessThan, upper_word(f, a), spv_int(c, 0));
  spv_id rest = spv_select(c, f->type, negative, spv_op1(c, SpvOpFNegate, f->type, size), size);
  return spv_select(c, f->type, right, spv_select(c, f->type, larger, rest, a), real(f, (double)NAN));
}
