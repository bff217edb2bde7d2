/* The host executor: kernel texts against plain C. Every kernel runs fast, on several threads, and checked in several
 * seeded orders; the outputs must agree. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kiln/host.h"

enum { ARRAYS = 6 };

typedef struct run {
  kiln_context *context;
  kiln_module *module;
  const kiln_kernel *kernel;
  kiln_array arrays[ARRAYS];
  size_t count;
} run;

static kiln_str str(const char *text) { return (kiln_str){text, strlen(text)}; }

static void print_diags(kiln_context *context) {
  for (size_t i = 0; i < kiln_diag_count(context); i++) {
    kiln_str text = kiln_diag_render(context, kiln_diag_get(context, i));
    print_error("%.*s\n", (int)text.size, text.data);
  }
}

static run open_text(const char *text) {
  run r = {0};
  assert_int_equal(kiln_context_create(&(kiln_context_desc){.threads = 4}, &r.context), KILN_OK);
  if (kiln_module_parse(r.context, &(kiln_parse_desc){.text = str(text)}, &r.module) != KILN_OK) {
    print_diags(r.context);
    fail_msg("does not parse: %s", text);
  }
  r.kernel = kiln_module_kernel(r.module, 0);
  r.count = kiln_kernel_param_count(r.kernel);
  assert_true(r.count <= ARRAYS);
  return r;
}

static void close_run(run *r) {
  for (size_t i = 0; i < r->count; i++) free(r->arrays[i].data);
  kiln_module_destroy(r->module);
  kiln_context_destroy(r->context);
}

/* Array `index` of the given shape, with room for its data. */
static void *array(run *r, size_t index, kiln_dtype dtype, uint32_t rank, ...) {
  kiln_array *a = &r->arrays[index];
  va_list dims;
  *a = (kiln_array){.dtype = dtype, .rank = rank, .size = kiln_dtype_size(dtype)};
  va_start(dims, rank);
  for (uint32_t d = 0; d < rank; d++) a->size *= (size_t)(a->dims[d] = va_arg(dims, int));
  va_end(dims);
  a->data = calloc(1, a->size + 1);
  return a->data;
}

static float *floats(run *r, size_t index, int rows, int columns) {
  float *data = array(r, index, KILN_F32, 2, rows, columns);
  for (int i = 0; i < rows * columns; i++)
    data[i] = (float)(((int64_t)i * 7919 + (int64_t)index * 31) % 1009) / 256 - 2;
  return data;
}

static void run_fast(run *r) {
  kiln_result result = kiln_host_run(r->context, r->kernel, NULL, r->arrays, r->count);
  if (result != KILN_OK) {
    print_diags(r->context);
    fail_msg("run failed: %s", kiln_result_name(result));
  }
}

/* Fast, then checked in three orders: the last array must come out the same. */
static void run_all(run *r) {
  kiln_array *out = &r->arrays[r->count - 1];
  void *first = malloc(out->size + 1);
  run_fast(r);
  memcpy(first, out->data, out->size);
  for (uint64_t seed = 0; seed < 3; seed++) {
    memset(out->data, 0xa5, out->size);
    kiln_host_desc desc = {.check = true, .seed = seed};
    kiln_result result = kiln_host_run(r->context, r->kernel, &desc, r->arrays, r->count);
    if (result != KILN_OK) print_diags(r->context);
    assert_int_equal(result, KILN_OK);
    assert_memory_equal(out->data, first, out->size);
  }
  free(first);
}

static void near(const float *got, const float *want, size_t count, float tolerance) {
  for (size_t i = 0; i < count; i++)
    if (!(fabsf(got[i] - want[i]) <= tolerance * (1 + fabsf(want[i]))))
      fail_msg("element %zu is %g, expected %g", i, (double)got[i], (double)want[i]);
}

/* ---- kernels ---- */

static void test_add(void **context) {
  (void)context;
  run r = open_text(
      "kernel add(x: f32[M, N], y: f32[M, N]) -> (z: f32[M, N]) {\n"
      "  grid i: cdiv(M, 4) parallel\n"
      "  block x (4, N) at (i, 0)\n  block y (4, N) at (i, 0)\n  block z (4, N) at (i, 0)\n"
      "  z[...] = x[...] * 2.0 + y[...]\n}\n");
  const float *x = floats(&r, 0, 10, 37), *y = floats(&r, 1, 10, 37);
  float *z = floats(&r, 2, 10, 37), want[370];
  for (int i = 0; i < 370; i++) want[i] = x[i] * 2 + y[i];
  run_all(&r);
  assert_memory_equal(z, want, sizeof want);
  close_run(&r);
}

static void test_softmax(void **context) {
  (void)context;
  enum { M = 13, N = 1500 };
  run r = open_text(
      "kernel softmax(x: f32[M, N]) -> (y: f32[M, N]) {\n"
      "  grid i: cdiv(M, 8) parallel\n  block x (8, N) at (i, 0)\n  block y (8, N) at (i, 0)\n"
      "  let v = x[...]\n  let e = exp(v - max(v, axis: 1, keep))\n  y[...] = e / sum(e, axis: 1, keep)\n}\n");
  const float *x = floats(&r, 0, M, N);
  float *y = floats(&r, 1, M, N), *want = malloc(sizeof(float) * M * N);
  for (int i = 0; i < M; i++) {
    double top = -1e30, sum = 0;
    for (int j = 0; j < N; j++) top = fmax(top, (double)x[i * N + j]);
    for (int j = 0; j < N; j++) sum += exp((double)x[i * N + j] - top);
    for (int j = 0; j < N; j++) want[i * N + j] = (float)(exp((double)x[i * N + j] - top) / sum);
  }
  run_all(&r);
  near(y, want, M * N, 1e-6F);
  free(want);
  close_run(&r);
}

/* A grid of one point: its loops are shared by the threads, but for what a reduction makes depend on order. */
static void test_lone_unit(void **context) {
  (void)context;
  enum { M = 301, N = 1030 };
  run r = open_text(
      "kernel lone(x: f32[M, N]) -> (y: f32[M, N]) {\n"
      "  let v = x[...]\n  let rows = sum(v, axis: 1, keep)\n  let columns = max(v, axis: 0, keep)\n"
      "  y[...] = (v - rows) * columns + (sum(v) + transpose(transpose(v)))\n}\n");
  const float *x = floats(&r, 0, M, N);
  float *y = floats(&r, 1, M, N), *want = malloc(sizeof(float) * M * N), *top = malloc(sizeof(float) * N);
  double rows[M] = {0}, all = 0;
  for (int j = 0; j < N; j++) top[j] = x[j];
  for (int i = 0; i < M; i++)
    for (int j = 0; j < N; j++) {
      rows[i] += (double)x[i * N + j];
      all += (double)x[i * N + j];
      top[j] = fmaxf(top[j], x[i * N + j]);
    }
  for (int i = 0; i < M; i++)
    for (int j = 0; j < N; j++)
      want[i * N + j] = (float)(((double)x[i * N + j] - rows[i]) * (double)top[j] + all + (double)x[i * N + j]);
  run_all(&r);
  near(y, want, M * N, 1e-4F);
  free(top);
  free(want);
  close_run(&r);
}

/* An array of more than 8 MiB is written past the caches: every element at every alignment. */
static void test_large_array(void **context) {
  (void)context;
  enum { M = 2200, N = 1009 };
  run r = open_text(
      "kernel large(x: f32[M, N]) -> (y: f32[M, N]) {\n"
      "  grid i: cdiv(M, 64) parallel\n  block x (64, N) at (i, 0)\n  block y (64, N) at (i, 0)\n"
      "  let t = x[...] + 0.5\n  y[...] = t * t\n}\n");
  const float *x = floats(&r, 0, M, N), *y = floats(&r, 1, M, N);
  run_fast(&r);
  for (int i = 0; i < M * N; i++) assert_true(y[i] == (x[i] + 0.5F) * (x[i] + 0.5F));
  close_run(&r);
}

static void matmul_reference(const float *a, const float *b, float *c, int m, int n, int k) {
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++) {
      double sum = 0;
      for (int d = 0; d < k; d++) sum += (double)a[i * k + d] * (double)b[d * n + j];
      c[i * n + j] = (float)sum;
    }
}

static void check_matmul(const char *text, int m, int n, int k) {
  run r = open_text(text);
  const float *a = floats(&r, 0, m, k), *b = floats(&r, 1, k, n);
  float *c = floats(&r, 2, m, n), *want = malloc(sizeof(float) * (size_t)(m * n));
  matmul_reference(a, b, want, m, n, k);
  run_all(&r);
  near(c, want, (size_t)(m * n), 1e-4F);
  free(want);
  close_run(&r);
}

static void test_matmul(void **context) {
  (void)context;
  check_matmul(
      "kernel matmul(a: f32[M, K], b: f32[K, N]) -> (c: f32[M, N]) {\n"
      "  grid i: cdiv(M, 16) parallel, j: cdiv(N, 16) parallel, k: K / 8\n"
      "  block a (16, 8) at (i, k)\n  block b (8, 16) at (k, j)\n  block c (16, 16) at (i, j)\n"
      "  scratch acc: f32[16, 16] in acc\n"
      "  when k == 0 { acc[...] = full(0.0, f32[16, 16]) }\n"
      "  acc[...] += dot(a[...], b[...])\n"
      "  when k == K / 8 - 1 { c[...] = acc[...] }\n}\n",
      32, 48, 24);
  check_matmul(
      "kernel matmul(a: f32[M, K], b: f32[K, N]) -> (c: f32[M, N]) {\n"
      "  grid i: cdiv(M, 32) parallel\n  block a (32, K) at (i, 0)\n  block c (32, N) at (i, 0)\n"
      "  c[...] = for k in 0 .. K / 8 with (acc = full(0.0, f32[32, N])) {\n"
      "    yield acc + dot(a[:, k * 8 : 8], b[k * 8 : 8, :])\n  }\n}\n",
      40, 20, 32);
}

static void test_scalar_loop(void **context) {
  (void)context;
  run r = open_text(
      "kernel histogram(x: i32[N]) -> (h: i32[16]) {\n"
      "  h[...] = full(0, i32[16])\n"
      "  for i in 0 .. N { let v = x[i]\n h[v] += 1 }\n}\n");
  int32_t *x = array(&r, 0, KILN_I32, 1, 1000), *h = array(&r, 1, KILN_I32, 1, 16), want[16] = {0};
  for (int i = 0; i < 1000; i++) x[i] = i * i % 16, want[i * i % 16]++;
  run_all(&r);
  assert_memory_equal(h, want, sizeof want);
  close_run(&r);
}

/* ---- where a plan could go wrong ---- */

/* A kernel of f32 vectors: the inputs are numbered, the output is compared with `want`. */
static void check_vector(const char *text, int count, int out_count, const float *want) {
  run r = open_text(text);
  for (size_t i = 0; i + 1 < r.count; i++) {
    float *data = array(&r, i, KILN_F32, 1, count);
    for (int k = 0; k < count; k++) data[k] = (float)k + 1;
  }
  float *out = array(&r, r.count - 1, KILN_F32, 1, out_count);
  run_all(&r);
  for (int k = 0; k < out_count; k++)
    if (!(out[k] == want[k] || (out[k] != out[k] && want[k] != want[k])))
      fail_msg("element %d is %g, expected %g, of\n%s", k, (double)out[k], (double)want[k], text);
  close_run(&r);
}

static void test_load_before_store(void **context) {
  (void)context;
  /* What was read stays as it was. */
  check_vector(
      "kernel k(x: f32[4]) -> (y: f32[4]) {\n y[...] = x[...]\n let a = y[...]\n y[...] = a * 2.0\n y[...] = y[...] + "
      "a\n}\n",
      4, 4, (const float[]){3, 6, 9, 12});
  /* Overlapping parts of one array. */
  check_vector("kernel k(x: f32[4]) -> (y: f32[4]) {\n y[...] = x[...]\n y[1 : 3] = y[0 : 3]\n}\n", 4, 4,
               (const float[]){1, 1, 2, 3});
  check_vector("kernel k(x: f32[4]) -> (y: f32[4]) {\n y[...] = x[...]\n y[0 : 3] = y[1 : 3] + y[0 : 3]\n}\n", 4, 4,
               (const float[]){3, 5, 7, 4});
  /* Two stores to one place in one loop: the second wins. */
  check_vector("kernel k(x: f32[4]) -> (y: f32[4]) {\n let v = x[...]\n y[...] = v + 1.0\n y[1 : 2] = v[0 : 2]\n}\n", 4,
               4, (const float[]){2, 1, 2, 5});
  /* A value computed in place must not spoil what another op still reads. */
  check_vector(
      "kernel k(x: f32[4]) -> (y: f32[4]) {\n scratch s: f32[4]\n s[...] = x[...]\n let old = s[...]\n let new = old + "
      "1.0\n"
      " let other = old * 10.0\n s[...] = new\n y[...] = other + s[...]\n}\n",
      4, 4, (const float[]){12, 23, 34, 45});
  /* Transposed and reversed reads of what is overwritten. */
  check_vector("kernel k(x: f32[4]) -> (y: f32[4]) {\n y[...] = x[...]\n y[...] = reverse(y[...], axes: [0])\n}\n", 4,
               4, (const float[]){4, 3, 2, 1});
}

static void test_carried_values(void **context) {
  (void)context;
  check_vector(
      "kernel k(x: f32[3]) -> (y: f32[3]) {\n" /* swapped in every turn */
      " let (a, b) = for i in 0 .. 5 with (a = x[...], b = x[...] * 10.0) { yield b, a }\n y[...] = a - b\n}\n",
      3, 3, (const float[]){9, 18, 27});
  check_vector(
      "kernel k(x: f32[3]) -> (y: f32[3]) {\n" /* rotated */
      " let (a, b, c) = for i in 0 .. 2 with (a = x[...], b = x[...] * 10.0, c = x[...] * 100.0) { yield b, c, a }\n"
      " y[...] = a\n}\n",
      3, 3, (const float[]){100, 200, 300});
  check_vector(
      "kernel k(x: f32[3]) -> (y: f32[3]) {\n" /* one is computed where the other is still read */
      " let (a, b) = for i in 0 .. 3 with (a = x[...], b = x[...]) { yield a + b, a * 2.0 }\n y[...] = a + b\n}\n",
      3, 3, (const float[]){16, 32, 48});
  check_vector(
      "kernel k(x: f32[3]) -> (y: f32[3]) {\n" /* reversed in place */
      " y[...] = for i in 0 .. 3 with (a = x[...]) { yield reverse(a, axes: [0]) }\n}\n",
      3, 3, (const float[]){3, 2, 1});
  check_vector(
      "kernel k(x: f32[3]) -> (y: f32[3]) {\n" /* no turn at all */
      " y[...] = for i in 5 .. 5 with (a = x[...]) { yield a * 0.0 }\n}\n",
      3, 3, (const float[]){1, 2, 3});
  check_vector(
      "kernel k(x: f32[3]) -> (y: f32[3]) {\n" /* used inside, again and again */
      " let base = x[...] + 1.0\n y[...] = for i in 0 .. 3 with (a = x[...]) {\n"
      "  let inner = for j in 0 .. 2 with (b = a) { yield b + base }\n yield inner\n }\n}\n",
      3, 3, (const float[]){13, 20, 27});
  check_vector(
      "kernel k(x: f32[3]) -> (y: f32[3]) {\n"
      " let (n, v) = while n < 3 with (n = 0, v = x[...]) { yield n + 1, v + v }\n y[...] = v + f32(n)\n}\n",
      3, 3, (const float[]){11, 19, 27});
}

static void test_branches(void **context) {
  (void)context;
  check_vector(
      "kernel k(x: f32[3]) -> (y: f32[3]) {\n let v = x[...] + 1.0\n for i in 0 .. 3 {\n"
      " let w = when i == 1 { yield v * 10.0 } else { yield v }\n y[i] = w[1]\n }\n}\n",
      3, 3, (const float[]){3, 30, 3});
  check_vector(
      "kernel k(x: f32[4]) -> (y: f32[4]) {\n for i in 0 .. 4 {\n let v = switch i - 1 {\n case 0 { yield x[i] }\n"
      " case 1 { yield -x[i] }\n case 2 { yield x[i] * 100.0 }\n }\n y[i] = v\n }\n}\n",
      4, 4, (const float[]){1, 2, -3, 400});
  /* A load that only one branch copies. */
  check_vector(
      "kernel k(x: f32[4]) -> (y: f32[4]) {\n let v = x[0 : 4 : 1]\n for i in 0 .. 2 {\n"
      " when i == 1 { y[...] = cumsum(v, axis: 0) } else { y[...] = v }\n }\n}\n",
      4, 4, (const float[]){1, 3, 6, 10});
}

static void test_masks_and_edges(void **context) {
  (void)context;
  const float nan = (float)NAN;
  check_vector(
      "kernel k(x: f32[4]) -> (y: f32[6]) {\n let i = iota(i32[6], axis: 0)\n"
      " y[...] = x[0 : 6, mask: i < 4, other: f32(i)]\n}\n",
      4, 6, (const float[]){1, 2, 3, 4, 4, 5});
  check_vector(
      "kernel k(x: f32[4]) -> (y: f32[4]) {\n y[...] = x[...]\n let i = iota(i32[4], axis: 0)\n"
      " y[..., mask: i % 2 == 0] = x[...] * 10.0\n}\n",
      4, 4, (const float[]){10, 2, 30, 4});
  run r =
      open_text("kernel k(x: f32[4]) -> (y: f32[6]) {\n y[...] = x[-1 : 6]\n y[4 : 3] = x[0 : 3]\n}\n"); /* outside */
  float *x = array(&r, 0, KILN_F32, 1, 4), *y = array(&r, 1, KILN_F32, 1, 6);
  for (int i = 0; i < 4; i++) x[i] = (float)i + 1;
  run_fast(&r);
  const float want[] = {nan, 1, 2, 3, 1, 2};
  for (int i = 0; i < 6; i++) assert_true(y[i] == want[i] || (y[i] != y[i] && want[i] != want[i]));
  close_run(&r);
}

static void test_accumulated_products(void **context) {
  (void)context;
  /* The accumulator is an operand, too; is used afterwards; is transposed. */
  const char *texts[] = {
      "kernel k(a: f32[2, 2], b: f32[2, 2]) -> (c: f32[2, 2]) {\n"
      " c[...] = for i in 0 .. 2 with (acc = a[...]) { yield acc + dot(acc, b[...]) }\n}\n",
      "kernel k(a: f32[2, 2], b: f32[2, 2]) -> (c: f32[2, 2]) {\n"
      " c[...] = for i in 0 .. 2 with (acc = a[...]) { let p = dot(acc, b[...])\n yield p + acc }\n}\n",
      "kernel k(a: f32[2, 2], b: f32[2, 2]) -> (c: f32[2, 2]) {\n"
      " c[...] = for i in 0 .. 2 with (acc = a[...]) {\n let t = transpose(acc)\n"
      " yield acc + dot(t, b[...], lhs_contract: [0], rhs_contract: [0]) }\n}\n",
      "kernel k(a: f32[2, 2], b: f32[2, 2]) -> (c: f32[2, 2]) {\n scratch s: f32[2, 2]\n s[...] = a[...]\n"
      " for i in 0 .. 2 { s[...] += dot(s[...], b[...]) }\n c[...] = s[...]\n}\n",
  };
  for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
    run r = open_text(texts[t]);
    float *a = array(&r, 0, KILN_F32, 2, 2, 2), *b = array(&r, 1, KILN_F32, 2, 2, 2),
          *c = array(&r, 2, KILN_F32, 2, 2, 2);
    for (int i = 0; i < 4; i++) a[i] = (float)i + 1, b[i] = (float)(i == 1 ? 2 : i == 2 ? 1 : 0); /* b = [0 2; 1 0] */
    run_all(&r);
    /* a (1 + b)^2, 1 + b = [1 2; 1 1], squared [3 4; 2 3] */
    const float want[] = {7, 10, 17, 24};
    near(c, want, 4, 0);
    close_run(&r);
  }
}

/* ---- faults and limits ---- */

static kiln_result run_checked(run *r, kiln_host_desc desc) {
  desc.check = true;
  return kiln_host_run(r->context, r->kernel, &desc, r->arrays, r->count);
}

static void expect_fault(const char *text, const char *name, uint32_t line, const char *part) {
  run r = open_text(text);
  for (size_t i = 0; i < r.count; i++) array(&r, i, KILN_F32, 1, 8);
  assert_int_equal(run_checked(&r, (kiln_host_desc){.seed = 5, .step_limit = 100000}), KILN_ERROR_FAULT);
  assert_int_equal(kiln_diag_count(r.context), 1);
  const kiln_diag *diag = kiln_diag_get(r.context, 0);
  assert_string_equal(diag->name, name);
  assert_int_equal(diag->severity, KILN_FAULT);
  assert_int_equal(diag->seed, 5);
  assert_true(diag->unit.size > 0 && diag->hint.size > 0);
  assert_int_equal(diag->places[0].line, line);
  kiln_str shown = kiln_diag_render(r.context, diag);
  if (!strstr(shown.data, part)) fail_msg("\"%s\" is not in\n%.*s", part, (int)shown.size, shown.data);
  close_run(&r);
}

static void test_faults(void **context) {
  (void)context;
  expect_fault("kernel k(x: f32[8]) -> (y: f32[8]) {\n for i in 0 .. 9 {\n  y[0] = x[i]\n }\n}\n", "out_of_bounds", 3,
               "[8]");
  expect_fault("kernel k(x: f32[8]) -> (y: f32[8]) {\n for i in 0 .. 3 {\n  y[i * 4 : 4] = x[0 : 4]\n }\n}\n",
               "out_of_bounds", 3, "[8 : 4]");
  expect_fault(
      "kernel k(x: f32[8]) -> (y: f32[8]) {\n let i = iota(i32[8], axis: 0)\n y[...] = x[-1 : 8, mask: i > 1]\n"
      " y[1 : 8, mask: i < 8] = x[...]\n}\n",
      "out_of_bounds", 4, "store to y");
  expect_fault("kernel k(x: f32[8]) -> (y: f32[8]) {\n scratch s: f32[8]\n s[0 : 7] = x[0 : 7]\n y[...] = s[...]\n}\n",
               "uninitialized_read", 4, "s[7]");
  expect_fault("kernel k(x: f32[8]) -> (y: f32[8]) {\n y[...] = y[...] + x[...]\n}\n", "uninitialized_read", 2, "y[0]");
  expect_fault("kernel k(x: f32[8]) -> (y: f32[8]) {\n y[...] = x[...]\n while x[0] == 0.0 {\n  y[0] = 1.0\n }\n}\n",
               "livelock", 4, "100000");
}

static void test_ragged_blocks_are_no_fault(void **context) {
  (void)context;
  run r = open_text(
      "kernel k(x: f32[N]) -> (y: f32[N]) {\n grid i: cdiv(N, 4) parallel\n block x (4) at (i)\n block y (4) at (i)\n"
      " y[...] = x[...] + 1.0\n}\n");
  array(&r, 0, KILN_F32, 1, 10);
  float *y = array(&r, 1, KILN_F32, 1, 10);
  assert_int_equal(run_checked(&r, (kiln_host_desc){0}), KILN_OK);
  for (int i = 0; i < 10; i++) assert_true(y[i] == 1);
  close_run(&r);
}

static void test_limits(void **context) {
  (void)context;
  run r = open_text(
      "kernel k(x: f32[8]) -> (y: f32[8]) {\n let big = iota(f32[64, 1024], axis: 1)\n"
      " y[...] = x[...] + sum(big + transpose(reshape(big, shape: [1024, 64])), axis: [0, 1])\n}\n");
  array(&r, 0, KILN_F32, 1, 8);
  array(&r, 1, KILN_F32, 1, 8);
  kiln_host_desc desc = {.memory_limit = 100000};
  assert_int_equal(kiln_host_run(r.context, r.kernel, &desc, r.arrays, r.count), KILN_ERROR_LIMIT);
  assert_string_equal(kiln_diag_get(r.context, 0)->name, "memory_limit");
  run_fast(&r);
  kiln_diag_clear(r.context);
  kiln_array overlapping[] = {r.arrays[0], r.arrays[0]};
  assert_int_equal(kiln_host_run(r.context, r.kernel, NULL, overlapping, 2), KILN_ERROR_INVALID);
  assert_string_equal(kiln_diag_get(r.context, 0)->name, "arrays_overlap");
  close_run(&r);
}

static void test_wrong_arrays(void **context) {
  (void)context;
  run r = open_text("kernel k(x: f32[N]) -> (y: f32[N]) {\n y[...] = x[...]\n}\n");
  kiln_host_plan *plan;
  array(&r, 0, KILN_F32, 1, 8);
  array(&r, 1, KILN_F32, 1, 8);
  assert_int_equal(kiln_host_prepare(r.context, r.kernel, NULL, r.arrays, 2, &plan), KILN_OK);
  assert_int_equal(kiln_host_launch(plan, r.arrays, 1), KILN_ERROR_INVALID);
  kiln_array arrays[] = {r.arrays[0], r.arrays[1]};
  arrays[0].dims[0] = 9;
  assert_int_equal(kiln_host_launch(plan, arrays, 2), KILN_ERROR_INVALID);
  arrays[0] = r.arrays[0], arrays[1].size = 31;
  assert_int_equal(kiln_host_launch(plan, arrays, 2), KILN_ERROR_INVALID);
  arrays[1] = r.arrays[1], arrays[1].dtype = KILN_I32;
  assert_int_equal(kiln_host_launch(plan, arrays, 2), KILN_ERROR_INVALID);
  assert_int_equal(kiln_host_launch(plan, r.arrays, 2), KILN_OK);
  kiln_host_plan_destroy(plan);
  close_run(&r);
}

/* ---- memory that runs out ---- */

typedef struct budget { /* units of several threads allocate */
  atomic_long left;
  atomic_size_t alive;
} budget;

static void *budgeted(void *user, void *ptr, size_t old_size, size_t size) {
  budget *b = user;
  if (size > old_size && b->left-- <= 0) return NULL;
  if (size == 0) {
    free(ptr);
    b->alive -= old_size;
    return NULL;
  }
  void *out = realloc(ptr, size);
  if (out) b->alive += size - old_size;
  return out;
}

/* Every allocation fails once; nothing leaks, nothing crashes, and enough is enough. */
static void test_allocation_failures(void **context) {
  (void)context;
  const char *text =
      "kernel k(x: f32[16, 8]) -> (y: f32[16, 8]) {\n grid i: 4 parallel\n block x (4, 8) at (i, 0)\n block y (4, 8) "
      "at (i, 0)\n"
      " scratch s: f32[4, 8]\n s[...] = x[...]\n s[1 : 2, :] = x[0 : 2, :]\n let v = s[...]\n"
      " y[...] = v / sum(v, axis: 1, keep)\n}\n";
  static float x[128], y[128];
  kiln_array arrays[] = {{.dtype = KILN_F32, .rank = 2, .dims = {16, 8}, .data = x, .size = sizeof x},
                         {.dtype = KILN_F32, .rank = 2, .dims = {16, 8}, .data = y, .size = sizeof y}};
  for (int check = 0; check < 2; check++) {
    bool done = false;
    for (long limit = 0; !done; limit++) {
      budget b = {limit, 0};
      kiln_context *c;
      kiln_module *m = NULL;
      assert_true(limit < 10000);
      if (kiln_context_create(&(kiln_context_desc){.alloc = budgeted, .alloc_user = &b, .threads = 2}, &c) != KILN_OK) {
        assert_int_equal(b.alive, 0);
        continue;
      }
      kiln_result result = kiln_module_parse(c, &(kiln_parse_desc){.text = str(text)}, &m);
      if (result == KILN_OK)
        result = kiln_host_run(c, kiln_module_kernel(m, 0), &(kiln_host_desc){.check = check != 0}, arrays, 2);
      assert_true(result == KILN_OK || result == KILN_ERROR_MEMORY);
      done = result == KILN_OK;
      kiln_module_destroy(m);
      kiln_context_destroy(c);
      assert_int_equal(b.alive, 0);
    }
  }
}

static void count_progress(void *user, double fraction) {
  assert_true(fraction >= 0 && fraction <= 1);
  ++*(int *)user;
}

static void test_progress(void **context) {
  (void)context;
  run r = open_text(
      "kernel k(x: f32[N]) -> (y: f32[N]) {\n grid i: N parallel\n"
      " y[i] = for j in 0 .. 4000000 with (v = x[i]) { yield v + 1.0 }\n}\n");
  int told = 0;
  array(&r, 0, KILN_F32, 1, 4);
  float *y = array(&r, 1, KILN_F32, 1, 4);
  kiln_host_desc desc = {.progress = count_progress, .progress_user = &told};
  assert_int_equal(kiln_host_run(r.context, r.kernel, &desc, r.arrays, 2), KILN_OK);
  assert_true(y[3] == 4000000);
  close_run(&r);
}

#define TEST(name) cmocka_unit_test(name)
int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_add),
      TEST(test_softmax),
      TEST(test_lone_unit),
      TEST(test_large_array),
      TEST(test_matmul),
      TEST(test_scalar_loop),
      TEST(test_load_before_store),
      TEST(test_carried_values),
      TEST(test_branches),
      TEST(test_masks_and_edges),
      TEST(test_accumulated_products),
      TEST(test_faults),
      TEST(test_ragged_blocks_are_no_fault),
      TEST(test_limits),
      TEST(test_wrong_arrays),
      TEST(test_allocation_failures),
      TEST(test_progress),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
