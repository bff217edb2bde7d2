/* The parser beyond what the texts of tests/fail and tests/ir say: hostile texts end in a diagnostic, in bounded time
 * and memory, and every allocation may fail. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/context.h"
#include "fault_alloc.h"
#include "ir/ir.h"

enum { MOST = 1 << 20 };

typedef struct fixture {
  kiln_context *context;
  kiln_module *module;
  char *buffer;
  size_t size;
} fixture;

static int open_fixture(void **state) {
  fixture *f = *state = calloc(1, sizeof *f);
  f->buffer = malloc(MOST);
  return kiln_context_create(NULL, &f->context) == KILN_OK ? 0 : -1;
}

static int close_fixture(void **state) {
  fixture *f = *state;
  kiln_module_destroy(f->module);
  kiln_context_destroy(f->context);
  free(f->buffer);
  free(f);
  return 0;
}

static void add(fixture *f, const char *words) {
  size_t size = strlen(words);
  assert_true(f->size + size < MOST);
  memcpy(f->buffer + f->size, words, size);
  f->size += size;
}

static void add_many(fixture *f, const char *words, int count) {
  for (int i = 0; i < count; i++) add(f, words);
}

static void add_file(fixture *f, const char *name) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", KILN_SOURCE_DIR, name);
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  f->size = fread(f->buffer, 1, MOST, file);
  fclose(file);
}

/* The name of the first diagnostic; "" when the text is right. */
static const char *parse(fixture *f, kiln_str words) {
  kiln_module_destroy(f->module);
  f->module = NULL;
  kiln_diag_clear(f->context);
  kiln_result result = kiln_module_parse(f->context, &(kiln_parse_desc){.text = words}, &f->module);
  assert_int_equal(result == KILN_OK, kiln_diag_count(f->context) == 0);
  return result == KILN_OK ? "" : kiln_diag_get(f->context, 0)->name;
}

static const char *parse_buffer(fixture *f) {
  const char *said = parse(f, (kiln_str){f->buffer, f->size});
  f->size = 0;
  return said;
}

static const char head[] = "kernel k(x: f32[N]) -> (y: f32[N]) {\n";

static void every_truncation_is_survived(void **state) {
  fixture *f = *state;
  add_file(f, "examples/attention.kiln");
  for (size_t size = 0; size < f->size; size++) parse(f, (kiln_str){f->buffer, size});
  assert_string_equal(parse_buffer(f), "");
}

static void every_lost_byte_is_survived(void **state) {
  fixture *f = *state;
  add_file(f, "examples/matmul.kiln");
  char *copy = malloc(f->size);
  for (size_t i = 0; i < f->size; i++) {
    memcpy(copy, f->buffer, i);
    memcpy(copy + i, f->buffer + i + 1, f->size - i - 1);
    parse(f, (kiln_str){copy, f->size - 1});
  }
  free(copy);
}

static void every_allocation_may_fail(void **state) {
  fixture *f = *state;
  fault_alloc fault;
  add_file(f, "examples/softmax.kiln");
  FAULT_SWEEP(fault) {
    kiln_context *context;
    kiln_module *module;
    kiln_context_desc desc = {.alloc = fault_alloc_hook, .alloc_user = &fault};
    if (kiln_context_create(&desc, &context) != KILN_OK) continue;
    kiln_parse_desc parse_desc = {.text = {f->buffer, f->size}};
    kiln_result result = kiln_module_parse(context, &parse_desc, &module);
    if (fault.calls < fault.fail_at)
      assert_int_equal(result, KILN_OK);
    else if (result != KILN_OK)
      assert_int_equal(result, KILN_ERROR_MEMORY);
    if (module) kiln_module_text(module);
    kiln_module_destroy(module);
    kiln_context_destroy(context);
  }
}

static void nesting_is_bounded(void **state) {
  fixture *f = *state;
  add(f, head);
  add_many(f, "when true { ", 300);
  add_many(f, "}", 300);
  add(f, "}");
  assert_string_equal(parse_buffer(f), "text_limit");
  add(f, head);
  add_many(f, "when false {} else ", 400);
  add(f, "{} }");
  assert_string_equal(parse_buffer(f), "text_limit");
  add(f, head);
  add(f, "y[...] = ");
  add_many(f, "-", 100000);
  add(f, "1.0 }");
  assert_string_equal(parse_buffer(f), "");
  add(f, "kernel k(x: f32[");
  add_many(f, "N % ", 300);
  add(f, "7]) -> (y: f32[N]) { y[...] = 0.0 }");
  assert_string_equal(parse_buffer(f), "text_limit");
}

/* g59 calls g58 twice, and so on: 2^59 calls were it not for the limit on work. */
static void inlining_is_bounded(void **state) {
  fixture *f = *state;
  char line[128];
  add(f, "func g0(x) { return x }\n");
  for (int i = 1; i < 60; i++) {
    snprintf(line, sizeof line, "func g%d(x) { let a = g%d(x) let b = g%d(x) return b }\n", i, i - 1, i - 1);
    add(f, line);
  }
  add(f, head);
  add(f, "y[...] = g59(x[...]) }");
  assert_string_equal(parse_buffer(f), "text_limit");
  for (int i = 0; i < 70; i++) {
    if (i == 0)
      snprintf(line, sizeof line, "func g0(x) { return exp(x) }\n");
    else
      snprintf(line, sizeof line, "func g%d(x) { return g%d(x) }\n", i, i - 1);
    add(f, line);
  }
  add(f, head);
  add(f, "y[...] = g69(x[...]) }");
  assert_string_equal(parse_buffer(f), "text_limit");
}

static void symbols_are_bounded(void **state) {
  fixture *f = *state;
  char one[32];
  add(f, "kernel k(");
  for (int i = 0; i < 300; i++) {
    snprintf(one, sizeof one, "%sx%d: f32[S%d]", i ? ", " : "", i, i);
    add(f, one);
  }
  add(f, ") -> (y: f32) { y[...] = 0.0 }");
  assert_string_equal(parse_buffer(f), "text_limit");
}

static void strange_bytes_are_refused(void **state) {
  fixture *f = *state;
  assert_string_equal(parse(f, (kiln_str){"\0\0\0", 3}), "unexpected_character");
  assert_string_equal(parse(f, (kiln_str){NULL, 0}), "no_kernel");
  assert_string_equal(parse(f, STR("\xff\xfe kernel")), "unexpected_character");
  assert_string_equal(parse(f, STR("// \xc3\xa9 only a comment")), "no_kernel");
}

static void windows_line_ends_are_fine(void **state) {
  fixture *f = *state;
  assert_string_equal(parse(f, STR("kernel k(x: f32[4]) -> (y: f32[4]) {\r\n  y[...] = x[...]\r\n}\r\n")), "");
}

/* Processor time: other programs run here too. */
static clock_t time_lines(fixture *f, int count) {
  char line[96];
  add(f, head);
  add(f, "let v0 = x[...]\n");
  for (int i = 1; i < count; i++) {
    snprintf(line, sizeof line, "let v%d = v%d * 1.5 + v%d\n", i, i - 1, i / 2);
    add(f, line);
  }
  snprintf(line, sizeof line, "y[...] = v%d }", count - 1);
  add(f, line);
  clock_t start = clock();
  assert_string_equal(parse_buffer(f), "");
  kiln_module_text(f->module);
  return clock() - start;
}

/* Eight times the lines may take about eight times the time; a quadratic step would take 64. */
static void time_grows_with_the_text(void **state) {
  fixture *f = *state;
  clock_t few = 0, many = 0;
  for (int round = 0; round < 3; round++) { /* the least of three */
    clock_t one = time_lines(f, 2000), eight = time_lines(f, 16000);
    if (one < few || round == 0) few = one;
    if (eight < many || round == 0) many = eight;
  }
  assert_true(many < 24 * few);
}

static ir_dtype stored_dtype(fixture *f, uint32_t index) {
  const ir_op *op = f->module->kernels[0]->body->first;
  for (; op && (op->code != IR_store || index-- > 0);) op = op->next;
  return op->operands[1]->type.dtype;
}

static void literals_take_the_type_they_meet(void **state) {
  fixture *f = *state;
  assert_string_equal(parse(f, STR("kernel k(h: bf16[4], n: u8[4]) -> (a: bf16[4], b: u8[4], c: bool[4]) {\n"
                                   "  let eps = 1e-3\n  let two = 2\n"
                                   "  a[...] = max(h[...] * two, eps)\n  b[...] = (n[...] << two) + 255\n"
                                   "  c[...] = two > n[...] }")),
                      "");
  assert_int_equal(stored_dtype(f, 0), IR_BF16);
  assert_int_equal(stored_dtype(f, 1), IR_U8);
  assert_int_equal(stored_dtype(f, 2), IR_BOOL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(every_truncation_is_survived), TEST(every_lost_byte_is_survived),
      TEST(every_allocation_may_fail),    TEST(nesting_is_bounded),
      TEST(inlining_is_bounded),          TEST(symbols_are_bounded),
      TEST(strange_bytes_are_refused),    TEST(windows_line_ends_are_fine),
      TEST(time_grows_with_the_text),     TEST(literals_take_the_type_they_meet),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
