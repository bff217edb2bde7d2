/* Elementary functions as arithmetic: the formula of every function, in f32 and in f64, run lane by lane, against the C
 * library in long double. What each may be off is its row's device_ulp; inputs are edge values and random bits over the
 * type's whole range. */
#include "unit.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ir/eval/eval.h"
#include "ir/eval/special.h"
#include "pass/math/math.h"
#include "random.h"

enum { COUNT = 1 << 15 };

typedef long double real;
typedef real (*reference_fn)(real, real);
#define REFERENCE1(name, expression)       \
  static real ref_##name(real x, real y) { \
    (void)y;                               \
    return expression;                     \
  }
REFERENCE1(exp, expl(x))
REFERENCE1(exp2, exp2l(x))
REFERENCE1(expm1, expm1l(x))
REFERENCE1(logistic, 1 / (1 + expl(-x)))
REFERENCE1(sinh, sinhl(x))
REFERENCE1(cosh, coshl(x))
REFERENCE1(tanh, tanhl(x))
REFERENCE1(log, logl(x))
REFERENCE1(log2, log2l(x))
REFERENCE1(log1p, log1pl(x))
REFERENCE1(asinh, asinhl(x))
REFERENCE1(acosh, acoshl(x))
REFERENCE1(atanh, atanhl(x))
REFERENCE1(sin, sinl(x))
REFERENCE1(cos, cosl(x))
REFERENCE1(tan, tanl(x))
REFERENCE1(atan, atanl(x))
REFERENCE1(asin, asinl(x))
REFERENCE1(acos, acosl(x))
REFERENCE1(cbrt, cbrtl(x))
REFERENCE1(erf, erfl(x))
REFERENCE1(erfc, erfcl(x))
REFERENCE1(erf_inv, special_erf_inv((double)x)) /* these have their own references in the table test */
REFERENCE1(lgamma, special_lgamma((double)x))
REFERENCE1(digamma, special_digamma((double)x))
REFERENCE1(bessel_i0e, special_bessel_i0e((double)x))
REFERENCE1(bessel_i1e, special_bessel_i1e((double)x))
static real ref_pow(real x, real y) { return powl(x, y); }
static real ref_atan2(real y, real x) { return atan2l(y, x); }

static const struct {
  ir_code code;
  reference_fn reference;
} functions[] = {
#define FORMULA(op, function) {IR_##op, ref_##op},
#include "pass/math/math.def"
#undef FORMULA
};

/* ---- a kernel whose body is one formula, and its meaning by ir_lanes ---- */

typedef struct fixture {
  ir_dtype dtype;
  kiln_context *context;
  ir_module *module;
  ir_kernel kernel;
  ir_value *x, *y;
  ir_op *result;  /* a yield of the function's value */
  void **buffers; /* by value id */
  jmp_buf out;
} fixture;

static ir_builder builder_of(fixture *f) {
  return (ir_builder){.module = f->module, .kernel = &f->kernel, .region = f->kernel.body};
}

static void start(fixture *f, ir_code code, ir_dtype dtype) {
  memset(f, 0, sizeof *f);
  f->dtype = dtype;
  assert_int_equal(kiln_context_create(NULL, &f->context), KILN_OK);
  f->module = ir_module_create(f->context);
  f->module->arena.guard = &f->out;
  f->kernel.module = f->module;
  ir_builder b = builder_of(f);
  b.region = f->kernel.body = ir_region_new(&b, NULL);
  ir_shape shape = {.rank = 1, .dims = {ir_dim_const(f->module, COUNT)}};
  f->x = ir_free_value(&b, ir_tile_type(dtype, &shape), STR("x"));
  f->y = ir_free_value(&b, ir_tile_type(dtype, &shape), STR("y"));
  ir_value *value = math_write(&b, code, f->x, f->y);
  ir_yield(&b, &value, 1);
  f->result = f->kernel.body->last;
}

static void finish(fixture *f) {
  ir_module_destroy(f->module);
  kiln_context_destroy(f->context);
}

static void fill(const ir_op *op, void *out) {
  size_t size = ir_dtype_bytes(op->attrs->type);
  for (size_t i = 0; i < COUNT; i++) memcpy((char *)out + i * size, &op->attrs->bits, size);
}

static void evaluate(fixture *f) {
  f->buffers = ARENA_ARRAY(&f->module->arena, void *, f->kernel.value_count);
  f->buffers[f->x->id] = ARENA_ARRAY(&f->module->arena, double, COUNT);
  f->buffers[f->y->id] = ARENA_ARRAY(&f->module->arena, double, COUNT);
}

static void run(fixture *f) {
  for (const ir_op *op = f->kernel.body->first; op != f->result; op = op->next) {
    const ir_type *type = &op->results[0]->type;
    void **out = &f->buffers[op->results[0]->id];
    const void *in[3];
    if (!*out) *out = ARENA_ARRAY(&f->module->arena, uint64_t, COUNT);
    for (uint32_t i = 0; i < op->operand_count; i++) in[i] = f->buffers[op->operands[i]->id];
    ir_dtype dtype = op->operand_count ? op->operands[op->operand_count - 1]->type.dtype : type->dtype;
    if (op->code == IR_full)
      fill(op, *out);
    else if (op->code == IR_bitcast)
      memcpy(*out, in[0], COUNT * ir_dtype_bytes(type->dtype));
    else if (op->code == IR_convert)
      ir_convert_lanes(dtype, type->dtype)(*out, in, COUNT);
    else
      ir_lanes(op->code, dtype)(*out, in, COUNT);
  }
}

/* ---- lanes as numbers ---- */

static real lane_of(const fixture *f, const ir_value *v, size_t i) {
  const void *lanes = f->buffers[v->id];
  return f->dtype == IR_F64 ? (real)((const double *)lanes)[i] : (real)((const float *)lanes)[i];
}

static void set_lane(fixture *f, const ir_value *v, size_t i, double value) {
  void *lanes = f->buffers[v->id];
  if (f->dtype == IR_F64)
    ((double *)lanes)[i] = value;
  else
    ((float *)lanes)[i] = (float)value;
}

/* ---- inputs ---- */

static const double edges[] = {0,        -0.0,     1,         -1,        0.5,       -0.5,  2,    -2,    1e-30,
                               -1e-30,   1e30,     -1e30,     INFINITY,  -INFINITY, NAN,   0.25, 88,    -87,
                               88.7,     89,       -104,      1.5,       3,         -3,    100,  -100,  1e-8,
                               0.999999, 1.000001, 3.1415927, 1.5707964, 709.7,     709.8, -708, -1075, 1e300,
                               1e-300,   1e-16,    1e-17,     21.9,      22.1,      5.9,   6.1,  1.2};
enum { EDGES = sizeof edges / sizeof *edges };

static double random_unit(random_state *seed) { return (double)random_below(seed, 1u << 24) / (1 << 24); }

static double random_float(const fixture *f, random_state *seed, double bound) {
  double value;
  do {
    uint64_t bits = random_next(seed);
    value = ir_bits_to_f64(f->dtype, f->dtype == IR_F64 ? bits : (uint32_t)bits);
  } while (!(fabs(value) < bound));
  return value;
}

static double bound_of(const fixture *f, ir_code code) {
  bool trig = code == IR_sin || code == IR_cos || code == IR_tan;
  return trig ? (f->dtype == IR_F64 ? 1e6 : 1e4) : HUGE_VAL;
}

static void fill_inputs(fixture *f, ir_code code, random_state *seed) {
  double bound = bound_of(f, code);
  for (size_t i = 0; i < COUNT; i++) {
    bool edge = i < EDGES * EDGES, near = i % 2, far = i % 4;
    double x = edge ? edges[i % EDGES] : near ? (random_unit(seed) - 0.5) * 40 : random_float(f, seed, bound);
    double y = edge ? edges[i / EDGES] : near ? (random_unit(seed) - 0.5) * 40 : random_float(f, seed, HUGE_VAL);
    if (!edge && !far && bound < HUGE_VAL) x = (random_unit(seed) - 0.5) * 2 * bound;
    if (!edge && !far && code == IR_pow)
      y = (random_unit(seed) - 0.5) * (f->dtype == IR_F64 ? 2040 : 250) / log2(fabs(x));
    if (bound < HUGE_VAL && isfinite(x) && fabs(x) > bound) x = 1;
    set_lane(f, f->x, i, x);
    set_lane(f, f->y, i, y);
  }
}

/* ---- comparing ---- */

/* The magnitude whose units errors are told in: lgamma and digamma have zeros, where theirs are absolute. */
static real scale_of(ir_code code, real wanted) {
  bool absolute = code == IR_lgamma || code == IR_digamma;
  return absolute && fabsl(wanted) < 1 ? 1 : fabsl(wanted);
}

static real ulp_error(const fixture *f, ir_code code, real got, real wanted) {
  bool wide = f->dtype == IR_F64;
  real least = wide ? 0x1p-1022L : 0x1p-126L, most = wide ? 0x1.fffffffffffff8p1023L : 0x1.ffffffp127L;
  if (isnan(wanted) || isnan(got)) return isnan(wanted) && isnan(got) ? 0 : HUGE_VALL;
  if (fabsl(wanted) >= most || isinf(got))
    return (got > 0) == (wanted > 0) && fabsl(wanted) > most / 1.000001L && fabsl(got) > most / 1.000001L ? 0
                                                                                                          : HUGE_VALL;
  if (scale_of(code, wanted) < least) return fabsl(got) <= least ? 0 : HUGE_VALL; /* devices may flush to zero */
  return fabsl(got - wanted) / exp2l(floorl(log2l(scale_of(code, wanted))) - (wide ? 52 : 23));
}

static void check(ir_code code, reference_fn reference, ir_dtype dtype, int *failures) {
  fixture f;
  random_state seed = random_start("math");
  start(&f, code, dtype);
  evaluate(&f);
  fill_inputs(&f, code, &seed);
  run(&f);
  real worst = 0, x = 0, y = 0, got = 0;
  for (size_t i = 0; i < COUNT; i++) {
    real a = lane_of(&f, f.x, i), b = lane_of(&f, f.y, i), result = lane_of(&f, f.result->operands[0], i);
    real error = ulp_error(&f, code, result, reference(a, b));
    if (error > worst) worst = error, x = a, y = b, got = result;
  }
  const ir_op_info *info = ir_op_get(code);
  print_message("%s %-9s %8.2Lf ulp of %2u, at x = %.17Lg, y = %.17Lg: %.17Lg for %.17Lg\n", ir_dtype_get(dtype)->name,
                info->id, worst, info->device_ulp, x, y, got, reference(x, y));
  *failures += worst > info->device_ulp;
  finish(&f);
}

static void every_formula_keeps_its_tolerance(void **state) {
  int failures = 0;
  (void)state;
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    check(functions[i].code, functions[i].reference, IR_F32, &failures);
    check(functions[i].code, functions[i].reference, IR_F64, &failures);
  }
  assert_int_equal(failures, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_formula_keeps_its_tolerance)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
