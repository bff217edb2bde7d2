/* Cube root and error function. */
#include "pass/math.h"

/* From a guess by a third of the exponent (the bits divided by 3, and the bias put back), four Newton steps. Subnormal
 * numbers are scaled by 2^24 first, their roots by 2^-8 after. */
val math_cbrt(math *m, val x, val y) {
  (void)y;
  val tiny = math_compare(m, IR_lt, math_abs(m, x), 1.17549435082228750797e-38);
  val a = math_abs(m, math_select(m, tiny, math_scale(m, x, 16777216), x));
  val third = ir_map2(m->b, IR_div, math_float_bits(m, a), math_int(m, 3));
  val root = math_bits_float(m, math_add(m, third, math_int(m, 709958130))); /* (2/3) 127 2^23 */
  for (int i = 0; i < 4; i++) {
    val step = math_sub(m, root, math_div(m, math_div(m, a, root), root));
    root = math_sub(m, root, math_scale(m, step, 1.0 / 3));
  }
  root = math_select(m, tiny, math_scale(m, root, 1.0 / 256), root);
  val ordinary = ir_map2(m->b, IR_and, ir_map1(m->b, IR_is_finite, x), math_compare(m, IR_ne, x, 0));
  return math_select(m, ordinary, math_with_sign(m, root, x), x);
}

/* |x| < 1.2: (2 / sqrt pi) x times a series in x^2 with coefficients (-1)^k / (k! (2k + 1)) */
static val near_erf(math *m, val x, val square) {
  double series[14], factorial = 1;
  for (int k = 0; k < 14; k++) {
    if (k) factorial *= k;
    series[k] = 1.12837916709551257390 * (k % 2 ? -1 : 1) / (factorial * (2 * k + 1));
  }
  return math_mul(m, x, math_poly(m, square, series, 14));
}

/* Beyond: 1 - t p(t) exp(-x^2), t = 1 / (1 + 0.3275911 x) (Abramowitz and Stegun 7.1.26, absolute error 1.5e-7) */
static val far_erf(math *m, val a, val square) {
  static const double p[] = {0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429};
  val one = math_const(m, 1);
  val t = math_div(m, one, math_shift(m, math_scale(m, a, 0.3275911), 1));
  val tail = math_mul(m, math_mul(m, t, math_poly(m, t, p, 5)), math_exp(m, math_neg(m, square), NULL));
  return math_sub(m, one, tail);
}

val math_erf(math *m, val x, val y) {
  (void)y;
  val a = math_abs(m, x), square = math_mul(m, a, a);
  val near = math_compare(m, IR_lt, a, 1.2);
  val far = math_with_sign(m, far_erf(m, a, square), x);
  return math_select(m, near, near_erf(m, x, square), far);
}
