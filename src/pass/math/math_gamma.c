/* Gamma functions by Lanczos' approximation with g = 7 (as XLA has them), for arguments of 1/2 and more; by reflection
 * below. */
#include "pass/math/math.h"

#define PI 3.14159265358979323846
#define LOG_PI 1.14472988584940017414
#define HALF_LOG_2_PI 0.91893853320467274178
#define LANCZOS 7.5 /* g + 1/2 */
#define LOG_LANCZOS 2.01490302054226466487

static const double coefficients[] = {676.520368121885098567,    -1259.13921672240287047,  771.323428777653078849,
                                      -176.615029162140599066,   12.5073432786869048145,   -0.138571095265720116896,
                                      9.98436957801957085956e-6, 1.50563273514931155834e-7};
enum { COUNT = sizeof coefficients / sizeof *coefficients };

typedef struct lanczos {
  val reflected;  /* whether z stands for -x, else for x - 1 */
  val z, log_sum; /* log(z + 7.5) */
  val series, slope;
} lanczos;

/* The series 1 + sum of c / (z + k), and its derivative if wanted. */
static lanczos lanczos_of(math *m, val x, bool with_slope) {
  lanczos l = {.reflected = math_compare(m, IR_lt, x, 0.5)};
  l.z = math_select(m, l.reflected, math_neg(m, x), math_shift(m, x, -1));
  l.log_sum = math_shift(m, math_log1p(m, math_scale(m, l.z, 1 / LANCZOS), NULL), LOG_LANCZOS);
  l.series = math_const(m, 0.99999999999980993228);
  l.slope = math_const(m, 0);
  for (int k = 0; k < COUNT; k++) {
    val place = math_shift(m, l.z, k + 1), term = math_div(m, math_const(m, coefficients[k]), place);
    l.series = math_add(m, l.series, term);
    if (with_slope) l.slope = math_sub(m, l.slope, math_div(m, term, place));
  }
  return l;
}

static val floor_of(math *m, val x) { return ir_map1(m->b, IR_floor, x); }

/* log(pi / sin(pi |x|)) - log gamma(1 - x) */
val math_lgamma(math *m, val x, val y) {
  (void)y;
  lanczos l = lanczos_of(m, x, false);
  val total = math_shift(m, l.z, LANCZOS);
  val power = math_sub(m, math_shift(m, l.z, 0.5), math_div(m, total, l.log_sum));
  val direct = math_add(m, math_shift(m, math_mul(m, power, l.log_sum), HALF_LOG_2_PI), math_log(m, l.series, NULL));
  val size = math_abs(m, x), part = math_sub(m, size, floor_of(m, size));
  part = math_select(m, math_compare(m, IR_gt, part, 0.5), math_sub(m, math_const(m, 1), part), part);
  val sine = math_log(m, math_sin(m, math_scale(m, part, PI), NULL), NULL);
  val turned = math_sub(m, math_sub(m, math_const(m, LOG_PI), sine), direct);
  turned = math_select(m, ir_map1(m->b, IR_is_finite, sine), turned, math_neg(m, sine));
  val found = math_select(m, l.reflected, turned, direct);
  return math_select(m, math_compare(m, IR_eq, size, __builtin_inf()), size, found);
}

/* NaN at zero and the whole numbers below */
static val patch_poles(math *m, val x, val found) {
  val whole = ir_map2(m->b, IR_and, ir_map2(m->b, IR_eq, x, floor_of(m, x)), math_compare(m, IR_le, x, 0));
  return math_select(m, whole, math_const(m, __builtin_nan("")), found);
}

val math_digamma(math *m, val x, val y) {
  (void)y;
  lanczos l = lanczos_of(m, x, true);
  val direct = math_add(m, l.log_sum, math_div(m, l.slope, l.series));
  direct = math_sub(m, direct, math_div(m, math_const(m, LANCZOS - 0.5), math_shift(m, l.z, LANCZOS)));
  val part = math_sub(m, x, floor_of(m, math_shift(m, x, 0.5)));
  val angle = math_scale(m, part, PI);
  val cotangent = math_div(m, math_cos(m, angle, NULL), math_sin(m, angle, NULL));
  val turned = math_sub(m, direct, math_scale(m, cotangent, PI));
  val found = patch_poles(m, x, math_select(m, l.reflected, turned, direct));
  return math_select(m, math_compare(m, IR_eq, x, __builtin_inf()), x, found);
}
