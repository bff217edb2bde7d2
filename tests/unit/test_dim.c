/* Sizes: canonical forms, comparison, evaluation, printing. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "ir_fixture.h"
#include "random.h"

static ir_dim symbol(ir_fixture *f, const char *name) { return ir_dim_symbol(f->module, str_from(name)); }
static ir_dim number(ir_fixture *f, int64_t value) { return ir_dim_const(f->module, value); }
static ir_dim make(ir_fixture *f, ir_dim_op op, ir_dim a, ir_dim b) { return ir_dim_make(f->module, op, a, b); }

static void expect_text(ir_fixture *f, ir_dim d, const char *expected) {
  kiln_str shown = ir_dim_text(f->module, d);
  char buffer[256] = {0};
  memcpy(buffer, shown.data, shown.size < 255 ? shown.size : 255);
  assert_string_equal(buffer, expected);
}

static void equal_sizes_are_one_node(void **state) {
  ir_fixture *f = *state;
  ir_dim m = symbol(f, "M"), n = symbol(f, "N");
  assert_ptr_equal(m, symbol(f, "M"));
  assert_ptr_equal(number(f, 8), number(f, 8));
  assert_ptr_equal(make(f, IR_DIM_ADD, m, n), make(f, IR_DIM_ADD, n, m));
  assert_ptr_equal(make(f, IR_DIM_SUB, make(f, IR_DIM_ADD, n, m), m), n);
  ir_dim product = make(f, IR_DIM_MUL, make(f, IR_DIM_ADD, m, number(f, 1)), n);
  assert_ptr_equal(product, make(f, IR_DIM_ADD, n, make(f, IR_DIM_MUL, n, m)));
  assert_ptr_equal(make(f, IR_DIM_MAX, m, n), make(f, IR_DIM_MAX, n, m));
}

static void numbers_fold(void **state) {
  ir_fixture *f = *state;
  assert_int_equal(make(f, IR_DIM_CDIV, number(f, 9), number(f, 8))->value, 2);
  assert_int_equal(make(f, IR_DIM_DIV, number(f, 16), number(f, 8))->value, 2);
  assert_int_equal(make(f, IR_DIM_MOD, number(f, 17), number(f, 8))->value, 1);
  assert_false(ir_dim_known(make(f, IR_DIM_DIV, number(f, 9), number(f, 8))));
  assert_false(ir_dim_known(make(f, IR_DIM_DIV, number(f, 9), number(f, 0))));
  assert_false(ir_dim_known(make(f, IR_DIM_MUL, number(f, INT64_MAX), number(f, 2))));
  ir_dim n = symbol(f, "N");
  assert_ptr_equal(make(f, IR_DIM_DIV, make(f, IR_DIM_MUL, n, number(f, 8)), number(f, 8)), n);
  assert_ptr_equal(make(f, IR_DIM_CDIV, n, number(f, 1)), n);
  assert_int_equal(make(f, IR_DIM_MUL, n, number(f, 0))->value, 0);
}

static void comparison_knows_what_can_be_known(void **state) {
  ir_fixture *f = *state;
  ir_dim m = symbol(f, "M"), n = symbol(f, "N");
  assert_int_equal(ir_dim_equal(m, n), IR_UNKNOWN);
  assert_int_equal(ir_dim_equal(n, make(f, IR_DIM_ADD, n, number(f, 1))), IR_NO);
  assert_int_equal(ir_dim_equal(n, n), IR_YES);
  assert_int_equal(ir_dim_equal(number(f, 3), number(f, 4)), IR_NO);
  assert_int_equal(ir_dim_equal(n, number(f, 4)), IR_UNKNOWN);
}

static void text_reads_naturally(void **state) {
  ir_fixture *f = *state;
  ir_dim m = symbol(f, "M"), n = symbol(f, "N"), eight = number(f, 8);
  expect_text(f, make(f, IR_DIM_SUB, make(f, IR_DIM_DIV, n, eight), number(f, 1)), "N / 8 - 1");
  expect_text(f, make(f, IR_DIM_MUL, make(f, IR_DIM_DIV, n, eight), number(f, 2)), "2 * (N / 8)");
  expect_text(f, make(f, IR_DIM_SUB, number(f, 1), n), "1 - N");
  expect_text(f, make(f, IR_DIM_SUB, number(f, 0), n), "-1 * N");
  expect_text(f, make(f, IR_DIM_CDIV, make(f, IR_DIM_ADD, m, n), eight), "cdiv(M + N, 8)");
  expect_text(f, make(f, IR_DIM_MOD, make(f, IR_DIM_SUB, m, n), eight), "(M - N) % 8");
}

static ir_dim random_dim(ir_fixture *f, random_state *r, uint32_t depth, int64_t *value, const int64_t *symbols) {
  static const char *const names[] = {"A", "B", "C"};
  uint32_t pick = random_below(r, 3);
  int64_t a, b;
  if (depth == 0 && random_below(r, 2)) return *value = (int64_t)random_below(r, 9), number(f, *value);
  if (depth == 0) return *value = symbols[pick], symbol(f, names[pick]);
  ir_dim left = random_dim(f, r, depth - 1, &a, symbols), right = random_dim(f, r, depth - 1, &b, symbols);
  static const ir_dim_op ops[] = {IR_DIM_ADD, IR_DIM_SUB, IR_DIM_MUL, IR_DIM_MIN, IR_DIM_MAX, IR_DIM_CDIV};
  ir_dim_op op = ops[random_below(r, b > 0 ? 6 : 5)];
  switch (op) {
    case IR_DIM_ADD: *value = a + b; break;
    case IR_DIM_SUB: *value = a - b; break;
    case IR_DIM_MUL: *value = a * b; break;
    case IR_DIM_MIN: *value = a < b ? a : b; break;
    case IR_DIM_MAX: *value = a > b ? a : b; break;
    default: *value = a >= 0 ? (a + b - 1) / b : -(-a / b); break;
  }
  return make(f, op, left, right);
}

static void simplifying_keeps_the_value(void **state) {
  ir_fixture *f = *state;
  random_state r = random_start("simplifying_keeps_the_value");
  static kiln_str names[] = {{"A", 1}, {"B", 1}, {"C", 1}};
  f->kernel.symbols = names;
  f->kernel.symbol_count = 3;
  for (int round = 0; round < 3000; round++) {
    int64_t symbols[3], expected, found;
    for (int i = 0; i < 3; i++) symbols[i] = 1 + random_below(&r, 7);
    ir_dim d = random_dim(f, &r, 1 + random_below(&r, 4), &expected, symbols);
    assert_true(ir_dim_eval(d, &f->kernel, symbols, &found));
    assert_int_equal(found, expected);
  }
}

static void evaluation_refuses(void **state) {
  ir_fixture *f = *state;
  static kiln_str names[] = {{"N", 1}};
  int64_t seven = 7, huge = INT64_MAX, out;
  f->kernel.symbols = names;
  f->kernel.symbol_count = 1;
  ir_dim n = symbol(f, "N");
  assert_false(ir_dim_eval(make(f, IR_DIM_DIV, n, number(f, 2)), &f->kernel, &seven, &out));
  assert_false(ir_dim_eval(make(f, IR_DIM_MUL, n, number(f, 2)), &f->kernel, &huge, &out));
  assert_false(ir_dim_eval(symbol(f, "unbound"), &f->kernel, &seven, &out));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ir_fixture_in, ir_fixture_out)
int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(equal_sizes_are_one_node),           TEST(numbers_fold),
      TEST(comparison_knows_what_can_be_known), TEST(text_reads_naturally),
      TEST(simplifying_keeps_the_value),        TEST(evaluation_refuses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
