/* Cube root, error functions and Bessel functions. The f64 coefficients are those of tests/fit/fit_math.py. */
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

/* ---- 1 - erf, and the inverse ---- */

/* exp(-x^2) for x >= 0: the square of the upper 12 bits of x is exact, and the rest of x^2 is small. */
static val exp_minus_square(math *m, val x) {
  val upper = math_bits_float(m, ir_map2(m->b, IR_and, math_float_bits(m, x), math_int(m, -4096)));
  val rest = math_mul(m, math_sub(m, upper, x), math_add(m, upper, x));
  return math_mul(m, math_exp(m, math_neg(m, math_mul(m, upper, upper)), NULL), math_exp(m, rest, NULL));
}

/* From 1 on exp(-x^2) / x times a polynomial in 1 / x^2, one up to 2 and one from there (Cephes, erfcf). */
static val far_erfc(math *m, val a) {
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

val math_erfc(math *m, val x, val y) {
  (void)y;
  val a = ir_map2(m->b, IR_min, math_abs(m, x), math_const(m, 12)), square = math_mul(m, a, a);
  val far = far_erfc(m, a);
  far = math_select(m, math_compare(m, IR_lt, x, 0), math_sub(m, math_const(m, 2), far), far);
  val near = math_sub(m, math_const(m, 1), math_with_sign(m, near_erf(m, a, square), x));
  return math_select(m, math_compare(m, IR_lt, a, 1), near, far);
}

/* M. Giles, "Approximating the erfinv function": x times a polynomial in -log(1 - x^2), or in its root further out */
val math_erf_inv(math *m, val x, val y) {
  static const double middle[] = {1.50140941,      0.246640727,    -0.00417768164, -0.00125372503, 0.00021858087,
                                  -4.39150654e-06, -3.5233877e-06, 3.43273939e-07, 2.81022636e-08};
  static const double tail[] = {2.83297682,     1.00167406,    0.00943887047,  -0.0076224613,  0.00573950773,
                                -0.00367342844, 0.00134934322, 0.000100950558, -0.000200214257};
  (void)y;
  val w = math_neg(m, math_log1p(m, math_neg(m, math_mul(m, x, x)), NULL));
  val near = math_poly(m, math_shift(m, w, -2.5), middle, 9);
  val far = math_poly(m, math_shift(m, math_sqrt(m, w), -3), tail, 9);
  val found = math_mul(m, x, math_select(m, math_compare(m, IR_lt, w, 5), near, far));
  val end = math_compare(m, IR_eq, math_abs(m, x), 1);
  return math_select(m, end, math_scale(m, x, __builtin_inf()), found);
}

/* ---- Bessel functions, times exp(-|x|) ---- */

/* The sum of c[k] T(n - 1 - k)(x / 2), the last at half weight (Clenshaw's recurrence) */
static val chebyshev(math *m, val x, const double *c, size_t count) {
  val last = math_const(m, c[0]), before = math_const(m, 0), older = before;
  for (size_t k = 1; k < count; k++) {
    older = before;
    before = last;
    last = math_shift(m, math_sub(m, math_mul(m, x, before), older), c[k]);
  }
  return math_scale(m, math_sub(m, last, older), 0.5);
}

typedef struct bessel {
  const double *near, *far; /* up to 8 in x / 2 - 2, beyond in 32 / x - 2 (Cephes, i0ef and i1ef) */
  size_t near_count, far_count;
} bessel;

static val bessel_of(math *m, val a, const bessel *of, val factor) {
  val near = chebyshev(m, math_shift(m, math_scale(m, a, 0.5), -2), of->near, of->near_count);
  val inverse = math_shift(m, math_div(m, math_const(m, 32), a), -2);
  val far = math_div(m, chebyshev(m, inverse, of->far, of->far_count), math_sqrt(m, a));
  if (factor) near = math_mul(m, near, factor);
  return math_select(m, math_compare(m, IR_le, a, 8), near, far);
}

val math_bessel_i0e(math *m, val x, val y) {
  static const double near[] = {-1.30002500998624804212E-8, 6.04699502254191894932E-8,  -2.67079385394061173391E-7,
                                1.11738753912010371815E-6,  -4.41673835845875056359E-6, 1.64484480707288970893E-5,
                                -5.75419501008210370398E-5, 1.88502885095841655729E-4,  -5.76375574538582365885E-4,
                                1.63947561694133579842E-3,  -4.32430999505057594430E-3, 1.05464603945949983183E-2,
                                -2.37374148058994688156E-2, 4.93052842396707084878E-2,  -9.49010970480476444210E-2,
                                1.71620901522208775349E-1,  -3.04682672343198398683E-1, 6.76795274409476084995E-1};
  static const double far[] = {3.39623202570838634515E-9, 2.26666899049817806459E-8, 2.04891858946906374183E-7,
                               2.89137052083475648297E-6, 6.88975834691682398426E-5, 3.36911647825569408990E-3,
                               8.04490411014108831608E-1};
  (void)y;
  return bessel_of(m, math_abs(m, x), &(bessel){near, far, 18, 7}, NULL);
}

val math_bessel_i1e(math *m, val x, val y) {
  static const double near[] = {9.38153738649577178388E-9,  -4.44505912879632808065E-8, 2.00329475355213526229E-7,
                                -8.56872026469545474066E-7, 3.47025130813767847674E-6,  -1.32731636560394358279E-5,
                                4.78156510755005422638E-5,  -1.61760815825896745588E-4, 5.12285956168575772895E-4,
                                -1.51357245063125314899E-3, 4.15642294431288815669E-3,  -1.05640848946261981558E-2,
                                2.47264490306265168283E-2,  -5.29459812080949914269E-2, 1.02643658689847095384E-1,
                                -1.76416518357834055153E-1, 2.52587186443633654823E-1};
  static const double far[] = {-3.83538038596423702205E-9, -2.63146884688951950684E-8, -2.51223623787020892529E-7,
                               -3.88256480887769039346E-6, -1.10588938762623716291E-4, -9.76109749136146840777E-3,
                               7.78576235018280120474E-1};
  (void)y;
  val a = math_abs(m, x);
  return math_with_sign(m, bessel_of(m, a, &(bessel){near, far, 17, 7}, a), x);
}
