/* Floats of at most 8 bits by their definition, for tests: every pattern's value, and rounding by looking for the
 * nearest of them. Shares nothing with the library but the columns of types.def. */
#ifndef KILN_TESTS_BYTE_FLOAT_H
#define KILN_TESTS_BYTE_FLOAT_H

#include <math.h>

#include "ir/ir.h"

static inline bool is_byte_float(ir_dtype d) {
  return ir_dtype_get(d)->class == IR_CLASS_FLOAT && ir_dtype_get(d)->bits <= 8;
}

/* The value that a pattern without sign would have if none were special. */
static inline long double byte_plain(ir_float_format f, uint32_t pattern) {
  uint32_t ones = (1u << f.mantissa) - 1, exponent = pattern >> f.mantissa, mantissa = pattern & ones;
  if (f.specials == IR_SPECIALS_FNU) return ldexpl(1, (int)pattern - f.bias);
  if (exponent == 0) return ldexpl(mantissa, 1 - f.bias - (int)f.mantissa);
  return ldexpl(mantissa + ones + 1, (int)exponent - f.bias - (int)f.mantissa);
}

/* How many patterns, from 0 on, are finite numbers. */
static inline uint32_t byte_finite(ir_float_format f) {
  uint32_t all = 1u << (f.exponent + f.mantissa);
  switch (f.specials) {
    case IR_SPECIALS_IEEE: return all - (1u << f.mantissa);
    case IR_SPECIALS_FN:
    case IR_SPECIALS_FNU: return all - 1;
    default: return all;
  }
}

static inline long double byte_value(ir_dtype d, uint32_t bits) {
  ir_float_format f = ir_dtype_get(d)->format;
  uint32_t width = f.exponent + f.mantissa, pattern = bits & ((1u << width) - 1), finite = byte_finite(f);
  bool negative = f.specials != IR_SPECIALS_FNU && (bits >> width & 1);
  if (f.specials == IR_SPECIALS_FNUZ && negative && pattern == 0) return (long double)NAN;
  if (pattern > finite || (pattern == finite && f.specials != IR_SPECIALS_IEEE)) return (long double)NAN;
  long double value = pattern == finite ? (long double)INFINITY : byte_plain(f, pattern);
  return negative ? -value : value;
}

static inline long double byte_too_large(ir_float_format f) {
  if (f.specials == IR_SPECIALS_IEEE) return (long double)INFINITY;
  return f.specials == IR_SPECIALS_FINITE ? byte_plain(f, byte_finite(f) - 1) : (long double)NAN;
}

/* Powers of two: halfway goes up; above 2^-127 nothing goes down to it, and nothing is smaller. */
static inline long double byte_round_power(long double value) {
  int exponent;
  if (!(value > 0 && value < ldexpl(1.5L, 127))) return (long double)NAN;
  if (value < ldexpl(1, -126)) return ldexpl(1, value > ldexpl(1, -127) ? -126 : -127);
  return ldexpl(1, frexpl(value, &exponent) >= 0.75L ? exponent : exponent - 1);
}

static inline long double byte_round(ir_dtype d, long double value) {
  ir_float_format f = ir_dtype_get(d)->format;
  uint32_t finite = byte_finite(f), pattern = 0;
  if (f.specials == IR_SPECIALS_FNU) return byte_round_power(value);
  if (isnan(value)) return f.specials == IR_SPECIALS_FINITE ? -0.0L : value;
  long double size = fabsl(value);
  for (uint32_t step = 128; step; step /= 2) /* the last pattern that is not above */
    if (pattern + step <= finite && byte_plain(f, pattern + step) <= size) pattern += step;
  long double low = byte_plain(f, pattern), high = byte_plain(f, pattern + 1);
  if (pattern < finite && (size - low > high - size || (size - low == high - size && pattern % 2 == 1))) pattern++;
  long double rounded = pattern < finite ? byte_plain(f, pattern) : byte_too_large(f);
  if (f.specials == IR_SPECIALS_FNUZ && rounded == 0) return 0;
  return copysignl(rounded, value);
}

/* The nearest of all values on the way from a to b. */
static inline long double byte_next(ir_dtype d, long double a, long double b) {
  long double next = b;
  if (isnan(a) || isnan(b)) return (long double)NAN;
  for (uint32_t bits = 0; bits < 1u << ir_dtype_get(d)->bits; bits++) {
    long double value = byte_value(d, bits);
    if (a < b ? value > a && value < next : value < a && value > next) next = value;
  }
  return next;
}

#endif
