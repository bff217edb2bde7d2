/* Binding: sizes solved from shapes, kernels that hold numbers only and outlive the text they came from, every
 * allocation failing once. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "fault_alloc.h"
#include "ir/ir.h"

typedef struct fixture {
  kiln_context *context;
  kiln_module *module;
  ir_module *bound;
} fixture;

static int open_fixture(void **state) {
  fixture *f = *state = calloc(1, sizeof *f);
  return kiln_context_create(NULL, &f->context) == KILN_OK ? 0 : -1;
}

static int close_fixture(void **state) {
  fixture *f = *state;
  ir_module_destroy(f->bound);
  kiln_module_destroy(f->module);
  kiln_context_destroy(f->context);
  free(f);
  return 0;
}

static const kiln_kernel *parse(fixture *f, const char *words) {
  kiln_module_destroy(f->module);
  f->module = NULL;
  assert_int_equal(kiln_module_parse(f->context, &(kiln_parse_desc){.text = str_from(words)}, &f->module), KILN_OK);
  return kiln_module_kernel(f->module, 0);
}

static const char *said(fixture *f) { return kiln_diag_count(f->context) ? kiln_diag_get(f->context, 0)->name : ""; }

static const char softmax[] =
    "kernel softmax(x: f32[M, N]) -> (y: f32[M, N]) {\n"
    "  grid i: cdiv(M, 8) parallel\n"
    "  block x (8, N) at (i, 0)\n"
    "  block y (8, N) at (i, 0)\n"
    "  let v = x[...]\n"
    "  let e = exp(v - max(v, axis: 1, keep))\n"
    "  y[...] = e / sum(e, axis: 1, keep) * f32(M - 1)\n"
    "}\n";

static kiln_array array2(int64_t a, int64_t b) { return (kiln_array){.dtype = KILN_F32, .rank = 2, .dims = {a, b}}; }

static bool known_op(void *user, ir_op *op) {
  (void)user;
  assert_int_not_equal(op->code, IR_size);
  for (uint32_t i = 0; i < op->result_count; i++) {
    const ir_shape *shape = &op->results[i]->type.shape;
    for (uint32_t d = 0; d < shape->rank; d++) assert_true(ir_dim_known(shape->dims[d]));
  }
  return true;
}

static void bound_kernels_hold_numbers(void **state) {
  fixture *f = *state;
  const kiln_kernel *k = parse(f, softmax);
  kiln_array arrays[] = {array2(11, 5), array2(11, 5)};
  assert_int_equal(ir_bind(f->context, k, NULL, 0, arrays, 2, &f->bound), KILN_OK);
  ir_kernel *to = f->bound->kernels[0];
  assert_true(to->bound);
  assert_int_equal(to->axes[0].extent->value, 2);
  assert_int_equal(ir_count(&to->blocks[0].ref->type), 40);
  ir_walk_kernel(to, known_op, NULL);
  assert_true(ir_verify(to, f->context->diags));
}

static void bound_kernels_outlive_the_text(void **state) {
  fixture *f = *state;
  const kiln_kernel *k = parse(f, softmax);
  kiln_size sizes[] = {{STR("M"), 16}, {STR("N"), 4}};
  assert_int_equal(ir_bind(f->context, k, sizes, 2, NULL, 0, &f->bound), KILN_OK);
  kiln_module_destroy(f->module);
  f->module = NULL;
  kiln_str shown = kiln_module_text(f->bound);
  assert_non_null(strstr(shown.data, "let e = exp("));
  kiln_module *again;
  assert_int_equal(kiln_module_parse(f->context, &(kiln_parse_desc){.text = shown}, &again), KILN_OK);
  assert_true(str_equal(kiln_module_text(again), shown));
  kiln_module_destroy(again);
}

static int64_t solved(fixture *f, const char *dim, int64_t extent) {
  char words[256];
  int64_t value = -1;
  snprintf(words, sizeof words, "kernel k(x: f32[%s]) -> (y: f32[N]) { y[...] = 0.0 }", dim);
  const kiln_kernel *k = parse(f, words);
  kiln_array arrays[] = {{.dtype = KILN_F32, .rank = 1, .dims = {extent}}, {.dtype = KILN_F32}};
  kiln_result result = kiln_kernel_shapes(f->context, k, NULL, 0, arrays, 2);
  if (result == KILN_OK) {
    value = arrays[1].dims[0];
    assert_int_equal(arrays[1].size, 4 * value);
  }
  kiln_diag_clear(f->context);
  return value;
}

static void expressions_are_inverted(void **state) {
  fixture *f = *state;
  assert_int_equal(solved(f, "N", 7), 7);
  assert_int_equal(solved(f, "2 * N", 8), 4);
  assert_int_equal(solved(f, "2 * N", 7), -1);
  assert_int_equal(solved(f, "N + 1", 8), 7);
  assert_int_equal(solved(f, "N - 3", 8), 11);
  assert_int_equal(solved(f, "20 - N", 8), 12);
  assert_int_equal(solved(f, "2 * N + 1", 9), 4);
  assert_int_equal(solved(f, "N / 4", 3), 12);
  assert_int_equal(solved(f, "N + 9", 3), -1);
  assert_int_equal(solved(f, "cdiv(N, 4)", 3), -1);
  assert_int_equal(solved(f, "N", 0), 0);
}

static void several_inputs_solve_together(void **state) {
  fixture *f = *state;
  const kiln_kernel *k = parse(f, "kernel k(a: f32[M + N, M], b: f32[4 * K + N]) -> (y: f32[K]) { y[...] = 0.0 }");
  kiln_array arrays[] = {array2(10, 3), {.dtype = KILN_F32, .rank = 1, .dims = {15}}, {.dtype = KILN_F32}};
  assert_int_equal(kiln_kernel_shapes(f->context, k, NULL, 0, arrays, 3), KILN_OK);
  assert_int_equal(arrays[2].dims[0], 2);
}

static void wrong_requests_are_refused(void **state) {
  fixture *f = *state;
  const kiln_kernel *k = parse(f, softmax);
  kiln_array arrays[] = {array2(8, 4), array2(8, 5)};
  assert_int_equal(ir_bind(f->context, k, NULL, 0, arrays, 2, &f->bound), KILN_ERROR_INVALID);
  assert_string_equal(said(f), "array_extent");
  kiln_diag_clear(f->context);
  assert_int_equal(ir_bind(f->context, k, NULL, 0, arrays, 1, &f->bound), KILN_ERROR_INVALID);
  assert_string_equal(said(f), "array_count");
  kiln_diag_clear(f->context);
  kiln_size sizes[] = {{STR("M"), INT64_MAX}, {STR("N"), INT64_MAX}};
  assert_int_equal(ir_bind(f->context, k, sizes, 2, NULL, 0, &f->bound), KILN_ERROR_INVALID);
  assert_string_equal(said(f), "array_too_big");
  kiln_diag_clear(f->context);
  arrays[0].rank = 200;
  assert_int_equal(ir_bind(f->context, k, NULL, 0, arrays, 2, &f->bound), KILN_ERROR_INVALID);
  assert_string_equal(said(f), "array_rank");
}

static void every_allocation_may_fail(void **state) {
  fixture *f = *state;
  const kiln_kernel *k = parse(f, softmax);
  kiln_array arrays[] = {array2(11, 5), array2(11, 5)};
  fault_alloc fault;
  FAULT_SWEEP(fault) {
    kiln_context *context;
    ir_module *bound;
    kiln_context_desc desc = {.alloc = fault_alloc_hook, .alloc_user = &fault};
    if (kiln_context_create(&desc, &context) != KILN_OK) continue;
    kiln_result result = ir_bind(context, k, NULL, 0, arrays, 2, &bound);
    assert_int_equal(result, fault.calls < fault.fail_at ? KILN_OK : KILN_ERROR_MEMORY);
    ir_module_destroy(bound);
    kiln_context_destroy(context);
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(bound_kernels_hold_numbers),    TEST(bound_kernels_outlive_the_text), TEST(expressions_are_inverted),
      TEST(several_inputs_solve_together), TEST(wrong_requests_are_refused),     TEST(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
