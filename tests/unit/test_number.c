/* tool/number: the text of numbers, summaries, and how far apart two arrays are. */
#include "unit.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "tool/number.h"

#define ARRAY(type, ...) array_of(type, (__VA_ARGS__), sizeof(__VA_ARGS__))

static kiln_array array_of(kiln_dtype dtype, void *data, size_t size) {
  return (kiln_array){
      .dtype = dtype, .rank = 1, .dims = {(int64_t)(size / kiln_dtype_size(dtype))}, .data = data, .size = size};
}

static void text_is_short_and_reads_back(void **state) {
  (void)state;
  char out[NUMBER_SIZE];
  assert_string_equal(number_text(out, 0.1), "0.1");
  assert_string_equal(number_text(out, -0.0), "-0");
  assert_string_equal(number_text(out, 1e300), "1e+300");
  static const double values[] = {1.0 / 3, DBL_MAX, DBL_MIN, 5e-324, 123456789.125, 0.1f};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++)
    assert_true(strtod(number_text(out, values[i]), NULL) == values[i]);
}

static void summaries_leave_nan_out(void **state) {
  (void)state;
  kiln_array a = ARRAY(KILN_F32, (float[]){1, NAN, -3, 8});
  summary s = array_summary(&a);
  assert_true(s.min == -3 && s.max == 8 && s.mean == 2 && s.nans == 1);
  a = ARRAY(KILN_F32, (float[]){NAN});
  s = array_summary(&a);
  assert_true(isnan(s.min) && isnan(s.mean) && s.nans == 1);
  a = ARRAY(KILN_I8, (int8_t[]){-128, 127});
  s = array_summary(&a);
  assert_true(s.min == -128 && s.max == 127 && s.mean == -0.5);
}

static void units_of_the_last_place(void **state) {
  (void)state;
  kiln_array a = ARRAY(KILN_F32, (float[]){1, 0.0f, FLT_MIN, -1});
  kiln_array b = ARRAY(KILN_F32, (float[]){1 + FLT_EPSILON, -0.0f, 0, -1 + FLT_EPSILON});
  difference d = array_difference(&a, &b, 1e-5);
  assert_int_equal(d.largest_ulp, 0x00800000); /* FLT_MIN to 0 */
  assert_true(d.largest == FLT_EPSILON && d.where == 0 && d.beyond == 0 && d.allowed == 1e-5);
  a = ARRAY(KILN_F16, (uint16_t[]){0x3c00, 0x8001});
  b = ARRAY(KILN_F16, (uint16_t[]){0x3c03, 0x0001}); /* across zero: two subnormals */
  assert_int_equal(array_difference(&a, &b, 1).largest_ulp, 3);
}

static void what_is_too_far_is_counted(void **state) {
  (void)state;
  kiln_array a = ARRAY(KILN_F32, (float[]){100, 1, 2, 3});
  kiln_array b = ARRAY(KILN_F32, (float[]){100, 1.0009f, 2.002f, 2.5f});
  difference d = array_difference(&a, &b, 1e-5); /* 1e-3 may be, of the largest magnitude 100 */
  assert_int_equal(d.beyond, 2);
  assert_int_equal(d.where, 3);
  assert_true(d.largest == 0.5);
}

static void nan_and_infinity(void **state) {
  (void)state;
  kiln_array a = ARRAY(KILN_F64, (double[]){NAN, INFINITY, 1, -INFINITY});
  assert_int_equal(array_difference(&a, &a, 0).beyond, 0);
  kiln_array b = ARRAY(KILN_F64, (double[]){1, INFINITY, NAN, INFINITY});
  difference d = array_difference(&a, &b, 1);
  assert_int_equal(d.beyond, 3);
  assert_true(isinf(d.largest) && d.largest_ulp == UINT64_MAX);
}

static void integers_must_be_equal(void **state) {
  (void)state;
  kiln_array a = ARRAY(KILN_I64, (int64_t[]){0, INT64_MAX, 7});
  kiln_array b = ARRAY(KILN_I64, (int64_t[]){1, INT64_MAX - 1, 7}); /* as doubles, both are 2^63 */
  difference d = array_difference(&a, &b, dtype_tolerance(KILN_I64));
  assert_true(d.beyond == 2 && d.largest == 1 && d.largest_ulp == 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_is_short_and_reads_back),
      cmocka_unit_test(summaries_leave_nan_out),
      cmocka_unit_test(units_of_the_last_place),
      cmocka_unit_test(what_is_too_far_is_counted),
      cmocka_unit_test(nan_and_infinity),
      cmocka_unit_test(integers_must_be_equal),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
