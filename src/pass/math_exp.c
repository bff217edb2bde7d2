/* exp and its family. x = n ln 2 + r with |r| <= ln 2 / 2; e^r - 1 is a polynomial; ln 2 is kept in two parts, the
 * first short enough that n times it is exact. n is found by adding 1.5 * 2^23: the sum's last bits are n, rounded. */
#include "pass/math.h"

#define LN2_HIGH 0.693145751953125 /* 16 bits of ln 2 */
#define LN2_LOW 1.42860682030941723e-06
#define LN2 0.69314718055994530942
#define LOG2_E 1.44269504088896340736
#define ROUNDER 12582912.0        /* 1.5 * 2^23 */
#define MOST 88.72283172607421875 /* e to this is the largest number */
#define LEAST -87.3365478515625   /* e to less is subnormal */

/* e^r - 1 for |r| <= 0.3466: the polynomial of least greatest error, 3e-9 of e^r, found by reweighted least squares */
static val small_expm1(math *m, val r) {
  static const double fit[] = {0.4999999403953552, 0.1666652113199234, 0.04166838899254799, 0.008368710987269878,
                               0.0013814608100801706};
  val square = math_mul(m, r, r);
  return math_add(m, r, math_mul(m, square, math_poly(m, r, fit, 5)));
}

typedef struct reduced {
  val n;        /* f32 */
  val exponent; /* n in the place of an exponent, as i32 bits */
  val rest;
} reduced;

static reduced round_parts(math *m, val scaled) {
  val sum = math_shift(m, scaled, ROUNDER);
  return (reduced){.n = math_shift(m, sum, -ROUNDER),
                   .exponent = ir_map2(m->b, IR_shl, math_float_bits(m, sum), math_int(m, 23))};
}

/* |x| < 2^20, or the result is not used */
static reduced reduce(math *m, val x) {
  reduced parts = round_parts(m, math_scale(m, x, LOG2_E));
  val high = math_sub(m, x, math_scale(m, parts.n, LN2_HIGH));
  parts.rest = math_sub(m, high, math_scale(m, parts.n, LN2_LOW));
  return parts;
}

/* x * 2^n by adding to the exponent; the result must be a normal number */
static val scale_exponent(math *m, val x, val exponent) {
  return math_bits_float(m, math_add(m, math_float_bits(m, x), exponent));
}

/* 0 below `least`, infinite above `most`, NaN for NaN: what the exponent cannot hold */
static val patch_range(math *m, val x, val result, double least, double most) {
  val above = math_shift(m, x, __builtin_inf());
  val bounded = math_select(m, math_compare(m, IR_le, x, most), result, above);
  return math_select(m, math_compare(m, IR_lt, x, least), math_const(m, 0), bounded);
}

val math_exp(math *m, val x, val y) {
  (void)y;
  reduced parts = reduce(m, x);
  val fraction = math_shift(m, small_expm1(m, parts.rest), 1);
  return patch_range(m, x, scale_exponent(m, fraction, parts.exponent), LEAST, MOST);
}

val math_exp2(math *m, val x, val y) {
  (void)y;
  reduced parts = round_parts(m, x);
  val fraction = math_shift(m, small_expm1(m, math_scale(m, math_sub(m, x, parts.n), LN2)), 1);
  return patch_range(m, x, scale_exponent(m, fraction, parts.exponent), -126, 127.99999237060546875);
}

/* ((e^r - 1) + (1 - 2^-n)) 2^n: no cancellation, since both terms have the sign of x. Near 0 x itself, which keeps -0.
 */
val math_expm1(math *m, val x, val y) {
  (void)y;
  reduced parts = reduce(m, ir_map3(m->b, IR_clamp, math_const(m, -30), x, math_const(m, 89)));
  val whole = math_whole(m, parts.n);
  val inverse_exponent = ir_map2(m->b, IR_max, math_sub(m, math_int(m, 127), whole), math_int(m, 0));
  val inverse = math_bits_float(m, ir_map2(m->b, IR_shl, inverse_exponent, math_int(m, 23)));
  val sum = math_add(m, small_expm1(m, parts.rest), math_sub(m, math_const(m, 1), inverse));
  val tiny = math_compare(m, IR_lt, math_abs(m, x), 1e-8);
  return math_select(m, tiny, x, math_ldexp(m, sum, whole));
}

val math_logistic(math *m, val x, val y) {
  val e = math_exp(m, math_neg(m, x), y);
  return math_div(m, math_const(m, 1), math_shift(m, e, 1));
}

/* e^a / 2 for a >= 0 without early overflow */
static val half_exp(math *m, val a) {
  val root = math_exp(m, math_scale(m, a, 0.5), NULL);
  return math_mul(m, math_scale(m, root, 0.5), root);
}

val math_sinh(math *m, val x, val y) {
  val a = math_abs(m, x);
  val e = math_expm1(m, a, y);
  val small = math_scale(m, math_add(m, e, math_div(m, e, math_shift(m, e, 1))), 0.5);
  val large = math_compare(m, IR_gt, a, 10);
  return math_with_sign(m, math_select(m, large, half_exp(m, a), small), x);
}

val math_cosh(math *m, val x, val y) {
  (void)y;
  val e = half_exp(m, math_abs(m, x));
  return math_add(m, e, math_div(m, math_const(m, 0.25), e));
}

val math_tanh(math *m, val x, val y) {
  val a = ir_map2(m->b, IR_min, math_abs(m, x), math_const(m, 12));
  val e = math_expm1(m, math_scale(m, a, 2), y);
  return math_with_sign(m, math_div(m, e, math_shift(m, e, 2)), x);
}
