/* Literals as the bits of their element type: exact conversions to and from double and int64. The float formats are
 * taken apart by their two numbers (exponent and mantissa bits), so f16 and bf16 need no code of their own. */
#include <math.h>
#include <string.h>

#include "ir/ir.h"

typedef struct float_format {
  uint32_t exponent, mantissa;
} float_format;

static float_format format_of(ir_dtype dtype) {
  switch (dtype) {
    case IR_F16: return (float_format){5, 10};
    case IR_BF16: return (float_format){8, 7};
    case IR_F32: return (float_format){8, 23};
    default: return (float_format){11, 52};
  }
}

static uint64_t mask_bits(uint32_t bits) { return bits >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << bits) - 1; }

static uint64_t round_shift(uint64_t value, uint32_t shift) { /* to nearest, ties to even */
  if (shift == 0) return value;
  if (shift > 63) return 0;
  uint64_t half = UINT64_C(1) << (shift - 1), rest = value & mask_bits(shift), whole = value >> shift;
  return whole + (rest > half || (rest == half && (whole & 1)));
}

/* A double narrowed to a smaller format. A carry out of the mantissa moves on into the exponent, up to infinity: as it
 * should. */
static uint64_t narrow(double value, float_format f) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  uint64_t sign = (bits >> 63) << (f.exponent + f.mantissa), mantissa = bits & mask_bits(52);
  uint64_t infinity = mask_bits(f.exponent) << f.mantissa;
  int32_t exponent = (int32_t)((bits >> 52) & 0x7ff);
  if (exponent == 0x7ff) return sign | infinity | (mantissa ? UINT64_C(1) << (f.mantissa - 1) : 0);
  exponent += (int32_t)mask_bits(f.exponent - 1) - 1023; /* in the narrow format; below 1: subnormal */
  if (exponent >= (int32_t)mask_bits(f.exponent)) return sign | infinity;
  uint32_t shift = 52 - f.mantissa;
  if (exponent >= 1) return sign | round_shift(mantissa | (uint64_t)exponent << 52, shift);
  return sign | round_shift(mantissa | UINT64_C(1) << 52, shift + (uint32_t)(1 - exponent));
}

static double widen(uint64_t bits, float_format f) {
  uint64_t mantissa = bits & mask_bits(f.mantissa), exponent = (bits >> f.mantissa) & mask_bits(f.exponent);
  bool negative = (bits >> (f.mantissa + f.exponent)) & 1;
  double value;
  int32_t bias = (int32_t)mask_bits(f.exponent - 1);
  if (exponent == mask_bits(f.exponent))
    value = mantissa ? NAN : INFINITY;
  else if (exponent == 0)
    value = ldexp((double)mantissa, 1 - bias - (int32_t)f.mantissa);
  else
    value = ldexp((double)(mantissa | UINT64_C(1) << f.mantissa), (int32_t)exponent - bias - (int32_t)f.mantissa);
  return copysign(value, negative ? -1.0 : 1.0);
}

static uint64_t saturate(double value, ir_class class, uint32_t bits) {
  if (isnan(value)) return 0;
  double limit = ldexp(1.0, (int)bits - (class == IR_CLASS_SINT));
  if (value >= limit) return mask_bits(bits - (class == IR_CLASS_SINT));
  if (class == IR_CLASS_UINT) return value <= 0 ? 0 : (uint64_t)value;
  if (value < -limit) return UINT64_C(1) << (bits - 1);
  return (uint64_t)(int64_t)value & mask_bits(bits);
}

uint64_t ir_bits_from_f64(ir_dtype dtype, double value) {
  const ir_dtype_info *info = ir_dtype_get(dtype);
  uint64_t bits;
  if (info->class == IR_CLASS_BOOL) return value != 0;
  if (info->class != IR_CLASS_FLOAT) return saturate(value, info->class, info->bits);
  if (dtype != IR_F64) return narrow(value, format_of(dtype));
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/* A long integer is first cut to three bits more than the format keeps, the last one sticky: exact as a double, so that
 * it is rounded once only. */
static uint64_t float_from_i64(ir_dtype dtype, int64_t value) {
  uint64_t magnitude = value < 0 ? UINT64_C(0) - (uint64_t)value : (uint64_t)value;
  float_format f = format_of(dtype);
  uint32_t excess = 0;
  while (magnitude >> (f.mantissa + 3 + excess) && f.mantissa + 3 + excess < 63) excess++;
  if (dtype == IR_F64) return ir_bits_from_f64(dtype, (double)value);
  uint64_t cut = magnitude >> excess << excess;
  if (cut != magnitude) cut |= UINT64_C(1) << excess; /* sticky */
  return ir_bits_from_f64(dtype, value < 0 ? -(double)cut : (double)cut);
}

uint64_t ir_bits_from_i64(ir_dtype dtype, int64_t value) {
  const ir_dtype_info *info = ir_dtype_get(dtype);
  if (info->class == IR_CLASS_BOOL) return value != 0;
  if (info->class == IR_CLASS_FLOAT) return float_from_i64(dtype, value);
  return (uint64_t)value & mask_bits(info->bits);
}

double ir_bits_to_f64(ir_dtype dtype, uint64_t bits) {
  const ir_dtype_info *info = ir_dtype_get(dtype);
  double value;
  if (dtype == IR_F64) return memcpy(&value, &bits, sizeof value), value;
  if (info->class == IR_CLASS_FLOAT) return widen(bits, format_of(dtype));
  return info->class == IR_CLASS_SINT ? (double)ir_bits_to_i64(dtype, bits) : (double)(bits & mask_bits(info->bits));
}

int64_t ir_bits_to_i64(ir_dtype dtype, uint64_t bits) {
  const ir_dtype_info *info = ir_dtype_get(dtype);
  if (info->class == IR_CLASS_FLOAT) return (int64_t)ir_bits_from_f64(IR_I64, ir_bits_to_f64(dtype, bits));
  bits &= mask_bits(info->bits);
  if (info->class == IR_CLASS_SINT && (bits >> (info->bits - 1) & 1)) bits |= ~mask_bits(info->bits);
  return (int64_t)bits;
}

uint64_t ir_fill_bits(ir_dtype dtype) {
  const ir_dtype_info *info = ir_dtype_get(dtype);
  if (info->class == IR_CLASS_FLOAT) return ir_bits_from_f64(dtype, NAN);
  return info->class == IR_CLASS_SINT ? UINT64_C(1) << (info->bits - 1) : 0;
}

void ir_fill_array(ir_dtype dtype, void *data, size_t count) {
  const size_t size = ir_dtype_bytes(dtype);
  const uint64_t bits = ir_fill_bits(dtype);
  unsigned char *at = data;
  if (count == 0) return;
  memcpy(at, &bits, size);
  for (size_t done = size, all = count * size; done < all;) {
    size_t part = done < all - done ? done : all - done;
    memcpy(at + done, at, part);
    done += part;
  }
}
