/* Narrow floats and conversions between element types, as inline functions without branches, so that loops over them
 * vectorise. Every conversion rounds once, to nearest even: where a step in between is needed, it rounds to odd, which
 * keeps the last step exact (Boldo and Melquiond, "When double rounding is odd"). */
#ifndef KILN_SRC_IR_EVAL_FLOAT_H
#define KILN_SRC_IR_EVAL_FLOAT_H

#include <math.h>
#include <stdint.h>
#include <string.h>

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

/* Shifting a half into a float's place and scaling by 2^112 rebiases the exponent; subnormals come out right too. */
static inline float f32_from_f16(uint16_t half) {
  uint32_t magnitude = (uint32_t)(half & 0x7fff) << 13;
  uint32_t finite = f32_bits(f32_of_bits(magnitude) * 0x1p112f);
  uint32_t bits = magnitude >= 0x0f800000u ? magnitude | 0x7f800000u : finite;
  return f32_of_bits(bits | (uint32_t)(half & 0x8000) << 16);
}

static inline uint16_t f16_from_f32(float f) {
  uint32_t bits = f32_bits(f), magnitude = bits & 0x7fffffffu;
  /* Normal: rebias by 112, add half of what is cut off (less one when the last kept bit is even); a carry reaches
   * infinity. */
  uint32_t normal = (magnitude - (112u << 23) + 0xfffu + (magnitude >> 13 & 1u)) >> 13;
  /* Subnormal: adding 0.5 leaves the rounded half in the low bits. */
  uint32_t subnormal = f32_bits(f32_of_bits(magnitude) + 0.5f) - 0x3f000000u;
  uint32_t special = magnitude > 0x7f800000u ? 0x7e00u : 0x7c00u;
  uint32_t half = magnitude >= 0x47800000u ? special : magnitude < 0x38800000u ? subnormal : normal;
  return (uint16_t)(half | (bits >> 16 & 0x8000u));
}

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

#endif
