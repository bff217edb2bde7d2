/* Narrow floats and conversions between element types, as inline functions without branches, so that loops over them
 * vectorise. Every conversion rounds once, to nearest even: where a step in between is needed, it rounds to odd, which
 * keeps the last step exact (Boldo and Melquiond, "When double rounding is odd"). */
#ifndef KILN_SRC_IR_EVAL_EVAL_FLOAT_H
#define KILN_SRC_IR_EVAL_EVAL_FLOAT_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "ir/eval/float_format.h"

static inline uint32_t f32_bits(float f) {
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return bits;
}

static inline float f32_of_bits(uint32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

/* 2 to the power, for normal results. */
static inline float f32_power(int32_t exponent) {
  return f32_of_bits(exponent > -127 ? (uint32_t)(127 + exponent) << 23 : 0);
}

/* Subnormals by their count, not as a subnormal f32: callers such as XLA let the CPU take these for zero. */
static inline float f32_from_narrow(uint32_t bits, ir_float_format f) {
  const uint32_t sign = (uint32_t)ir_float_sign(f), over = (uint32_t)ir_float_over(f);
  const uint32_t largest = (uint32_t)ir_float_largest(f), size = bits & (sign - 1);
  const uint32_t normal = (size << (23 - f.mantissa)) + ((uint32_t)(127 - f.bias) << 23);
  const uint32_t small = f32_bits((float)(int32_t)size * f32_power(1 - f.bias - (int32_t)f.mantissa));
  uint32_t result = size >> f.mantissa ? normal : small;
  if (f.specials == IR_SPECIALS_FNU) result = size == 0 ? 0x00400000u : normal;
  uint32_t special = ir_float_has_infinity(f) && size == over ? 0x7f800000u : 0x7fc00000u;
  result = size > largest ? special : result;
  result |= (bits & sign) << (31 - f.exponent - f.mantissa);
  return f32_of_bits(f.specials == IR_SPECIALS_FNUZ && bits == over ? 0x7fc00000u : result);
}

static inline uint32_t narrow_from_f32(float value, ir_float_format f) {
  const uint32_t bits = f32_bits(value), size = bits & 0x7fffffffu, cut = 23 - f.mantissa;
  const uint32_t least = (uint32_t)(128 - f.bias) << 23, nan = (uint32_t)ir_float_nan(f);
  const uint32_t over = (uint32_t)ir_float_over(f), largest = (uint32_t)ir_float_largest(f);
  /* Normal: rebias, add half of what is cut off (less one when the last kept bit is even); a carry moves on into the
   * exponent. */
  uint32_t odd = f.mantissa == 0 ? 1u : size >> cut & 1u;
  uint32_t normal = (size - (least - (1u << 23)) + (1u << (cut - 1)) - 1 + odd) >> cut;
  /* Subnormal: adding a power whose last bit counts subnormals leaves the rounded pattern in the low bits. */
  float power = f32_power(24 - f.bias - (int32_t)f.mantissa);
  uint32_t subnormal = f32_bits(f32_of_bits(size) + power) - f32_bits(power);
  if (f.specials == IR_SPECIALS_FNU) subnormal = size > 0x00400000u;
  uint32_t pattern = size < least ? subnormal : normal;
  pattern = pattern > largest ? over : pattern;
  pattern = size > 0x7f800000u ? nan : pattern;
  if (f.specials == IR_SPECIALS_FNU) return bits - 1 >= 0x7fffffffu ? nan : pattern; /* zero and what is negative */
  uint32_t sign = bits >> (31 - f.exponent - f.mantissa) & (uint32_t)ir_float_sign(f);
  return pattern | (f.specials == IR_SPECIALS_FNUZ && pattern == 0 ? 0 : sign);
}

static const ir_float_format format_f16 = {5, 10, 15, IR_SPECIALS_IEEE};
static inline float f32_from_f16(uint16_t half) { return f32_from_narrow(half, format_f16); }
static inline uint16_t f16_from_f32(float f) { return (uint16_t)narrow_from_f32(f, format_f16); }

static inline float f32_from_bf16(uint16_t brain) { return f32_of_bits((uint32_t)brain << 16); }

static inline uint16_t bf16_from_f32(float f) {
  uint32_t bits = f32_bits(f);
  uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? (bits >> 16 | 0x40u) : rounded);
}

/* The neighbouring value of a number kept as a sign and a magnitude of `width` bits, upward or downward. */
static inline uint32_t next_bits(uint32_t bits, uint32_t width, int upward) {
  const uint32_t sign = UINT32_C(1) << (width - 1), negative = (bits & sign) != 0;
  if ((bits & ~sign) == 0) return upward ? 1 : sign | 1;
  return (uint32_t)upward != negative ? bits + 1 : bits - 1;
}

/* C's nextafter among the elements of a narrow format. */
static inline uint32_t narrow_next(uint32_t a, uint32_t b, ir_float_format f) {
  float from = f32_from_narrow(a, f), to = f32_from_narrow(b, f);
  if (from != from || to != to) return (uint32_t)ir_float_nan(f);
  if (from == to) return b;
  if (f.specials == IR_SPECIALS_FNU) return from < to ? a + 1 : a - 1;
  uint32_t next = next_bits(a, f.exponent + f.mantissa + 1, from < to);
  return f.specials == IR_SPECIALS_FNUZ && next == ir_float_nan(f) ? 0 : next;
}

/* To f32 rounding to odd: an inexact result gets its last bit set. */
static inline float f32_odd_from_f64(double d) {
  float nearest = (float)d;
  uint32_t bits = f32_bits(nearest);
  uint32_t toward_zero = bits - (fabs((double)nearest) > fabs(d) ? 1u : 0u);
  return f32_of_bits((double)nearest != d && d == d ? toward_zero | 1u : bits);
}
static inline uint16_t f16_from_f64(double d) { return f16_from_f32(f32_odd_from_f64(d)); }
static inline uint16_t bf16_from_f64(double d) { return bf16_from_f32(f32_odd_from_f64(d)); }

/* 64-bit integers to f64 rounding to odd: the bits that may not fit become one sticky bit. */
static inline double f64_odd_from_u64(uint64_t v) {
  uint64_t sticky = (v & ~UINT64_C(0xfff)) | ((v & 0xfff) != 0 ? 0x800u : 0u);
  return (double)(v >> 53 ? sticky : v);
}
static inline double f64_odd_from_i64(int64_t v) {
  uint64_t magnitude = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
  return v < 0 ? -f64_odd_from_u64(magnitude) : f64_odd_from_u64(magnitude);
}

/* The larger and the smaller of two, NaN if either is. As functions: both choices are then made without a branch. */
#define FLOAT_CHOICE(name, type, relation)    \
  static inline type name(type a, type b) {   \
    const type chosen = a relation b ? a : b; \
    return a != a ? a : chosen;               \
  }
FLOAT_CHOICE(larger, double, >)
FLOAT_CHOICE(smaller, double, <)
FLOAT_CHOICE(largerf, float, >)
FLOAT_CHOICE(smallerf, float, <)
#undef FLOAT_CHOICE

#endif
