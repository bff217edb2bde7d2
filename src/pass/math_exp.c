/* exp and its family. x = n ln 2 + r with |r| <= ln 2 / 2; e^r - 1 is the Taylor series to r^8 (error under 1e-9); ln 2
 * is kept in two parts, the first short enough that n times it is exact. */
#include "pass/math.h"

#define LN2_HIGH 0.693145751953125 /* 16 bits of ln 2 */
#define LN2_LOW 1.42860682030941723e-06
#define LOG2_E 1.44269504088896340736

/* e^r - 1 for |r| <= 0.35 */
static val small_expm1(math *m, val r) {
  static const double series[] = {1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320};
  val square = math_mul(m, r, r);
  return math_add(m, r, math_mul(m, square, math_poly(m, r, series, 7)));
}

/* n and r of x; x must be finite or NaN, |x| < 2^20 */
static void reduce(math *m, val x, val *n, val *r) {
  *n = ir_map1(m->b, IR_round_even, math_scale(m, x, LOG2_E));
  val high = math_sub(m, x, math_scale(m, *n, LN2_HIGH));
  *r = math_sub(m, high, math_scale(m, *n, LN2_LOW));
}

static val limit(math *m, val x, double low, double high) {
  return ir_map3(m->b, IR_clamp, math_const(m, low), x, math_const(m, high));
}

val math_exp(math *m, val x, val y) {
  (void)y;
  val n, r;
  reduce(m, limit(m, x, -104, 89), &n, &r); /* below: 0 in every rounding; above: infinite */
  return math_ldexp(m, math_shift(m, small_expm1(m, r), 1), math_whole(m, n));
}

val math_exp2(math *m, val x, val y) {
  (void)y;
  val bounded = limit(m, x, -151, 129);
  val n = ir_map1(m->b, IR_round_even, bounded);
  val r = math_scale(m, math_sub(m, bounded, n), 0.69314718055994530942);
  return math_ldexp(m, math_shift(m, small_expm1(m, r), 1), math_whole(m, n));
}

/* ((e^r - 1) + (1 - 2^-n)) 2^n: no cancellation, since both terms have the sign of x */
val math_expm1(math *m, val x, val y) {
  (void)y;
  val n, r;
  reduce(m, limit(m, x, -30, 89), &n, &r);
  val whole = math_whole(m, n);
  val inverse_exponent = ir_map2(m->b, IR_max, math_sub(m, math_int(m, 127), whole), math_int(m, 0));
  val inverse = math_bits_float(m, ir_map2(m->b, IR_shl, inverse_exponent, math_int(m, 23)));
  val sum = math_add(m, small_expm1(m, r), math_sub(m, math_const(m, 1), inverse));
  val result = math_ldexp(m, sum, whole);
  val tiny = math_compare(m, IR_lt, math_abs(m, x), 1e-8);
  return math_select(m, tiny, x, result); /* keeps -0 */
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
  val a = limit(m, math_abs(m, x), 0, 12);
  val e = math_expm1(m, math_scale(m, a, 2), y);
  return math_with_sign(m, math_div(m, e, math_shift(m, e, 2)), x);
}
