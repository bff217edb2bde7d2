/* Elementary functions as arithmetic, so that every device computes the same formula and none depends on a driver's exp
 * or sin (measured: up to 500 ulp off). Narrow floats are widened and computed in f32, as everywhere; f64 needs i64 for
 * its bits. Formulas use only elementwise ops that have a direct lowering. */
#include <math.h>

#include "pass/math/math.h"

static const math_format formats[] = {
    {IR_F32, IR_I32, 23, 127, 0x1p-126, 0.693145751953125, 1.42860682030941723e-06},
    {IR_F64, IR_I64, 52, 1023, 0x1p-1022, 0.6931471805598903, 5.497923018708371e-14},
};

val math_const(math *m, double value) {
  ir_dtype type = m->format->real;
  return ir_full(m->b, type, &m->shape, ir_bits_from_f64(type, value));
}

val math_int(math *m, int64_t value) {
  ir_dtype type = m->format->whole;
  return ir_full(m->b, type, &m->shape, ir_bits_from_i64(type, value));
}

val math_scale(math *m, val x, double factor) { return math_mul(m, x, math_const(m, factor)); }

val math_shift(math *m, val x, double offset) { return math_add(m, x, math_const(m, offset)); }

val math_poly(math *m, val x, const double *coefficients, size_t count) {
  val sum = math_const(m, coefficients[count - 1]);
  for (size_t i = count - 1; i-- > 0;) sum = math_shift(m, math_mul(m, sum, x), coefficients[i]);
  return sum;
}

val math_chebyshev(math *m, val x, const double *c, size_t count) {
  val last = math_const(m, c[0]), before = math_const(m, 0), older = before;
  for (size_t k = 1; k < count; k++) {
    older = before;
    before = last;
    last = math_shift(m, math_sub(m, math_mul(m, x, before), older), c[k]);
  }
  return math_scale(m, math_sub(m, last, older), 0.5);
}

static val reinterpret(math *m, val x, ir_dtype type) {
  return ir_make1(m->b, IR_bitcast, &x, 1, &(ir_attrs){.type = type});
}

val math_float_bits(math *m, val x) { return reinterpret(m, x, m->format->whole); }
val math_bits_float(math *m, val bits) { return reinterpret(m, bits, m->format->real); }
val math_float(math *m, val i) { return ir_convert(m->b, i, m->format->real); }
val math_whole(math *m, val x) { return ir_convert(m->b, x, m->format->whole); }
val math_exponent(math *m, val n) { return ir_map2(m->b, IR_shl, n, math_int(m, m->format->mantissa)); }

val math_upper(math *m, val x) {
  val mask = math_int(m, math_wide(m) ? -(1 << 27) : -(1 << 12));
  return math_bits_float(m, ir_map2(m->b, IR_and, math_float_bits(m, x), mask));
}

val math_with_sign(math *m, val magnitude, val sign_of) {
  int64_t most = math_wide(m) ? INT64_MAX : INT32_MAX;
  val sign = ir_map2(m->b, IR_and, math_float_bits(m, sign_of), math_int(m, -most - 1));
  val rest = ir_map2(m->b, IR_and, math_float_bits(m, magnitude), math_int(m, most));
  return math_bits_float(m, ir_map2(m->b, IR_or, sign, rest));
}

static val power_of_two(math *m, val n) {
  return math_bits_float(m, math_exponent(m, math_add(m, n, math_int(m, m->format->bias))));
}

val math_ldexp(math *m, val x, val n) {
  val half = ir_map2(m->b, IR_shr, n, math_int(m, 1));
  val scaled = math_mul(m, x, power_of_two(m, half));
  return math_mul(m, scaled, power_of_two(m, math_sub(m, n, half)));
}

/* ---- the table ---- */

typedef val (*formula_fn)(math *m, val x, val y);

static formula_fn find_formula(ir_code code) {
  switch (code) {
#define FORMULA(op, function) \
  case IR_##op:               \
    return function;
#include "pass/math/math.def"
#undef FORMULA
    default: return NULL;
  }
}

bool math_has(ir_code code) { return find_formula(code) != NULL; }

val math_write(ir_builder *b, ir_code code, val x, val y) {
  math m = {.b = b, .shape = x->type.shape, .format = &formats[x->type.dtype == IR_F64]};
  return find_formula(code)(&m, x, y);
}
