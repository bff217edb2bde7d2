/* Elementary functions written as IR, and the small vocabulary that the formulas of the math_*.c files share. A `math`
 * is a place to build at, the shape of every tile there and the float format: one formula serves f32 and f64, with
 * constants and polynomials for each. Products and sums are rounded one by one: back ends must not contract them. */
#ifndef KILN_SRC_PASS_MATH_MATH_H
#define KILN_SRC_PASS_MATH_MATH_H

#include "ir/ir.h"

typedef struct math_format {
  ir_dtype real, whole; /* whole: the integers that hold real's bits */
  int32_t mantissa, bias;
  double least;             /* the least normal number */
  double ln2_high, ln2_low; /* ln 2 in two parts, the first short enough that n times it is exact */
} math_format;

typedef struct math {
  ir_builder *b;
  ir_shape shape;
  const math_format *format;
} math;
typedef ir_value *val;

bool math_has(ir_code code); /* a formula */
/* The function of x, and of y where it has two operands, at the builder's place. Both are f32 or f64. */
val math_write(ir_builder *b, ir_code code, val x, val y);

/* ---- for formulas ---- */
val math_const(math *m, double value);                                   /* in the format, everywhere */
val math_int(math *m, int64_t value);                                    /* likewise, of its integers */
val math_scale(math *m, val x, double factor);                           /* x * factor */
val math_shift(math *m, val x, double offset);                           /* x + offset */
val math_poly(math *m, val x, const double *coefficients, size_t count); /* c[0] + x * (c[1] + x * ..) */
/* The sum of c[k] T(count - 1 - k)(x / 2), the last at half weight (Clenshaw's recurrence); x from -2 to 2 */
val math_chebyshev(math *m, val x, const double *c, size_t count);
val math_float_bits(math *m, val x); /* its bits as an integer */
val math_bits_float(math *m, val bits);
val math_float(math *m, val i);
val math_whole(math *m, val x);
val math_exponent(math *m, val n);                       /* n shifted to the exponent's place */
val math_upper(math *m, val x);                          /* the upper half of its bits: products of two are exact */
val math_with_sign(math *m, val magnitude, val sign_of); /* |magnitude| with the sign bit of sign_of */
val math_ldexp(math *m, val x, val n);                   /* x * 2^n for |n| < 2 bias, in two steps: no early overflow */

static inline bool math_wide(const math *m) { return m->format->real == IR_F64; }
static inline double math_pick(const math *m, double narrow, double wide) { return math_wide(m) ? wide : narrow; }
/* The polynomial of two arrays, one for each format. */
#define MATH_POLY(m, x, narrow, wide) \
  math_poly(m, x, math_wide(m) ? (wide) : (narrow), math_wide(m) ? COUNT_OF(wide) : COUNT_OF(narrow))
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

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

#define FORMULA(op, function) val function(math *m, val x, val y);
#include "pass/math/math.def"
#undef FORMULA

#endif
