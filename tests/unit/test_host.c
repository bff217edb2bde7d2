/* The host executor: kernel texts against plain C. Every kernel runs fast, on several threads, and checked in several
 * seeded orders; the outputs must agree. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
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
  assert_int_equal(kiln_context_create(NULL, &r.context), KILN_OK);
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
  for (int i = 0; i < rows * columns; i++) data[i] = (float)((i * 7919 + (int)index * 31) % 1009) / 256 - 2;
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_add),
      cmocka_unit_test(test_softmax),
      cmocka_unit_test(test_matmul),
      cmocka_unit_test(test_scalar_loop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
