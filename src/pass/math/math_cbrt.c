/* Cube root. */
#include "pass/math/math.h"

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
