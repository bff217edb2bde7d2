/* Cube root and error function. The f64 coefficients are those of tests/fit/fit_math.py. */
#include "pass/math.h"

/* From a guess by a third of the exponent (the bits divided by 3, and the bias put back), some Newton steps. Subnormal
 * numbers are scaled by 2^24 first, their roots by 2^-8 after (f64: 2^54 and 2^-18). */
val math_cbrt(math *m, val x, val y) {
  (void)y;
  val tiny = math_compare(m, IR_lt, math_abs(m, x), m->format->least);
  val a = math_abs(m, math_select(m, tiny, math_scale(m, x, math_pick(m, 0x1p24, 0x1p54)), x));
  val third = ir_map2(m->b, IR_div, math_float_bits(m, a), math_int(m, 3));
  val root = math_bits_float(
      m, math_add(m, third, math_int(m, math_wide(m) ? INT64_C(682) << 52 : 709958130))); /* (2/3) bias */
  for (int i = 0, steps = math_wide(m) ? 6 : 4; i < steps; i++) {
    val step = math_sub(m, root, math_div(m, math_div(m, a, root), root));
    root = math_sub(m, root, math_scale(m, step, 1.0 / 3));
  }
  root = math_select(m, tiny, math_scale(m, root, math_pick(m, 0x1p-8, 0x1p-18)), root);
  val ordinary = ir_map2(m->b, IR_and, ir_map1(m->b, IR_is_finite, x), math_compare(m, IR_ne, x, 0));
  return math_select(m, ordinary, math_with_sign(m, root, x), x);
}

/* |x| < 1.2: (2 / sqrt pi) x times a series in x^2 with coefficients (-1)^k / (k! (2k + 1)) */
static val near_erf(math *m, val x, val square) {
  static const double wide[] = {1.1283791670955126,      -0.3761263890318374,     0.11283791670954763,
                                -0.02686617064506662,    0.00522397762484068,     -0.0008548326989877069,
                                0.00012055331765936018,  -1.4925620411595559e-05, 1.6461598881372106e-06,
                                -1.6359566950686266e-07, 1.475316888620586e-08,   -1.1967313291447323e-09,
                                8.126446222408266e-11,   -3.462656602525265e-12};
  double series[14], factorial = 1;
  for (int k = 0; k < 14; k++) {
    if (k) factorial *= k;
    series[k] = 1.12837916709551257390 * (k % 2 ? -1 : 1) / (factorial * (2 * k + 1));
  }
  return math_mul(m, x, MATH_POLY(m, square, series, wide));
}

/* Beyond: 1 - t p(t) exp(-x^2), t = 1 / (1 + 0.3275911 x) (Abramowitz and Stegun 7.1.26, absolute error 1.5e-7; f64: a
 * fit up to 6, where erf is 1) */
static val far_erf(math *m, val a, val square) {
  static const double narrow[] = {0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429};
  static const double wide[] = {0.18482347043877387, 0.18482408415660267,   0.17489563348961643,  0.15518901199472837,
                                0.1260098370419442,  0.09882619036847891,   0.03677186436870049,  0.10781061705767854,
                                -0.2057123456977252, 0.4517926920936153,    -0.7825452818558686,  1.0057709395823304,
                                -0.9882730260382317, 0.6698469464139984,    -0.24671620197943986, -0.005522856191127891,
                                0.05010235804699303, -0.020942050275807627, 0.0030481187192039887};
  val one = math_const(m, 1);
  val t = math_div(m, one, math_shift(m, math_scale(m, a, 0.3275911), 1));
  val tail = math_mul(m, math_mul(m, t, MATH_POLY(m, t, narrow, wide)), math_exp(m, math_neg(m, square), NULL));
  return math_sub(m, one, tail);
}

val math_erf(math *m, val x, val y) {
  (void)y;
  val a = math_abs(m, x), square = math_mul(m, a, a);
  val near = math_compare(m, IR_lt, a, 1.2);
  val far = math_with_sign(m, far_erf(m, a, square), x);
  return math_select(m, near, near_erf(m, x, square), far);
}
