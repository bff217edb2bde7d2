/* pass expand_math: the formula of every function, run lane by lane, against the C library in double precision. What
 * each may be off is its row's device_ulp; inputs are edge values and random bits over the whole range of f32. */
#include "unit.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ir/eval.h"
#include "pass/pass.h"
#include "random.h"

enum { COUNT = 1 << 15 };

typedef double (*reference_fn)(double, double);
#define REFERENCE1(name, expression)             \
  static double ref_##name(double x, double y) { \
    (void)y;                                     \
    return expression;                           \
  }
REFERENCE1(exp, exp(x))
REFERENCE1(exp2, exp2(x))
REFERENCE1(expm1, expm1(x))
REFERENCE1(logistic, 1 / (1 + exp(-x)))
REFERENCE1(sinh, sinh(x))
REFERENCE1(cosh, cosh(x))
REFERENCE1(tanh, tanh(x))
REFERENCE1(log, log(x))
REFERENCE1(log2, log2(x))
REFERENCE1(log1p, log1p(x))
REFERENCE1(asinh, asinh(x))
REFERENCE1(acosh, acosh(x))
REFERENCE1(atanh, atanh(x))
REFERENCE1(sin, sin(x))
REFERENCE1(cos, cos(x))
REFERENCE1(tan, tan(x))
REFERENCE1(atan, atan(x))
REFERENCE1(asin, asin(x))
REFERENCE1(acos, acos(x))
REFERENCE1(cbrt, cbrt(x))
REFERENCE1(erf, erf(x))
static double ref_pow(double x, double y) { return pow(x, y); }
static double ref_atan2(double y, double x) { return atan2(y, x); }

static const struct {
  ir_code code;
  reference_fn reference;
} functions[] = {
#define EXPAND(op, function) {IR_##op, ref_##op},
#include "pass/expand_math.def"
#undef EXPAND
};

/* ---- a kernel whose body is one op, and its meaning by ir_lanes ---- */

typedef struct fixture {
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

static void start(fixture *f, ir_code code) {
  memset(f, 0, sizeof *f);
  assert_int_equal(kiln_context_create(NULL, &f->context), KILN_OK);
  f->module = ir_module_create(f->context);
  f->module->arena.guard = &f->out;
  f->kernel.module = f->module;
  ir_builder b = builder_of(f);
  b.region = f->kernel.body = ir_region_new(&b, NULL);
  ir_shape shape = {.rank = 1, .dims = {ir_dim_const(f->module, COUNT)}};
  f->x = ir_free_value(&b, ir_tile_type(IR_F32, &shape), STR("x"));
  f->y = ir_free_value(&b, ir_tile_type(IR_F32, &shape), STR("y"));
  ir_value *operands[] = {f->x, f->y};
  ir_value *value = ir_make1(&b, code, operands, (uint32_t)ir_op_get(code)->arity, NULL);
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
  f->buffers[f->x->id] = ARENA_ARRAY(&f->module->arena, float, COUNT);
  f->buffers[f->y->id] = ARENA_ARRAY(&f->module->arena, float, COUNT);
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

/* ---- inputs ---- */

static const float edges[] = {0,         -0.0f,     1,          -1,         0.5f,     -0.5f,     2,    -2,
                              1e-30f,    -1e-30f,   1e30f,      -1e30f,     INFINITY, -INFINITY, NAN,  0.25f,
                              88,        -87,       88.7f,      89,         -104,     1.5f,      3,    -3,
                              0.999999f, 1.000001f, 3.1415927f, 1.5707964f, 100,      -100,      1e-8f};
enum { EDGES = sizeof edges / sizeof *edges };

static double random_unit(random_state *seed) { return (double)random_below(seed, 1u << 24) / (1 << 24); }

static float random_float(random_state *seed, double bound) {
  float value;
  do {
    uint32_t bits = (uint32_t)random_next(seed);
    memcpy(&value, &bits, sizeof value);
  } while (!(fabs((double)value) < bound));
  return value;
}

static double bound_of(ir_code code) { return code == IR_sin || code == IR_cos || code == IR_tan ? 1e4 : HUGE_VAL; }

static void fill_inputs(fixture *f, ir_code code, random_state *seed) {
  float *x = f->buffers[f->x->id], *y = f->buffers[f->y->id];
  double bound = bound_of(code);
  for (size_t i = 0; i < COUNT; i++) {
    bool edge = i < EDGES * EDGES, near = i % 2;
    x[i] = edge ? edges[i % EDGES] : near ? (float)((random_unit(seed) - 0.5) * 40) : random_float(seed, bound);
    y[i] = edge ? edges[i / EDGES] : near ? (float)((random_unit(seed) - 0.5) * 40) : random_float(seed, HUGE_VAL);
    if (bound < HUGE_VAL && isfinite(x[i]) && fabs((double)x[i]) > bound) x[i] = 1;
  }
}

/* ---- comparing ---- */

static double ulp_error(float got, double wanted) {
  float rounded = (float)wanted;
  if (isnan(rounded) || isnan(got)) return isnan(rounded) && isnan(got) ? 0 : HUGE_VAL;
  if (isinf(rounded) || isinf(got)) return rounded == got || fabs((double)got) > 3.402e38 ? 0 : HUGE_VAL;
  const double least = 1.17549435082228751e-38; /* below, devices may flush to zero */
  if (fabs(wanted) < least) return fabs((double)got) <= least ? 0 : HUGE_VAL;
  return fabs((double)got - wanted) / exp2(floor(log2(fabs(wanted))) - 23);
}

static void check(ir_code code, reference_fn reference, int *failures) {
  fixture f;
  random_state seed = random_start("expand_math");
  start(&f, code);
  pass_ctx c = {.kernel = &f.kernel};
  assert_true(pass_expand_math(&c));
  evaluate(&f);
  fill_inputs(&f, code, &seed);
  run(&f);
  const float *x = f.buffers[f.x->id], *y = f.buffers[f.y->id], *got = f.buffers[f.result->operands[0]->id];
  double worst = 0;
  size_t at = 0;
  for (size_t i = 0; i < COUNT; i++) {
    double error = ulp_error(got[i], reference((double)x[i], (double)y[i]));
    if (error > worst) worst = error, at = i;
  }
  const ir_op_info *info = ir_op_get(code);
  print_message("%-9s %8.2f ulp of %2u, at x = %.9g, y = %.9g: %.9g for %.9g\n", info->id, worst, info->device_ulp,
                (double)x[at], (double)y[at], (double)got[at], reference((double)x[at], (double)y[at]));
  bool right = worst <= info->device_ulp;
  finish(&f);
  *failures += !right;
}

static void every_formula_keeps_its_tolerance(void **state) {
  int failures = 0;
  (void)state;
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
    check(functions[i].code, functions[i].reference, &failures);
  assert_int_equal(failures, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_formula_keeps_its_tolerance)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
