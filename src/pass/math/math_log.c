/* log and its family. x = 2^e m with m in [sqrt 1/2, sqrt 2); log m = 2 atanh(s), s = (m - 1) / (m + 1), |s| < 0.172,
 * by its Taylor series to s^13 (f64: a fit of tests/fit/fit_math.py). pow carries log2 x in two parts, since its error
 * is multiplied by the exponent. */
#include "pass/math/math.h"

#define LN2 0.69314718055994530942
#define LOG2_E 1.44269504088896340736
#define SQRT_HALF_BITS 0x3f3504f3 /* bits of sqrt(1/2) */
#define SQRT_HALF_BITS_WIDE 0x3fe6a09e667f3bcc

/* 2 atanh(s) / s - 2 */
static val atanh_tail(math *m, val s) {
  static const double narrow[] = {2.0 / 3, 2.0 / 5, 2.0 / 7, 2.0 / 9, 2.0 / 11, 2.0 / 13};
  static const double wide[] = {0.666666666666667,  0.3999999999989607, 0.28571428627528794, 0.22222210881932927,
                                0.1818290749767122, 0.1533111258796017, 0.1462395660821188};
  val square = math_mul(m, s, s);
  return math_mul(m, square, MATH_POLY(m, square, narrow, wide));
}

static val twice_atanh(math *m, val s) { return math_mul(m, s, math_shift(m, atanh_tail(m, s), 2)); }

/* f / (2 + f), f = m - 1 */
static val log1p_near(math *m, val f) { return twice_atanh(m, math_div(m, f, math_shift(m, f, 2))); }

/* e as a float and m of a normal positive x */
static void take_apart(math *m, val x, val *e, val *fraction) {
  val bits = math_float_bits(m, x), root = math_int(m, math_wide(m) ? SQRT_HALF_BITS_WIDE : SQRT_HALF_BITS);
  val exponent = ir_map2(m->b, IR_shr, math_sub(m, bits, root), math_int(m, m->format->mantissa));
  *fraction = math_bits_float(m, math_sub(m, bits, math_exponent(m, exponent)));
  *e = math_float(m, exponent);
}

/* The answer where x is no positive number: 0 gives -inf, negative NaN; infinite and NaN stay. */
static val patch_ends(math *m, val x, val result) {
  val zero = math_compare(m, IR_eq, x, 0);
  val negative = math_compare(m, IR_lt, x, 0);
  val finite = ir_map1(m->b, IR_is_finite, x);
  val patched = math_select(m, finite, result, x);
  patched = math_select(m, zero, math_const(m, -__builtin_inf()), patched);
  return math_select(m, negative, math_const(m, __builtin_nan("")), patched);
}

/* Subnormal numbers are scaled up first, by 2^23 (f64: 2^52), with as much taken from the exponent. */
static val normalise(math *m, val x, val *correction) {
  val tiny = math_compare(m, IR_lt, x, m->format->least);
  *correction = math_select(m, tiny, math_const(m, m->format->mantissa), math_const(m, 0));
  return math_select(m, tiny, math_scale(m, x, math_pick(m, 0x1p23, 0x1p52)), x);
}

static void log_parts(math *m, val x, val *e, val *f) {
  val correction, fraction, exponent;
  take_apart(m, normalise(m, x, &correction), &exponent, &fraction);
  *e = math_sub(m, exponent, correction);
  *f = math_shift(m, fraction, -1);
}

val math_log(math *m, val x, val y) {
  (void)y;
  val e, f;
  log_parts(m, x, &e, &f);
  val low = math_add(m, math_scale(m, e, m->format->ln2_low), log1p_near(m, f));
  return patch_ends(m, x, math_add(m, math_scale(m, e, m->format->ln2_high), low));
}

val math_log2(math *m, val x, val y) {
  (void)y;
  val e, f;
  log_parts(m, x, &e, &f);
  return patch_ends(m, x, math_add(m, e, math_scale(m, log1p_near(m, f), LOG2_E)));
}

val math_log1p(math *m, val x, val y) {
  val far = math_log(m, math_shift(m, x, 1), y);
  val near = math_compare(m, IR_lt, math_abs(m, x), 0.25);
  val tiny = math_compare(m, IR_lt, math_abs(m, x), math_pick(m, 1e-9, 1e-18)); /* keeps -0 and subnormal numbers */
  return math_select(m, tiny, x, math_select(m, near, log1p_near(m, x), far));
}

/* log(2 a) for large a */
static val log_double(math *m, val a) { return math_shift(m, math_log(m, a, NULL), LN2); }

val math_asinh(math *m, val x, val y) {
  val a = math_abs(m, x), square = math_mul(m, a, a);
  val root = math_sqrt(m, math_shift(m, square, 1));
  val near = math_log1p(m, math_add(m, a, math_div(m, square, math_shift(m, root, 1))), y);
  val large = math_compare(m, IR_gt, a, 1e9);
  return math_with_sign(m, math_select(m, large, log_double(m, a), near), x);
}

val math_acosh(math *m, val x, val y) {
  val t = math_shift(m, x, -1);
  val inside = math_add(m, math_add(m, t, t), math_mul(m, t, t));
  val near = math_log1p(m, math_add(m, t, math_sqrt(m, inside)), y);
  val large = math_compare(m, IR_gt, x, 1e9);
  val below = math_compare(m, IR_lt, x, 1);
  val result = math_select(m, large, log_double(m, x), near);
  return math_select(m, below, math_const(m, __builtin_nan("")), result);
}

val math_atanh(math *m, val x, val y) {
  val a = math_abs(m, x);
  val ratio = math_div(m, math_add(m, a, a), math_sub(m, math_const(m, 1), a));
  return math_with_sign(m, math_scale(m, math_log1p(m, ratio, y), 0.5), x);
}

/* ---- pow ---- */

/* A number as an unrounded sum. */
typedef struct pair {
  val high, low;
} pair;

static pair exact_product(math *m, val a, val c) {
  val product = math_mul(m, a, c);
  val a1 = math_upper(m, a), a2 = math_sub(m, a, a1), c1 = math_upper(m, c), c2 = math_sub(m, c, c1);
  val error = math_sub(m, math_mul(m, a1, c1), product);
  error = math_add(m, math_add(m, error, math_mul(m, a1, c2)), math_mul(m, a2, c1));
  return (pair){product, math_add(m, error, math_mul(m, a2, c2))};
}

/* a + c where |a| >= |c| or a is 0 */
static pair exact_sum(math *m, val a, val c) {
  val sum = math_add(m, a, c);
  return (pair){sum, math_sub(m, c, math_sub(m, sum, a))};
}

static pair pair_product(math *m, pair a, pair c) {
  pair p = exact_product(m, a.high, c.high);
  val cross = math_add(m, math_mul(m, a.high, c.low), math_mul(m, a.low, c.high));
  return exact_sum(m, p.high, math_add(m, p.low, cross));
}

/* 2 atanh(s) */
static pair narrow_log(math *m, pair s) {
  val tail = math_add(m, math_mul(m, s.high, atanh_tail(m, s.high)), math_add(m, s.low, s.low));
  return exact_sum(m, math_add(m, s.high, s.high), tail);
}

/* The same to 65 bits: s (2 + s^2 (2/3 + s^2 p(s^2))), where p alone is a plain number. */
static pair wide_log(math *m, pair s) {
  static const double p[] = {0.4,
                             0.28571428571428564,
                             0.22222222222228674,
                             0.18181818179584094,
                             0.15384615771752186,
                             0.13333295705394957,
                             0.11766848885567724,
                             0.10455528040257733,
                             0.10769647487380807};
  pair square = pair_product(m, s, s);
  val rest = math_mul(m, square.high, math_poly(m, square.high, p, COUNT_OF(p)));
  pair factor = exact_sum(m, math_const(m, 0.6666666666666666), math_shift(m, rest, 3.700743415417188e-17));
  pair tail = pair_product(m, s, pair_product(m, square, factor));
  pair sum = exact_sum(m, math_add(m, s.high, s.high), tail.high);
  val low = math_add(m, math_add(m, s.low, s.low), tail.low);
  return exact_sum(m, sum.high, math_add(m, sum.low, low));
}

static pair log2_e(math *m) {
  return (pair){math_const(m, math_pick(m, 1.44269502162933349609, 1.4426950408889634)),
                math_const(m, math_pick(m, 1.92596299112661746887e-08, 2.0355273740931033e-17))};
}

/* log2 of a normal positive a, to about 40 bits (f64: 65) */
static pair log2_pair(math *m, val a) {
  val e, f;
  log_parts(m, a, &e, &f);
  pair divisor = exact_sum(m, math_const(m, 2), f);
  val s = math_div(m, f, divisor.high);
  pair back = exact_product(m, s, divisor.high);
  val rest = math_sub(m, math_sub(m, math_sub(m, f, back.high), back.low), math_mul(m, s, divisor.low));
  pair precise = {s, math_div(m, rest, divisor.high)};
  pair scaled = pair_product(m, math_wide(m) ? wide_log(m, precise) : narrow_log(m, precise), log2_e(m));
  pair sum = exact_sum(m, e, scaled.high);
  return exact_sum(m, sum.high, math_add(m, sum.low, scaled.low));
}

static val limit(math *m, val x, double most) {
  return ir_map3(m->b, IR_clamp, math_const(m, -most), x, math_const(m, most));
}

/* a^y for a > 0, both finite. No a but 1 has a logarithm so small that y beyond 4e9 (f64: 1e19) does not settle the
 * matter. */
static val positive_power(math *m, val a, val y) {
  val moderate = limit(m, y, math_pick(m, 4e9, 1e19));
  pair t = pair_product(m, log2_pair(m, a), (pair){moderate, math_const(m, 0)});
  val bounded = limit(m, t.high, math_pick(m, 160, 1100));
  val n = ir_map1(m->b, IR_round_even, bounded);
  val inside = ir_map2(m->b, IR_eq, bounded, t.high);
  val low = math_select(m, inside, t.low, math_const(m, 0));
  val fraction = math_exp2(m, math_add(m, math_sub(m, bounded, n), low), NULL);
  return math_ldexp(m, fraction, math_whole(m, n));
}

static val both(math *m, val a, val c) { return ir_map2(m->b, IR_and, a, c); }
static val either(math *m, val a, val c) { return ir_map2(m->b, IR_or, a, c); }

/* The limit for a of 0 or infinity, or y infinite: 0 or infinity, by which way the power goes. */
static val extreme_power(math *m, val a, val y) {
  val rises = ir_map2(m->b, IR_eq, math_compare(m, IR_gt, a, 1), math_compare(m, IR_gt, y, 0));
  return math_select(m, rises, math_const(m, __builtin_inf()), math_const(m, 0));
}

static val is_odd(math *m, val y) {
  val half = math_scale(m, y, 0.5);
  val whole = ir_map2(m->b, IR_eq, ir_map1(m->b, IR_floor, y), y);
  return both(m, whole, ir_map2(m->b, IR_ne, ir_map1(m->b, IR_floor, half), half));
}

static val patch_sign(math *m, val x, val y, val magnitude) {
  val negative = ir_map2(m->b, IR_lt, math_float_bits(m, x), math_int(m, 0));
  val fractional = ir_map2(m->b, IR_ne, ir_map1(m->b, IR_floor, y), y);
  val ordinary = both(m, math_compare(m, IR_lt, x, 0), ir_map1(m->b, IR_is_finite, x));
  val flipped = math_select(m, both(m, negative, is_odd(m, y)), math_neg(m, magnitude), magnitude);
  return math_select(m, both(m, ordinary, fractional), math_const(m, __builtin_nan("")), flipped);
}

val math_pow(math *m, val x, val y) {
  val a = math_abs(m, x);
  val y_finite = ir_map1(m->b, IR_is_finite, y), a_finite = ir_map1(m->b, IR_is_finite, a);
  val ordinary = both(m, both(m, y_finite, a_finite), math_compare(m, IR_ne, a, 0));
  val magnitude = math_select(m, ordinary, positive_power(m, a, y), extreme_power(m, a, y));
  val result = patch_sign(m, x, y, magnitude);
  val is_nan = either(m, ir_map2(m->b, IR_ne, x, x), ir_map2(m->b, IR_ne, y, y));
  result = math_select(m, is_nan, math_const(m, __builtin_nan("")), result);
  val y_infinite = both(m, ir_map2(m->b, IR_eq, y, y), ir_map1(m->b, IR_not, y_finite));
  val unit_base = either(m, math_compare(m, IR_eq, x, 1), both(m, math_compare(m, IR_eq, x, -1), y_infinite));
  val one = either(m, math_compare(m, IR_eq, y, 0), unit_base);
  return math_select(m, one, math_const(m, 1), result);
}
