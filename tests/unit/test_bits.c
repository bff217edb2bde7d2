/* Literals as bits: every f16 and bf16 against a formula of its own, rounding between neighbours, integers at their
 * limits. */
#include "unit.h"

#include <math.h>
#include <string.h>

#include "byte_float.h"

/* The value by the definition of the format: (-1)^s * 2^(e - bias) * 1.m, built by repeated halving and doubling. */
static double by_definition(uint32_t bits, uint32_t exponent_bits, uint32_t mantissa_bits) {
  uint32_t mantissa = bits & ((1u << mantissa_bits) - 1),
           exponent = bits >> mantissa_bits & ((1u << exponent_bits) - 1);
  int32_t bias = (int32_t)(1u << (exponent_bits - 1)) - 1, power = (exponent ? (int32_t)exponent : 1) - bias;
  double value = exponent ? 1.0 : 0.0, part = 0.5;
  for (uint32_t i = mantissa_bits; i-- > 0; part /= 2) value += (mantissa >> i & 1) ? part : 0.0;
  for (; power > 0; power--) value *= 2;
  for (; power < 0; power++) value /= 2;
  return bits >> (exponent_bits + mantissa_bits) & 1 ? -value : value;
}

static void check_every(ir_dtype dtype, uint32_t exponent_bits, uint32_t mantissa_bits) {
  uint32_t infinity = ((1u << exponent_bits) - 1) << mantissa_bits;
  for (uint32_t bits = 0; bits < 0x10000; bits++) {
    double value = ir_bits_to_f64(dtype, bits);
    if ((bits & 0x7fff) > infinity) {
      assert_true(isnan(value));
    } else if ((bits & 0x7fff) == infinity) {
      assert_true(isinf(value) && (value < 0) == (bits >> 15));
    } else {
      assert_true(value == by_definition(bits, exponent_bits, mantissa_bits));
    }
    if (!isnan(value)) assert_int_equal(ir_bits_from_f64(dtype, value), bits);
  }
}

/* Between two neighbours: below the middle down, above it up, at it to the even one. */
static void check_rounding(ir_dtype dtype, uint32_t infinity) {
  for (uint32_t bits = 0; bits + 1 < infinity; bits++) {
    double low = ir_bits_to_f64(dtype, bits), high = ir_bits_to_f64(dtype, bits + 1), middle = (low + high) / 2;
    assert_int_equal(ir_bits_from_f64(dtype, middle), bits & 1 ? bits + 1 : bits);
    assert_int_equal(ir_bits_from_f64(dtype, nextafter(middle, low)), bits);
    assert_int_equal(ir_bits_from_f64(dtype, nextafter(middle, high)), bits + 1);
    assert_int_equal(ir_bits_from_f64(dtype, -middle), 0x8000 | (bits & 1 ? bits + 1 : bits));
  }
}

static void every_f16(void **state) {
  (void)state;
  check_every(IR_F16, 5, 10);
  check_rounding(IR_F16, 0x7c00);
  assert_int_equal(ir_bits_from_f64(IR_F16, 65519.99), 0x7bff);
  assert_int_equal(ir_bits_from_f64(IR_F16, 65520.0), 0x7c00);
  assert_int_equal(ir_bits_from_f64(IR_F16, 1e-30), 0);
}

static void every_bf16(void **state) {
  (void)state;
  check_every(IR_BF16, 8, 7);
  check_rounding(IR_BF16, 0x7f80);
}

/* Every pattern of every format of at most 8 bits, the middles between neighbours, and what is next to these. */
static void every_byte_float(void **state) {
  (void)state;
  for (ir_dtype d = 0; d < IR_DTYPE_COUNT; d++) {
    for (uint32_t bits = 0; is_byte_float(d) && bits < 1u << ir_dtype_get(d)->bits; bits++) {
      double value = ir_bits_to_f64(d, bits), next = ir_bits_to_f64(d, bits + 1), middle = (value + next) / 2;
      long double want = byte_value(d, bits);
      assert_true(isnan(want) ? isnan(value) : (long double)value == want && !signbit(value) == !signbit(want));
      if (!isnan(value)) assert_int_equal(ir_bits_from_f64(d, value), bits);
      const double around[] = {middle,      nextafter(middle, value), nextafter(middle, next), -middle, middle / 1e9,
                               middle * 1e9};
      for (size_t k = 0; k < sizeof around / sizeof *around; k++) {
        double got = ir_bits_to_f64(d, ir_bits_from_f64(d, around[k]));
        long double rounded = byte_round(d, around[k]);
        if (isnan(rounded) ? !isnan(got) : got != (double)rounded || !signbit(got) != !signbit(rounded))
          fail_msg("%s from %.17g: %g, expected %Lg", ir_dtype_get(d)->name, around[k], got, rounded);
      }
    }
  }
}

static void small_integers(void **state) {
  (void)state;
  assert_int_equal(ir_bits_from_i64(IR_I4, -1), 0xf);
  assert_int_equal(ir_bits_from_i64(IR_I4, 8), 0x8);
  assert_int_equal(ir_bits_to_i64(IR_I4, 0x8), -8);
  assert_int_equal(ir_bits_to_i64(IR_I4, 0xf7), 7); /* what lies above does not count */
  assert_int_equal(ir_bits_to_i64(IR_U4, 0xff), 15);
  assert_int_equal(ir_bits_from_f64(IR_I4, -100), 0x8);
  assert_int_equal(ir_bits_from_f64(IR_U2, 100), 3);
  assert_int_equal(ir_bits_from_i64(IR_I2, 2), 2);
  assert_int_equal(ir_bits_to_i64(IR_I2, 2), -2);
  assert_int_equal(ir_fill_bits(IR_I2), 2);
  assert_int_equal(ir_fill_bits(IR_F8E4M3FNUZ), 0x80);
}

static void f32_is_the_compilers(void **state) {
  (void)state;
  const double values[] = {0.1, -1.0 / 3, 1e-45, 1e-46, 3.4028235e38, 3.5e38, 16777217, 1e-40, INFINITY};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    float narrow = (float)values[i];
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    assert_int_equal(ir_bits_from_f64(IR_F32, values[i]), bits);
    assert_true(ir_bits_to_f64(IR_F32, bits) == (double)narrow);
  }
}

static void long_integers_round_once(void **state) {
  (void)state;
  /* 2^53 + 2^29 + 1 by way of a double would lose its last bit and then tie to even. */
  const int64_t values[] = {(INT64_C(1) << 54) + (INT64_C(1) << 30) + 1,    INT64_MAX, INT64_MIN,
                            -((INT64_C(1) << 54) + (INT64_C(1) << 30) + 1), 16777217,  33554435};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    float narrow = (float)values[i];
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    assert_int_equal(ir_bits_from_i64(IR_F32, values[i]), bits);
  }
}

static void integers_saturate_or_wrap(void **state) {
  (void)state;
  assert_int_equal(ir_bits_from_f64(IR_I8, 1e9), 0x7f);
  assert_int_equal(ir_bits_from_f64(IR_I8, -1e9), 0x80);
  assert_int_equal(ir_bits_from_f64(IR_I8, -1.9), 0xff);
  assert_int_equal(ir_bits_from_f64(IR_U16, -3.0), 0);
  assert_int_equal(ir_bits_from_f64(IR_U16, 65535.9), 65535);
  assert_int_equal(ir_bits_from_f64(IR_U64, 1e30), UINT64_MAX);
  assert_int_equal(ir_bits_from_f64(IR_I64, 9223372036854775808.0), INT64_MAX);
  assert_int_equal(ir_bits_from_f64(IR_I64, -9223372036854775808.0), (uint64_t)INT64_MIN);
  assert_int_equal(ir_bits_from_f64(IR_I32, NAN), 0);
  assert_int_equal(ir_bits_from_i64(IR_U8, 257), 1);
  assert_int_equal(ir_bits_to_i64(IR_I16, 0xffff), -1);
  assert_int_equal(ir_bits_from_f64(IR_BOOL, -0.0), 0);
  assert_int_equal(ir_bits_from_f64(IR_BOOL, NAN), 1);
}

static void fill_values(void **state) {
  (void)state;
  assert_int_equal(ir_fill_bits(IR_I8), 0x80);
  assert_int_equal(ir_fill_bits(IR_I64), (uint64_t)INT64_MIN);
  assert_int_equal(ir_fill_bits(IR_U32), 0);
  assert_int_equal(ir_fill_bits(IR_BOOL), 0);
  assert_int_equal(ir_fill_bits(IR_F16), 0x7e00);
  assert_int_equal(ir_fill_bits(IR_BF16), 0x7fc0);
  assert_int_equal(ir_fill_bits(IR_F32), 0x7fc00000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_f16),
      cmocka_unit_test(every_bf16),
      cmocka_unit_test(every_byte_float),
      cmocka_unit_test(small_integers),
      cmocka_unit_test(f32_is_the_compilers),
      cmocka_unit_test(long_integers_round_once),
      cmocka_unit_test(integers_saturate_or_wrap),
      cmocka_unit_test(fill_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
