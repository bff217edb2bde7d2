/* Error functions. The f64 coefficients are those of tests/fit/fit_math.py. */
#include "pass/math/math.h"

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

/* ---- 1 - erf, and the inverse ---- */

/* exp(-x^2) for x >= 0: the square of the upper half of x is exact, and the rest of x^2 is small. */
static val exp_minus_square(math *m, val x) {
  val upper = math_upper(m, x);
  val rest = math_mul(m, math_sub(m, upper, x), math_add(m, upper, x));
  return math_mul(m, math_exp(m, math_neg(m, math_mul(m, upper, upper)), NULL), math_exp(m, rest, NULL));
}

/* From 1 on exp(-x^2) / x times a polynomial in 1 / x^2, one up to 2 and one from there (Cephes, erfcf). */
static val narrow_far_erfc(math *m, val a) {
  static const double middle[] = {5.638259427386472E-1,  -2.741127028184656E-1, 3.404879937665872E-1,
                                  -4.944515323274145E-1, 6.210004621745983E-1,  -5.824733027278666E-1,
                                  3.687424674597105E-1,  -1.387039388740657E-1, 2.326819970068386E-2};
  static const double far[] = {5.641895067754075E-1,  -2.820767439740514E-1, 4.218463358204948E-1,
                               -1.015265279202700E+0, 2.921019019210786E+0,  -7.495518717768503E+0,
                               1.297719955372516E+1,  -1.047766399936249E+1};
  val inverse = math_div(m, math_const(m, 1), a), y = math_mul(m, inverse, inverse);
  val shape = math_select(m, math_compare(m, IR_lt, a, 2), math_poly(m, y, middle, 9), math_poly(m, y, far, 8));
  return math_mul(m, math_mul(m, exp_minus_square(m, a), inverse), shape);
}

/* From 1 to 28 exp(-x^2) t times a series in t = 1 / (1 + x / 2), which is moved from [1/15, 2/3] to [-2, 2] */
static val wide_far_erfc(math *m, val a) {
  static const double series[] = {
      3.596581185887246e-18,   -5.7996625899588556e-18, -8.192701315897436e-17, 4.786924610651984e-16,
      7.950252667355303e-16,   -1.8006701692226698e-14, 3.346554890802252e-14,  5.133365461016584e-13,
      -2.704106184934439e-12,  -1.1981874643988504e-11, 1.356011860298904e-10,  2.194479877313424e-10,
      -6.391770633532803e-09,  -3.079151677988718e-09,  3.3210900926980893e-07, 2.775013331086568e-07,
      -2.0684032934145737e-05, -8.208024319559963e-05,  0.0013444073337119636,  0.02150073291115895,
      0.16833761823430046,     0.9005895391007113};
  val t = math_div(m, math_const(m, 1), math_shift(m, math_scale(m, a, 0.5), 1));
  val place = math_shift(m, math_scale(m, t, 20.0 / 3), -22.0 / 9);
  return math_mul(m, exp_minus_square(m, a), math_mul(m, t, math_chebyshev(m, place, series, COUNT_OF(series))));
}

static val far_erfc(math *m, val a) { return math_wide(m) ? wide_far_erfc(m, a) : narrow_far_erfc(m, a); }

val math_erfc(math *m, val x, val y) {
  (void)y;
  val a = ir_map2(m->b, IR_min, math_abs(m, x), math_const(m, math_pick(m, 12, 28))), square = math_mul(m, a, a);
  val far = far_erfc(m, a);
  far = math_select(m, math_compare(m, IR_lt, x, 0), math_sub(m, math_const(m, 2), far), far);
  val near = math_sub(m, math_const(m, 1), math_with_sign(m, near_erf(m, a, square), x));
  return math_select(m, math_compare(m, IR_lt, a, 1), near, far);
}

/* M. Giles, "Approximating the erfinv function": x times a polynomial in -log(1 - x^2), or in its root further out */
static val narrow_erf_inv(math *m, val x) {
  static const double middle[] = {1.50140941,      0.246640727,    -0.00417768164, -0.00125372503, 0.00021858087,
                                  -4.39150654e-06, -3.5233877e-06, 3.43273939e-07, 2.81022636e-08};
  static const double tail[] = {2.83297682,     1.00167406,    0.00943887047,  -0.0076224613,  0.00573950773,
                                -0.00367342844, 0.00134934322, 0.000100950558, -0.000200214257};
  val w = math_neg(m, math_log1p(m, math_neg(m, math_mul(m, x, x)), NULL));
  val near = math_poly(m, math_shift(m, w, -2.5), middle, 9);
  val far = math_poly(m, math_shift(m, math_sqrt(m, w), -3), tail, 9);
  return math_mul(m, x, math_select(m, math_compare(m, IR_lt, w, 5), near, far));
}

/* Winitzki's approximation, good to 0.004, where 1 - |x| is `rest`. */
static val guess_erf_inv(math *m, val size, val rest) {
  const double a = 0.147;
  val log_product = math_add(m, math_log(m, rest, NULL), math_log1p(m, size, NULL));
  val half = math_shift(m, math_scale(m, log_product, 0.5), 2 / (3.14159265358979323846 * a));
  val root = math_sqrt(m, math_sub(m, math_mul(m, half, half), math_scale(m, log_product, 1 / a)));
  return math_sqrt(m, ir_map2(m->b, IR_max, math_sub(m, root, half), math_const(m, 0)));
}

/* Halley's steps on erf(y) - x near zero, and far out on erfc(y) - (1 - x), whose difference is exact. */
static val wide_erf_inv(math *m, val x) {
  val size = math_abs(m, x), rest = math_sub(m, math_const(m, 1), size), found = guess_erf_inv(m, size, rest);
  for (int step = 0; step < 3; step++) {
    val square = math_mul(m, found, found);
    val near = math_sub(m, near_erf(m, found, square), size), far = math_sub(m, rest, far_erfc(m, found));
    val error = math_select(m, math_compare(m, IR_lt, found, 1), near, far);
    val newton = math_mul(m, math_scale(m, error, 0.88622692545275801365), math_exp(m, square, NULL));
    found = math_sub(m, found, math_div(m, newton, math_shift(m, math_mul(m, found, newton), 1)));
  }
  return math_with_sign(m, found, x);
}

val math_erf_inv(math *m, val x, val y) {
  (void)y;
  val found = math_wide(m) ? wide_erf_inv(m, x) : narrow_erf_inv(m, x);
  val end = math_compare(m, IR_eq, math_abs(m, x), 1);
  return math_select(m, end, math_scale(m, x, __builtin_inf()), found);
}
