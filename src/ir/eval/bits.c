/* Literals as the bits of their element type: exact conversions to and from double and int64. The float formats are
 * taken apart by the numbers of types.def, so that none of them needs code of its own. */
#include <math.h>
#include <string.h>

#include "ir/ir.h"

static ir_float_format format_of(ir_dtype dtype) { return ir_dtype_get(dtype)->format; }

static uint64_t round_shift(uint64_t value, uint32_t shift) { /* to nearest, ties to even */
  if (shift == 0) return value;
  if (shift > 63) return 0;
  uint64_t half = UINT64_C(1) << (shift - 1), rest = value & ir_low_ones(shift), whole = value >> shift;
  return whole + (rest > half || (rest == half && (whole & 1)));
}

/* The pattern of a finite double without its sign, perhaps past the largest. */
static uint64_t pattern_of(uint64_t size, ir_float_format f) {
  uint64_t mantissa = size & ir_low_ones(52);
  int32_t exponent = (int32_t)(size >> 52) + f.bias - 1023; /* in the narrow format; below 1: subnormal */
  uint32_t shift = 52 - f.mantissa;
  if (f.specials == IR_SPECIALS_FNU) /* the one bit that is kept is odd: ties go up */
    return exponent < 0 ? 0 : (uint64_t)exponent + (exponent == 0 ? (uint64_t)(mantissa > 0) : mantissa >> 51);
  if (exponent >= 1) return round_shift(mantissa | (uint64_t)exponent << 52, shift);
  return round_shift(mantissa | UINT64_C(1) << 52, shift + (uint32_t)(1 - exponent));
}

/* A double narrowed to a smaller format. A carry out of the mantissa moves on into the exponent, as it should. */
static uint64_t narrow(double value, ir_float_format f) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  uint64_t size = bits & ir_low_ones(63), pattern = ir_float_over(f);
  if (size < UINT64_C(0x7ff) << 52) pattern = pattern_of(size, f);
  if (pattern > ir_float_largest(f)) pattern = ir_float_over(f);
  if (isnan(value) || (size == 0 && f.specials == IR_SPECIALS_FNU)) pattern = ir_float_nan(f);
  return ir_float_signed(f, pattern, bits >> 63);
}

static bool is_special(uint64_t bits, ir_float_format f) {
  if (f.specials == IR_SPECIALS_FNUZ) return bits == ir_float_nan(f);
  return (bits & (ir_float_sign(f) - 1)) > ir_float_largest(f);
}

static double widen(uint64_t bits, ir_float_format f) {
  uint64_t mantissa = bits & ir_low_ones(f.mantissa), exponent = (bits >> f.mantissa) & ir_low_ones(f.exponent);
  bool normal = exponent > 0 || f.specials == IR_SPECIALS_FNU, negative = (bits & ir_float_sign(f)) != 0;
  double value = (double)(mantissa | (uint64_t)normal << f.mantissa);
  value = ldexp(value, (int32_t)exponent + !normal - f.bias - (int32_t)f.mantissa);
  if (is_special(bits, f)) {
    bool infinite = ir_float_has_infinity(f) && mantissa == 0;
    if (f.specials == IR_SPECIALS_FNUZ) negative = false;
    value = infinite ? INFINITY : NAN;
  }
  return copysign(value, negative ? -1.0 : 1.0);
}

static uint64_t saturate(double value, ir_class class, uint32_t bits) {
  if (isnan(value)) return 0;
  double limit = ldexp(1.0, (int)bits - (class == IR_CLASS_SINT));
  if (value >= limit) return ir_low_ones(bits - (class == IR_CLASS_SINT));
  if (class == IR_CLASS_UINT) return value <= 0 ? 0 : (uint64_t)value;
  if (value < -limit) return UINT64_C(1) << (bits - 1);
  return (uint64_t)(int64_t)value & ir_low_ones(bits);
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

/* To floats of a byte by way of f32, as XLA does. A long integer is first cut to three bits more than the format keeps,
 * the last one sticky: exact as a double, so that it is rounded once only. */
static uint64_t float_from_i64(ir_dtype dtype, int64_t value) {
  uint64_t magnitude = value < 0 ? UINT64_C(0) - (uint64_t)value : (uint64_t)value;
  ir_float_format f = format_of(dtype);
  uint32_t excess = 0;
  while (magnitude >> (f.mantissa + 3 + excess) && f.mantissa + 3 + excess < 63) excess++;
  if (dtype == IR_F64) return ir_bits_from_f64(dtype, (double)value);
  if (f.exponent + f.mantissa < 9) return ir_bits_from_f64(dtype, (double)(float)value);
  uint64_t cut = magnitude >> excess << excess;
  if (cut != magnitude) cut |= UINT64_C(1) << excess; /* sticky */
  return ir_bits_from_f64(dtype, value < 0 ? -(double)cut : (double)cut);
}

uint64_t ir_bits_from_i64(ir_dtype dtype, int64_t value) {
  const ir_dtype_info *info = ir_dtype_get(dtype);
  if (info->class == IR_CLASS_BOOL) return value != 0;
  if (info->class == IR_CLASS_FLOAT) return float_from_i64(dtype, value);
  return (uint64_t)value & ir_low_ones(info->bits);
}

double ir_bits_to_f64(ir_dtype dtype, uint64_t bits) {
  const ir_dtype_info *info = ir_dtype_get(dtype);
  double value;
  if (dtype == IR_F64) return memcpy(&value, &bits, sizeof value), value;
  if (info->class == IR_CLASS_FLOAT) return widen(bits, format_of(dtype));
  return info->class == IR_CLASS_SINT ? (double)ir_bits_to_i64(dtype, bits) : (double)(bits & ir_low_ones(info->bits));
}

int64_t ir_bits_to_i64(ir_dtype dtype, uint64_t bits) {
  const ir_dtype_info *info = ir_dtype_get(dtype);
  if (info->class == IR_CLASS_FLOAT) return (int64_t)ir_bits_from_f64(IR_I64, ir_bits_to_f64(dtype, bits));
  bits &= ir_low_ones(info->bits);
  if (info->class == IR_CLASS_SINT && (bits >> (info->bits - 1) & 1)) bits |= ~ir_low_ones(info->bits);
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
