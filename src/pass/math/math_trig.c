/* Circular functions and their inverses. x = q pi/2 + r with |r| <= pi/4. pi/2 is kept in four parts, short enough that
 * q times each but the last is exact: of 8, 11 and 24 bits and a rest for |q| < 2^13, in f64 of 33 bits each for |q| <
 * 2^20. Beyond, for |x| above 10^4 (f64: 10^6), the error grows. Series are Taylor's in f32, fits of
 * tests/fit/fit_math.py in f64. */
#include "pass/math/math.h"

#define TWO_OVER_PI 0.63661977236758134308
#define HALF_PI 1.57079632679489661923
#define PI 3.14159265358979323846
#define TAN_EIGHTH 0.41421356237309504880 /* tan(pi/8) */

typedef struct turn {
  val quadrant;     /* an integer */
  val sine, cosine; /* of the rest */
} turn;

static val rest_of_turn(math *m, val x, val q) {
  static const double narrow[] = {1.5703125, 0.0004837512969970703125, 7.549789415861596353352069854736328125e-8,
                                  5.390302858158119e-15};
  static const double wide[] = {1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32};
  for (int i = 0; i < 4; i++) x = math_sub(m, x, math_scale(m, q, math_wide(m) ? wide[i] : narrow[i]));
  return x;
}

static turn take_turn(math *m, val x) {
  static const double sine[] = {-1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880};
  static const double cosine[] = {1, -1.0 / 2, 1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800};
  static const double wide_sine[] = {-0.16666666666666666,   0.008333333333333331,    -0.00019841269841265065,
                                     2.7557319219339167e-06, -2.5052106232447578e-08, 1.6058531618986147e-10,
                                     -7.586697117706918e-13};
  static const double wide_cosine[] = {1,
                                       -0.5,
                                       0.041666666666666664,
                                       -0.0013888888888888887,
                                       2.4801587301584645e-05,
                                       -2.7557319221402824e-07,
                                       2.087675579108042e-09,
                                       -1.1470460887609959e-11,
                                       4.7458719020432915e-14};
  val q = ir_map1(m->b, IR_round_even, math_scale(m, x, TWO_OVER_PI));
  val r = rest_of_turn(m, x, q), square = math_mul(m, r, r);
  turn t = {.quadrant = math_whole(m, q), .cosine = MATH_POLY(m, square, cosine, wide_cosine)};
  t.sine = math_add(m, r, math_mul(m, math_mul(m, r, square), MATH_POLY(m, square, sine, wide_sine)));
  return t;
}

static val bit_set(math *m, val i, int64_t mask) {
  return ir_map2(m->b, IR_ne, ir_map2(m->b, IR_and, i, math_int(m, mask)), math_int(m, 0));
}

/* sin of the turn, `ahead` quadrants further on */
static val turned_sine(math *m, turn t, int64_t ahead) {
  val quadrant = math_add(m, t.quadrant, math_int(m, ahead));
  val magnitude = math_select(m, bit_set(m, quadrant, 1), t.cosine, t.sine);
  return math_select(m, bit_set(m, quadrant, 2), math_neg(m, magnitude), magnitude);
}

val math_sin(math *m, val x, val y) {
  (void)y;
  val zero = math_compare(m, IR_eq, x, 0); /* keeps -0 */
  return math_select(m, zero, x, turned_sine(m, take_turn(m, x), 0));
}

val math_cos(math *m, val x, val y) {
  (void)y;
  return turned_sine(m, take_turn(m, x), 1);
}

val math_tan(math *m, val x, val y) {
  (void)y;
  turn t = take_turn(m, x);
  val odd = bit_set(m, t.quadrant, 1);
  val over = math_select(m, odd, math_neg(m, t.cosine), t.sine);
  val under = math_select(m, odd, t.sine, t.cosine);
  val zero = math_compare(m, IR_eq, x, 0);
  return math_select(m, zero, x, math_div(m, over, under));
}

/* atan of t in [0, 1]: beyond tan(pi/8) by atan t = pi/4 + atan((t - 1) / (t + 1)) */
static val unit_atan(math *m, val t) {
  static const double narrow[] = {-1.0 / 3, 1.0 / 5,   -1.0 / 7, 1.0 / 9,  -1.0 / 11,
                                  1.0 / 13, -1.0 / 15, 1.0 / 17, -1.0 / 19};
  static const double wide[] = {-0.3333333333333333,  0.19999999999999993, -0.14285714285711518, 0.11111111110754729,
                                -0.0909090906700999,  0.07692306736000173, -0.06666642020055166, 0.058819252531928636,
                                -0.05258041554297779, 0.04719395030027433, -0.04104436265755082, 0.030635704112969498,
                                -0.01391822929102443};
  val far = math_compare(m, IR_gt, t, TAN_EIGHTH);
  val moved = math_div(m, math_shift(m, t, -1), math_shift(m, t, 1));
  val r = math_select(m, far, moved, t);
  val square = math_mul(m, r, r);
  val near = math_add(m, r, math_mul(m, math_mul(m, r, square), MATH_POLY(m, square, narrow, wide)));
  return math_select(m, far, math_shift(m, near, HALF_PI / 2), near);
}

val math_atan(math *m, val x, val y) {
  (void)y;
  val a = math_abs(m, x), far = math_compare(m, IR_gt, a, 1);
  val t = math_select(m, far, math_div(m, math_const(m, 1), a), a);
  val angle = unit_atan(m, t);
  val turned = math_sub(m, math_const(m, HALF_PI), angle);
  return math_with_sign(m, math_select(m, far, turned, angle), x);
}

/* The ratio of the smaller to the larger, both >= 0: 0/0 counts as 0, inf/inf as 1. */
static val safe_ratio(math *m, val small, val large) {
  val ratio = math_select(m, math_compare(m, IR_eq, large, 0), math_const(m, 0), math_div(m, small, large));
  val both_infinite = math_compare(m, IR_eq, small, __builtin_inf());
  return math_select(m, both_infinite, math_const(m, 1), ratio);
}

val math_atan2(math *m, val y, val x) {
  val ax = math_abs(m, x), ay = math_abs(m, y);
  val steep = ir_map2(m->b, IR_gt, ay, ax);
  val ratio = safe_ratio(m, ir_map2(m->b, IR_min, ax, ay), ir_map2(m->b, IR_max, ax, ay));
  val angle = unit_atan(m, ratio);
  angle = math_select(m, steep, math_sub(m, math_const(m, HALF_PI), angle), angle);
  val behind = ir_map2(m->b, IR_lt, math_float_bits(m, x), math_int(m, 0));
  angle = math_select(m, behind, math_sub(m, math_const(m, PI), angle), angle);
  val is_nan = ir_map2(m->b, IR_or, ir_map2(m->b, IR_ne, x, x), ir_map2(m->b, IR_ne, y, y));
  return math_select(m, is_nan, math_const(m, __builtin_nan("")), math_with_sign(m, angle, y));
}

/* sqrt((1 - x)(1 + x)): NaN outside [-1, 1] */
static val cofactor(math *m, val x) {
  val one = math_const(m, 1);
  return math_sqrt(m, math_mul(m, math_sub(m, one, x), math_add(m, one, x)));
}

val math_asin(math *m, val x, val y) {
  (void)y;
  return math_atan2(m, x, cofactor(m, x));
}

val math_acos(math *m, val x, val y) {
  (void)y;
  val one = math_const(m, 1);
  val over = math_sqrt(m, math_sub(m, one, x)), under = math_sqrt(m, math_add(m, one, x));
  return math_scale(m, math_atan2(m, over, under), 2);
}
