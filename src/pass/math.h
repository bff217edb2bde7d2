/* A small vocabulary for writing f32 formulas as IR: what expand_math and its math_*.c files share. A `math` is a place
 * to build at and the shape of every tile there. Products and sums are rounded one by one: back ends must not contract
 * them. */
#ifndef KILN_SRC_PASS_MATH_H
#define KILN_SRC_PASS_MATH_H

#include "ir/ir.h"

typedef struct math {
  ir_builder *b;
  ir_shape shape;
} math;
typedef ir_value *val;

val math_const(math *m, double value);                                   /* f32 everywhere */
val math_int(math *m, int64_t value);                                    /* i32 everywhere */
val math_scale(math *m, val x, double factor);                           /* x * factor */
val math_shift(math *m, val x, double offset);                           /* x + offset */
val math_poly(math *m, val x, const double *coefficients, size_t count); /* c[0] + x * (c[1] + x * ..) */
val math_float_bits(math *m, val x);                                     /* f32 -> its bits as i32 */
val math_bits_float(math *m, val bits);
val math_float(math *m, val i);                          /* i32 -> f32 */
val math_whole(math *m, val x);                          /* f32 -> i32 */
val math_with_sign(math *m, val magnitude, val sign_of); /* |magnitude| with the sign bit of sign_of */
val math_ldexp(math *m, val x, val n); /* x * 2^n for i32 n in [-252, 254], in two steps: no early overflow */

static inline val math_add(math *m, val a, val c) { return ir_map2(m->b, IR_add, a, c); }
static inline val math_sub(math *m, val a, val c) { return ir_map2(m->b, IR_sub, a, c); }
static inline val math_mul(math *m, val a, val c) { return ir_map2(m->b, IR_mul, a, c); }
static inline val math_div(math *m, val a, val c) { return ir_map2(m->b, IR_div, a, c); }
static inline val math_abs(math *m, val a) { return ir_map1(m->b, IR_abs, a); }
static inline val math_neg(math *m, val a) { return ir_map1(m->b, IR_neg, a); }
static inline val math_sqrt(math *m, val a) { return ir_map1(m->b, IR_sqrt, a); }
static inline val math_select(math *m, val condition, val a, val c) {
  return ir_map3(m->b, IR_select, condition, a, c);
}
static inline val math_compare(math *m, ir_code code, val a, double c) {
  return ir_map2(m->b, code, a, math_const(m, c));
}

#define EXPAND(op, function) val function(math *m, val x, val y);
#include "pass/expand_math.def"
#undef EXPAND

#endif
