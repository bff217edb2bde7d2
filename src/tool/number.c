/* Elements as numbers. */
#include "tool/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"

bool dtype_is_float(kiln_dtype dtype) { return ir_is_float((ir_dtype)dtype); }

double dtype_tolerance(kiln_dtype dtype) {
  switch (dtype) {
    case KILN_F16: return 4e-3;
    case KILN_BF16: return 3e-2;
    case KILN_F32: return 1e-5;
    case KILN_F64: return 1e-12;
    default: return dtype_is_float(dtype) ? ldexp(1, -(int)ir_dtype_get((ir_dtype)dtype)->format.mantissa) : 0;
  }
}

size_t array_count(const kiln_array *array) { return array->size / kiln_dtype_size(array->dtype); }

uint64_t array_bits(const kiln_array *array, size_t index) {
  uint64_t bits = 0;
  size_t size = kiln_dtype_size(array->dtype);
  memcpy(&bits, (const unsigned char *)array->data + index * size, size);
  return bits;
}

double array_number(const kiln_array *array, size_t index) {
  return ir_bits_to_f64((ir_dtype)array->dtype, array_bits(array, index));
}

summary array_summary(const kiln_array *array) {
  summary s = {.min = INFINITY, .max = -INFINITY};
  size_t count = array_count(array);
  double sum = 0;
  for (size_t i = 0; i < count; i++) {
    double value = array_number(array, i);
    if (isnan(value)) {
      s.nans++;
      continue;
    }
    if (value < s.min) s.min = value;
    if (value > s.max) s.max = value;
    sum += value;
  }
  if (s.nans == count) return (summary){NAN, NAN, NAN, s.nans};
  s.mean = sum / (double)(count - s.nans);
  return s;
}

/* A float's bits as an integer that grows with the value, so that neighbours differ by 1. */
static int64_t ordered(kiln_dtype dtype, uint64_t bits) {
  uint64_t sign = ir_float_sign(ir_dtype_get((ir_dtype)dtype)->format);
  return bits & sign ? -(int64_t)(bits ^ sign) : (int64_t)bits;
}

static uint64_t ulp_between(kiln_dtype dtype, uint64_t a, uint64_t b) {
  int64_t x = ordered(dtype, a), y = ordered(dtype, b);
  return x > y ? (uint64_t)x - (uint64_t)y : (uint64_t)y - (uint64_t)x;
}

/* Whole numbers that doubles cannot tell apart are still 1 apart. */
static double distance(bool is_float, double x, double y) {
  if (!is_float) return fmax(fabs(x - y), 1);
  if ((isnan(x) && isnan(y)) || x == y) return 0;
  return isfinite(x) && isfinite(y) ? fabs(x - y) : INFINITY;
}

static void compare_element(difference *d, const kiln_array *reference, const kiln_array *other, size_t i) {
  uint64_t a = array_bits(reference, i), b = array_bits(other, i);
  if (a == b) return;
  bool is_float = dtype_is_float(reference->dtype);
  double apart = distance(is_float, array_number(reference, i), array_number(other, i));
  if (apart == 0) return;
  uint64_t ulp = UINT64_MAX;
  if (isfinite(apart)) ulp = is_float ? ulp_between(reference->dtype, a, b) : (uint64_t)fmin(apart, 0x1p63);
  if (ulp > d->largest_ulp) d->largest_ulp = ulp;
  if (apart > d->largest) {
    d->largest = apart;
    d->where = i;
  }
  d->beyond += apart > d->allowed;
}

difference array_difference(const kiln_array *reference, const kiln_array *other, double tolerance) {
  difference d = {0};
  size_t count = array_count(reference);
  double scale = 0;
  for (size_t i = 0; i < count; i++) {
    double magnitude = fabs(array_number(reference, i));
    if (isfinite(magnitude) && magnitude > scale) scale = magnitude;
  }
  d.allowed = tolerance * scale;
  for (size_t i = 0; i < count; i++) compare_element(&d, reference, other, i);
  return d;
}
