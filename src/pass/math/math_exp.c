/* exp and its family. x = n ln 2 + r with |r| <= ln 2 / 2; e^r - 1 is a polynomial; ln 2 is kept in two parts, the
 * first short enough that n times it is exact. n is found by adding 1.5 * 2^23 (f64: 2^52): the sum's last bits are n,
 * rounded. The f64 coefficients are those of tests/fit/fit_math.py. */
#include "pass/math/math.h"

#define LN2 0.69314718055994530942
#define LOG2_E 1.44269504088896340736

/* e^r - 1 for |r| <= 0.3466: the polynomial of least greatest error, 3e-9 (f64: 2e-17) of e^r */
static val small_expm1(math *m, val r) {
  static const double narrow[] = {0.4999999403953552, 0.1666652113199234, 0.04166838899254799, 0.008368710987269878,
                                  0.0013814608100801706};
  static const double wide[] = {0.5000000000000001,     0.16666666666666669,    0.041666666666624164,
                                0.008333333333330065,   0.0013888888917196719,  0.00019841269863040545,
                                2.4801521322368692e-05, 2.7557268480310024e-06, 2.7620075879983367e-07,
                                2.5100375832561234e-08};
  val square = math_mul(m, r, r);
  return math_add(m, r, math_mul(m, square, MATH_POLY(m, r, narrow, wide)));
}

typedef struct reduced {
  val n;        /* a float */
  val exponent; /* n in the place of an exponent */
  val rest;
} reduced;

static reduced round_parts(math *m, val scaled) {
  double rounder = math_pick(m, 0x1.8p23, 0x1.8p52);
  val sum = math_shift(m, scaled, rounder);
  return (reduced){.n = math_shift(m, sum, -rounder), .exponent = math_exponent(m, math_float_bits(m, sum))};
}

/* |x| < 2^20, or the result is not used */
static reduced reduce(math *m, val x) {
  reduced parts = round_parts(m, math_scale(m, x, LOG2_E));
  val high = math_sub(m, x, math_scale(m, parts.n, m->format->ln2_high));
  parts.rest = math_sub(m, high, math_scale(m, parts.n, m->format->ln2_low));
  return parts;
}

/* x * 2^n by adding to the exponent; the result must be a normal number */
static val scale_exponent(math *m, val x, val exponent) {
  return math_bits_float(m, math_add(m, math_float_bits(m, x), exponent));
}

/* e to this and more is infinite, and what it is below which e^x is subnormal */
static double most_exp(const math *m) { return math_pick(m, 88.72283172607421875, 709.78271289338397); }
static double least_exp(const math *m) { return math_pick(m, -87.3365478515625, -708.39641853226408); }

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
  return patch_range(m, x, scale_exponent(m, fraction, parts.exponent), least_exp(m), most_exp(m));
}

val math_exp2(math *m, val x, val y) {
  (void)y;
  reduced parts = round_parts(m, x);
  val fraction = math_shift(m, small_expm1(m, math_scale(m, math_sub(m, x, parts.n), LN2)), 1);
  return patch_range(m, x, scale_exponent(m, fraction, parts.exponent), 1 - m->format->bias,
                     math_pick(m, 127.99999237060546875, 1023.9999999999999));
}

/* ((e^r - 1) + (1 - 2^-n)) 2^n: no cancellation, since both terms have the sign of x. Near 0 x itself, which keeps -0.
 */
val math_expm1(math *m, val x, val y) {
  (void)y;
  reduced parts = reduce(
      m, ir_map3(m->b, IR_clamp, math_const(m, math_pick(m, -30, -50)), x, math_const(m, math_pick(m, 89, 710))));
  val whole = math_whole(m, parts.n);
  val inverse_exponent = ir_map2(m->b, IR_max, math_sub(m, math_int(m, m->format->bias), whole), math_int(m, 0));
  val inverse = math_bits_float(m, math_exponent(m, inverse_exponent));
  val sum = math_add(m, small_expm1(m, parts.rest), math_sub(m, math_const(m, 1), inverse));
  val tiny = math_compare(m, IR_lt, math_abs(m, x), math_pick(m, 1e-8, 1e-17));
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
  val large = math_compare(m, IR_gt, a, math_pick(m, 10, 22));
  return math_with_sign(m, math_select(m, large, half_exp(m, a), small), x);
}

val math_cosh(math *m, val x, val y) {
  (void)y;
  val e = half_exp(m, math_abs(m, x));
  return math_add(m, e, math_div(m, math_const(m, 0.25), e));
}

val math_tanh(math *m, val x, val y) {
  val a = ir_map2(m->b, IR_min, math_abs(m, x), math_const(m, math_pick(m, 12, 22)));
  val e = math_expm1(m, math_scale(m, a, 2), y);
  return math_with_sign(m, math_div(m, e, math_shift(m, e, 2)), x);
}
