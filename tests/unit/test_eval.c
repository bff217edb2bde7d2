/* Lane loops against an independent reference: every row of tile_ops.def, every element type, every instruction set of
 * this CPU. The reference computes integers in 64 bits and floats in long double, and rounds by its own routine. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "byte_float.h"
#include "ir/eval/eval.h"

/* One element as the reference sees it: integers (and bool) in `i`, wrapped to their width; floats in `f`. */
typedef struct number {
  int64_t i;
  long double f;
} number;

static bool is_float(ir_dtype d) { return ir_dtype_get(d)->class == IR_CLASS_FLOAT; }
static bool is_signed(ir_dtype d) { return ir_dtype_get(d)->class == IR_CLASS_SINT; }
static uint32_t width(ir_dtype d) { return d == IR_BOOL ? 1 : ir_dtype_get(d)->bits; }

static int64_t wrap(ir_dtype d, uint64_t v) {
  uint32_t unused = 64 - width(d);
  return is_signed(d) ? (int64_t)(v << unused) >> unused : (int64_t)(v << unused >> unused);
}

typedef struct float_format {
  int digits, least_unit; /* significand bits; exponent of the smallest subnormal */
  long double largest;
} float_format;

static float_format format_of(ir_dtype d) {
  if (d == IR_F16) return (float_format){11, -24, 65504.0L};
  if (d == IR_BF16) return (float_format){8, -133, 0x1.FEp127L};
  if (d == IR_F32) return (float_format){24, -149, 0x1.FFFFFEp127L};
  return (float_format){53, -1074, 0x1.FFFFFFFFFFFFFp1023L};
}

static long double unit_of(ir_dtype d, long double v) {
  float_format format = format_of(d);
  int exponent = format.least_unit;
  if (v != 0 && isfinite(v)) frexpl(v, &exponent);
  int unit = exponent - format.digits;
  return ldexpl(1, unit < format.least_unit ? format.least_unit : unit);
}

static long double round_to(ir_dtype d, long double v) {
  if (is_byte_float(d)) return byte_round(d, v);
  if (v == 0 || !isfinite(v)) return v;
  long double unit = unit_of(d, v), rounded = rintl(v / unit) * unit;
  if (fabsl(rounded) > format_of(d).largest) return copysignl(INFINITY, v);
  return copysignl(rounded, v);
}

static long double decode_narrow(uint16_t bits, int exponent_bits, int mantissa_bits) {
  int exponent = bits >> mantissa_bits & ((1 << exponent_bits) - 1), bias = (1 << (exponent_bits - 1)) - 1;
  int mantissa = bits & ((1 << mantissa_bits) - 1);
  long double v = exponent == 0 ? ldexpl(mantissa, 1 - bias - mantissa_bits)
                                : ldexpl(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
  if (exponent == (1 << exponent_bits) - 1) v = mantissa != 0 ? NAN : INFINITY;
  return bits >> 15 ? -v : v;
}

static number decode(ir_dtype d, const void *lanes, size_t at) {
  uint64_t bits = 0;
  size_t size = ir_dtype_bytes(d);
  memcpy(&bits, (const char *)lanes + at * size, size);
  float f;
  double g;
  memcpy(&f, &bits, sizeof f);
  memcpy(&g, &bits, sizeof g);
  if (is_byte_float(d)) return (number){0, byte_value(d, (uint32_t)bits & ((1u << width(d)) - 1))};
  if (d == IR_F16) return (number){0, decode_narrow((uint16_t)bits, 5, 10)};
  if (d == IR_BF16) return (number){0, decode_narrow((uint16_t)bits, 8, 7)};
  if (d == IR_F32) return (number){0, (long double)f};
  if (d == IR_F64) return (number){0, (long double)g};
  return (number){d == IR_BOOL ? (int64_t)bits : wrap(d, bits), 0};
}

/* ---- the reference ---- */

static bool is(const char *name, const char *other) { return strcmp(name, other) == 0; }

static uint64_t int_divide(const char *name, ir_dtype d, int64_t a, int64_t b) {
  bool quotient = is(name, "div");
  if (b == 0) return quotient ? UINT64_MAX : (uint64_t)a;
  if (!is_signed(d)) return quotient ? (uint64_t)a / (uint64_t)b : (uint64_t)a % (uint64_t)b;
  if (b == -1) return quotient ? 0 - (uint64_t)a : 0;
  return (uint64_t)(quotient ? a / b : a % b);
}

static uint64_t int_shift(const char *name, ir_dtype d, int64_t a, int64_t b) {
  uint64_t low = width(d) == 64 ? (uint64_t)a : (uint64_t)a & ((UINT64_C(1) << width(d)) - 1);
  bool past = (is_signed(d) && b < 0) || (uint64_t)b >= width(d);
  if (is(name, "shl")) return past ? 0 : low << b;
  if (is(name, "shr_logical") || !is_signed(d)) return past ? 0 : low >> b;
  return past ? (a < 0 ? UINT64_MAX : 0) : (uint64_t)(a >> b);
}

static bool int_less(ir_dtype d, int64_t a, int64_t b) { return is_signed(d) ? a < b : (uint64_t)a < (uint64_t)b; }

static uint64_t bits_set(ir_dtype d, int64_t a) {
  uint64_t count = 0;
  for (uint32_t k = 0; k < width(d); k++) count += (uint64_t)a >> k & 1;
  return count;
}

static uint64_t zeros_before(ir_dtype d, int64_t a) {
  uint32_t k = width(d);
  while (k > 0 && !((uint64_t)a >> (k - 1) & 1)) k--;
  return width(d) - k;
}

static uint64_t int_reference(const char *name, ir_dtype d, int64_t a, int64_t b, int64_t c) {
  if (is(name, "add")) return (uint64_t)a + (uint64_t)b;
  if (is(name, "sub")) return (uint64_t)a - (uint64_t)b;
  if (is(name, "mul")) return (uint64_t)a * (uint64_t)b;
  if (is(name, "div") || is(name, "rem")) return int_divide(name, d, a, b);
  if (is(name, "neg")) return 0 - (uint64_t)a;
  if (is(name, "square")) return (uint64_t)a * (uint64_t)a;
  if (is(name, "popcount")) return bits_set(d, a);
  if (is(name, "clz")) return zeros_before(d, a);
  if (is(name, "abs")) return is_signed(d) && a < 0 ? 0 - (uint64_t)a : (uint64_t)a;
  if (is(name, "sign")) return a == 0 ? 0 : is_signed(d) && a < 0 ? UINT64_MAX : 1;
  if (is(name, "max")) return (uint64_t)(int_less(d, a, b) ? b : a);
  if (is(name, "min")) return (uint64_t)(int_less(d, a, b) ? a : b);
  if (is(name, "clamp")) {
    int64_t raised = int_less(d, b, a) ? a : b;
    return (uint64_t)(int_less(d, c, raised) ? c : raised);
  }
  if (is(name, "eq")) return a == b;
  if (is(name, "ne")) return a != b;
  if (is(name, "lt")) return int_less(d, a, b);
  if (is(name, "le")) return !int_less(d, b, a);
  if (is(name, "gt")) return int_less(d, b, a);
  if (is(name, "ge")) return !int_less(d, a, b);
  if (is(name, "and")) return (uint64_t)(a & b);
  if (is(name, "or")) return (uint64_t)(a | b);
  if (is(name, "xor")) return (uint64_t)(a ^ b);
  if (is(name, "not")) return ~(uint64_t)a;
  if (is(name, "shl") || is(name, "shr") || is(name, "shr_logical")) return int_shift(name, d, a, b);
  if (is(name, "select")) return (uint64_t)(a != 0 ? b : c);
  fail_msg("no integer reference for %s", name);
  return 0;
}

static long double float_sign(long double a) { return a > 0 ? 1 : a < 0 ? -1 : a; }
static long double float_max(long double a, long double b) { return isnan(a) || isnan(b) ? NAN : a > b ? a : b; }
static long double float_min(long double a, long double b) { return isnan(a) || isnan(b) ? NAN : a < b ? a : b; }
static long double float_neg(long double a) { return -a; }
static long double float_rsqrt(long double a) { return 1 / sqrtl(a); }
static long double float_logistic(long double a) { return 1 / (1 + expl(-a)); }
static long double float_add(long double a, long double b) { return a + b; }
static long double float_sub(long double a, long double b) { return a - b; }
static long double float_mul(long double a, long double b) { return a * b; }
static long double float_div(long double a, long double b) { return a / b; }

static long double float_square(long double a) { return a * a; }

static const struct float_row {
  const char *name;
  long double (*one)(long double);
  long double (*two)(long double, long double);
} float_rows[] = {
    {"add", NULL, float_add},
    {"sub", NULL, float_sub},
    {"mul", NULL, float_mul},
    {"div", NULL, float_div},
    {"rem", NULL, fmodl},
    {"max", NULL, float_max},
    {"min", NULL, float_min},
    {"pow", NULL, powl},
    {"atan2", NULL, atan2l},
    {"neg", float_neg, NULL},
    {"abs", fabsl, NULL},
    {"sign", float_sign, NULL},
    {"floor", floorl, NULL},
    {"ceil", ceill, NULL},
    {"trunc", truncl, NULL},
    {"round", roundl, NULL},
    {"round_even", rintl, NULL},
    {"sqrt", sqrtl, NULL},
    {"rsqrt", float_rsqrt, NULL},
    {"cbrt", cbrtl, NULL},
    {"exp", expl, NULL},
    {"exp2", exp2l, NULL},
    {"expm1", expm1l, NULL},
    {"log", logl, NULL},
    {"log2", log2l, NULL},
    {"log1p", log1pl, NULL},
    {"logistic", float_logistic, NULL},
    {"sin", sinl, NULL},
    {"cos", cosl, NULL},
    {"tan", tanl, NULL},
    {"asin", asinl, NULL},
    {"acos", acosl, NULL},
    {"atan", atanl, NULL},
    {"sinh", sinhl, NULL},
    {"cosh", coshl, NULL},
    {"tanh", tanhl, NULL},
    {"asinh", asinhl, NULL},
    {"acosh", acoshl, NULL},
    {"atanh", atanhl, NULL},
    {"erf", erfl, NULL},
    {"erfc", erfcl, NULL},
    {"lgamma", lgammal, NULL},
    {"square", float_square, NULL},
};

static long double float_reference(const char *name, long double a, long double b, long double c) {
  if (is(name, "clamp")) return isnan(a) || isnan(b) || isnan(c) ? NAN : fminl(fmaxl(b, a), c);
  if (is(name, "select")) return a != 0 ? b : c;
  for (size_t k = 0; k < sizeof float_rows / sizeof *float_rows; k++) {
    const struct float_row *row = &float_rows[k];
    if (is(name, row->name)) return row->one != NULL ? row->one(a) : row->two(a, b);
  }
  fail_msg("no float reference for %s", name);
  return 0;
}

static bool float_compare(const char *name, long double a, long double b) {
  if (is(name, "eq")) return a == b;
  if (is(name, "ne")) return a != b;
  if (is(name, "lt")) return a < b;
  if (is(name, "le")) return a <= b;
  if (is(name, "gt")) return a > b;
  if (is(name, "ge")) return a >= b;
  assert_true(is(name, "is_finite"));
  return isfinite(a);
}

/* One unit further; towards zero that of the values below. */
static long double float_next(ir_dtype d, long double a, long double b) {
  if (isnan(a) || isnan(b)) return NAN;
  if (a == b) return b;
  if (a == 0) return copysignl(unit_of(d, 0), b);
  long double size = fabsl(a), largest = format_of(d).largest;
  if ((a < b) == (a > 0)) return copysignl(size == largest ? INFINITY : size + unit_of(d, size), a);
  if (isinf(a)) return copysignl(largest, a);
  return copysignl(size - unit_of(d, size * (1 - 0x1p-60L)), a);
}

static number reference(const ir_op_info *info, ir_dtype d, number a, number b, number c) {
  if (!is_float(d))
    return (number){wrap(info->result == IR_RESULT_BOOL ? IR_BOOL : d, int_reference(info->id, d, a.i, b.i, c.i)), 0};
  if (info->result == IR_RESULT_BOOL) return (number){float_compare(info->id, a.f, b.f), 0};
  if (info->result == IR_RESULT_SELECT) return (number){0, a.i != 0 ? b.f : c.f};
  if (is(info->id, "nextafter"))
    return (number){0, is_byte_float(d) ? byte_next(d, a.f, b.f) : float_next(d, a.f, b.f)};
  return (number){0, float_reference(info->id, a.f, b.f, c.f)};
}

/* ---- operands ---- */

enum { LANES = 4099 }; /* odd, so that every loop has a tail */
typedef struct lanes {
  uint64_t words[LANES]; /* room for the widest type */
} lanes;

static uint64_t next_random(uint64_t *state) {
  *state += UINT64_C(0x9e3779b97f4a7c15);
  uint64_t z = *state;
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

static const double edges[] = {0.0,   -0.0, 1.0,   -1.0,  0.5,  -0.5,   1.5,      2.5,       -2.5,        1e-3,
                               -1e-3, 3.25, 10.0,  -10.0, 88.7, -87.3,  89.2,     -103.9,    709.7,       1e4,
                               1e-20, 1e30, 65519, 65520, 6e-8, 5.9e-8, INFINITY, -INFINITY, (double)NAN, 4e-45};
enum { EDGES = sizeof edges / sizeof *edges };

static uint64_t edge_bits(ir_dtype d, size_t k) {
  if (is_float(d)) return ir_bits_from_f64(d, edges[k % EDGES]);
  static const uint64_t ints[] = {0, 1, 2, 3, 5, 7, 8, 15, 16, 31, 32, 33, 63, 64, 65, 100};
  enum { INTS = sizeof ints / sizeof *ints };
  uint64_t top = UINT64_C(1) << (width(d) - 1), pick = k % (INTS + 6);
  const uint64_t high[] = {top, top - 1, top + 1, top | (top - 1), (top | (top - 1)) - 1, top >> 1};
  return pick < INTS ? ints[pick] : high[pick - INTS];
}

/* Every pair of edges comes up among the first two operands; then random bits, and random values of ordinary size. */
static void fill(ir_dtype d, lanes *out, size_t operand, uint64_t *state) {
  size_t size = ir_dtype_bytes(d);
  for (size_t i = 0; i < LANES; i++) {
    uint64_t bits = next_random(state);
    if (i < (size_t)EDGES * EDGES)
      bits = edge_bits(d, operand == 0 ? i / EDGES : operand == 1 ? i % EDGES : i % 7);
    else if (is_float(d) && i % 2 == 0)
      bits = ir_bits_from_f64(d, ldexp((double)(int64_t)bits, -63 + (int)(bits % 13) - 6));
    if (width(d) < 8) bits &= (1u << width(d)) - 1;
    memcpy((char *)out->words + i * size, &bits, size);
  }
}

/* ---- comparing ---- */

/* What was computed in f32 and then rounded: elementary functions (ulp > 0) may err in f32, which is seen where the
 * exact result is close to the middle of two neighbours, and flush what is below its smallest normal number. */
static bool byte_close(ir_dtype d, long double got, long double want, uint32_t ulp) {
  long double nearest[] = {want, want * (1 - 0x1p-20L), want * (1 + 0x1p-20L)};
  if (ulp > 0 && fabsl(want) < 0x1p-125L && got <= 0x1p-125L) return true;
  if (ulp > 0 && fabsl(want) < 0x1p-125L && isnan(got)) return ir_dtype_get(d)->format.specials == IR_SPECIALS_FNU;
  for (size_t k = 0; k < (ulp > 0 ? 3 : 1); k++) {
    long double rounded = byte_round(d, nearest[k]);
    if (rounded == got || (isnan(rounded) && isnan(got))) return true;
  }
  return false;
}

/* Stored elements of less than a byte have zeros above. */
static bool is_clean(ir_dtype d, const lanes *out, size_t i) {
  return width(d) >= 8 || d == IR_BOOL || ((const uint8_t *)out->words)[i] >> width(d) == 0;
}

/* Within `ulp` units of the last place of `d` from the exact result. Elementary functions (ulp > 0) may flush what is
 * below the smallest normal number, and may reach infinity a hundredth early. */
static bool close_enough(ir_dtype d, long double got, long double exact, uint32_t ulp) {
  if (is_byte_float(d)) return byte_close(d, got, exact, ulp);
  long double want = round_to(d, exact);
  if (isnan(want) || isnan(got)) return isnan(want) && isnan(got);
  if (got == want) return true;
  if (ulp == 0)
    return d == IR_F64 && fabsl(got - exact) <= 0.501L * unit_of(d, want); /* `exact` was rounded, to 64 bits */
  if (isinf(want) || isinf(got)) {
    long double finite = isinf(got) ? want : got;
    return !(isinf(want) && isinf(got)) && fabsl(finite) > format_of(d).largest * (1 - 1e-2L) &&
           finite * (isinf(got) ? got : want) > 0;
  }
  float_format format = format_of(d);
  return fabsl(got - exact) <= fmaxl((ulp + 0.5L) * unit_of(d, want), ldexpl(1, format.least_unit + format.digits - 1));
}

static void check_row(ir_code code, ir_dtype d) {
  static lanes in[3], out;
  const ir_op_info *info = ir_op_get(code);
  ir_dtype first = info->result == IR_RESULT_SELECT ? IR_BOOL : d,
           result = info->result == IR_RESULT_BOOL ? IR_BOOL : d;
  uint64_t state = (uint64_t)code * 31 + (uint64_t)d;
  fill(first, &in[0], 0, &state);
  fill(d, &in[1], 1, &state);
  fill(d, &in[2], 2, &state);
  uint32_t ulp = info->host_ulp;
  for (size_t set = 0; set < ir_eval_set_count(); set++) {
    ir_lanes_fn loop = ir_eval_set_lanes(set, code, d);
    assert_non_null(loop);
    memset(&out, 0xa5, sizeof out);
    loop(out.words, (const void *const[]){in[0].words, in[1].words, in[2].words}, LANES);
    for (size_t i = 0; i < LANES; i++) {
      number a = decode(first, in[0].words, i), b = decode(d, in[1].words, i), c = decode(d, in[2].words, i);
      number got = decode(result, out.words, i), want = reference(info, d, a, b, c);
      if (is_byte_float(result)) want.f = (long double)(float)want.f;
      bool good = is_clean(result, &out, i);
      good &= is_float(result) ? close_enough(result, got.f, want.f, ulp) : got.i == want.i;
      if (!good)
        fail_msg("%s %s, set %zu, lane %zu: (%lld %Lg, %lld %Lg, %lld %Lg) gave %lld %.9Lg, expected %lld %.9Lg",
                 info->id, ir_dtype_get(d)->name, set, i, (long long)a.i, a.f, (long long)b.i, b.f, (long long)c.i, c.f,
                 (long long)got.i, got.f, (long long)want.i, want.f);
    }
  }
}

/* Scalar code of ir/eval/special.c in every set, with references in the table test. */
static bool special(const ir_op_info *info) {
  static const char *const names[] = {"erf_inv", "digamma", "bessel_i0e", "bessel_i1e"};
  for (size_t k = 0; k < sizeof names / sizeof *names; k++)
    if (is(info->id, names[k])) return true;
  return false;
}

static void test_every_row(void **context) {
  (void)context;
  for (ir_code code = 0; code < IR_CODE_COUNT; code++) {
    const ir_op_info *info = ir_op_get(code);
    for (ir_dtype d = 0; d < IR_DTYPE_COUNT; d++) {
      bool accepted = info->form == IR_FORM_MAP && (info->types & (uint32_t)ir_dtype_get(d)->class) != 0;
      if (accepted && !special(info))
        check_row(code, d);
      else if (!accepted)
        assert_null(ir_lanes(code, d));
    }
  }
}

/* The same bits; which NaN it is, is open. */
static bool same_lane(ir_dtype d, const lanes *left, const lanes *right, size_t i) {
  const size_t bytes = ir_dtype_bytes(d);
  const number a = decode(d, left->words, i), b = decode(d, right->words, i);
  if (is_float(d) && isnan(a.f) && isnan(b.f)) return true;
  return memcmp((const char *)left->words + i * bytes, (const char *)right->words + i * bytes, bytes) == 0;
}

/* An operand of one element is as good as one repeated. */
static void check_one(size_t set, ir_code code, ir_dtype d, uint32_t which) {
  static lanes in[2], repeated, plain, out;
  const size_t bytes = ir_dtype_bytes(d);
  const ir_op_info *info = ir_op_get(code);
  const ir_dtype result = info->result == IR_RESULT_BOOL ? IR_BOOL : d;
  uint64_t state = (uint64_t)code * 17 + (uint64_t)d;
  fill(d, &in[0], 0, &state);
  fill(d, &in[1], 1, &state);
  for (size_t from = 0; from < 40; from++) {
    const char *one = (const char *)in[which].words + from * bytes;
    const void *operands[2] = {in[0].words, in[1].words};
    ir_splat_lanes(d)(repeated.words, (const void *const[]){one}, LANES);
    operands[which] = repeated.words;
    ir_eval_set_lanes(set, code, d)(plain.words, operands, LANES);
    operands[which] = one;
    ir_eval_set_one(set, code, d, which)(out.words, operands, LANES);
    for (size_t i = 0; i < LANES; i++)
      if (!same_lane(result, &out, &plain, i))
        fail_msg("%s %s, set %zu: lane %zu", info->id, ir_dtype_get(d)->name, set, i);
  }
}

static void test_one_element(void **context) {
  (void)context;
  size_t found = 0;
  for (size_t set = 0; set < ir_eval_set_count(); set++)
    for (ir_code code = 0; code < IR_CODE_COUNT; code++)
      for (ir_dtype d = 0; d < IR_DTYPE_COUNT; d++)
        for (uint32_t which = 0; which < 2; which++) {
          if (!ir_eval_set_one(set, code, d, which)) continue;
          check_one(set, code, d, which);
          found++;
        }
  assert_true(found > 0);
  assert_non_null(ir_lanes_one(IR_sub, IR_F32, 1));
  assert_null(ir_lanes_one(IR_select, IR_F32, 1));
}

static void test_in_place(void **context) {
  (void)context;
  static float values[1001], want[1001];
  for (size_t i = 0; i < 1001; i++) values[i] = (float)i / 8, want[i] = values[i] + values[i];
  ir_lanes(IR_add, IR_F32)(values, (const void *const[]){values, values}, 1001);
  assert_memory_equal(values, want, sizeof values);
}

static void test_zero_lanes(void **context) {
  (void)context;
  float untouched = 3;
  ir_lanes(IR_exp, IR_F32)(&untouched, (const void *const[]){&untouched}, 0);
  ir_lanes(IR_add, IR_F32)(&untouched, (const void *const[]){&untouched, &untouched}, 0);
  assert_true(untouched == 3);
}

/* Reductions of every length up to some registers: integers must be exact; floats are whole numbers, so that sums are,
 * too. */
static void check_reduction(ir_code code, ir_dtype d) {
  static lanes in;
  const ir_op_info *info = ir_op_get(code);
  const char *combine = ir_op_get((ir_code)info->combine)->id;
  uint64_t state = (uint64_t)code * 13 + (uint64_t)d, out;
  fill(d, &in, 0, &state);
  for (size_t i = 0; is_float(d) && i < LANES; i++) {
    uint64_t bits = ir_bits_from_f64(d, (double)(next_random(&state) % 5) - 2);
    memcpy((char *)in.words + i * ir_dtype_bytes(d), &bits, ir_dtype_bytes(d));
  }
  for (size_t count = 1; count < (d == IR_F16 || d == IR_BF16 ? 60 : 700); count += count < 140 ? 1 : 61) {
    number want = decode(d, in.words, 0), got;
    for (size_t i = 1; i < count; i++) {
      number next = decode(d, in.words, i);
      if (is_float(d))
        want.f = float_reference(combine, want.f, next.f, 0);
      else
        want.i = wrap(d, int_reference(combine, d, want.i, next.i, 0));
    }
    ir_reduce_lanes(code, d)(&out, (const void *const[]){in.words}, count);
    got = decode(d, &out, 0);
    if (is_float(d) ? !(got.f == round_to(d, want.f)) : got.i != want.i)
      fail_msg("%s %s of %zu: %lld %Lg, expected %lld %Lg", info->id, ir_dtype_get(d)->name, count, (long long)got.i,
               got.f, (long long)want.i, want.f);
  }
}

static void test_every_reduction(void **context) {
  (void)context;
  for (ir_code code = 0; code < IR_CODE_COUNT; code++) {
    const ir_op_info *info = ir_op_get(code);
    for (ir_dtype d = 0; info->form == IR_FORM_REDUCE && d < IR_DTYPE_COUNT; d++) {
      bool accepted = info->combine >= 0 && (info->types & (uint32_t)ir_dtype_get(d)->class) != 0 && !is_byte_float(d);
      if (accepted)
        check_reduction(code, d);
      else
        assert_null(ir_reduce_lanes(code, d));
    }
  }
}

static number convert_reference(ir_dtype from, ir_dtype to, number v) {
  long double value = is_float(from) ? v.f : from == IR_U64 ? (long double)(uint64_t)v.i : (long double)v.i;
  if (is_float(to)) return (number){0, value};
  if (to == IR_BOOL) return (number){value != 0, 0};
  if (!is_float(from)) return (number){wrap(to, (uint64_t)v.i), 0};
  if (isnan(value)) return (number){0, 0};
  long double most = ldexpl(1, (int)width(to) - (is_signed(to) ? 1 : 0)) - 1, least = is_signed(to) ? -most - 1 : 0;
  value = truncl(value < least ? least : value > most ? most : value);
  return (number){is_signed(to) ? (int64_t)value : (int64_t)(uint64_t)value, 0};
}

static void check_convert(ir_dtype from, ir_dtype to) {
  static lanes in, out;
  uint64_t state = (uint64_t)from * 17 + (uint64_t)to;
  fill(from, &in, 1, &state);
  for (size_t set = 0; set < ir_eval_set_count(); set++) {
    ir_eval_set_convert(set, from, to)(out.words, (const void *const[]){in.words}, LANES);
    for (size_t i = 0; i < LANES; i++) {
      number v = decode(from, in.words, i), got = decode(to, out.words, i), want = convert_reference(from, to, v);
      if (is_byte_float(to) && !is_float(from)) want.f = (long double)(float)want.f;
      bool good = is_clean(to, &out, i);
      good &= is_float(to) ? close_enough(to, got.f, want.f, 0) : got.i == want.i;
      if (!good)
        fail_msg("%s to %s, set %zu: %lld %.21Lg gave %lld %.21Lg, expected %lld %.21Lg", ir_dtype_get(from)->name,
                 ir_dtype_get(to)->name, set, (long long)v.i, v.f, (long long)got.i, got.f, (long long)want.i,
                 is_float(to) ? round_to(to, want.f) : 0);
    }
  }
}

static void test_every_conversion(void **context) {
  (void)context;
  for (ir_dtype from = 0; from < IR_DTYPE_COUNT; from++)
    for (ir_dtype to = 0; to < IR_DTYPE_COUNT; to++) check_convert(from, to);
}

/* Halves between two bf16 or f16 neighbours, reached only when the sum of two roundings would err. */
static void test_rounds_once(void **context) {
  (void)context;
  const uint64_t just_above_half = (UINT64_C(0x101) << 47) + 1; /* 257 * 2^47 + 1: bf16 neighbours 256, 258 */
  uint16_t narrow;
  ir_convert_lanes(IR_U64, IR_BF16)(&narrow, (const void *const[]){&just_above_half}, 1);
  assert_true(decode_narrow(narrow, 8, 7) == ldexpl(258, 47));
  const double above = 1 + ldexp(1, -11) + ldexp(1, -40); /* f16 neighbours 1, 1 + 2^-10 */
  ir_convert_lanes(IR_F64, IR_F16)(&narrow, (const void *const[]){&above}, 1);
  assert_true(decode_narrow(narrow, 5, 10) == 1 + ldexpl(1, -10));
}

static void test_identities(void **context) {
  (void)context;
  for (ir_dtype d = 0; d < IR_DTYPE_COUNT; d++) {
    uint64_t most = ir_identity_bits(IR_reduce_min, d), least = ir_identity_bits(IR_reduce_max, d);
    number high = decode(d, &most, 0), low = decode(d, &least, 0);
    if (is_byte_float(d)) {
      ir_float_format f = ir_dtype_get(d)->format;
      bool endless = f.specials == IR_SPECIALS_IEEE, positive = f.specials == IR_SPECIALS_FNU;
      long double largest = endless ? (long double)INFINITY : byte_plain(f, byte_finite(f) - 1);
      assert_true(high.f == largest && low.f == (positive ? byte_plain(f, 0) : -largest));
    } else if (is_float(d))
      assert_true(high.f == INFINITY && low.f == -INFINITY);
    else
      assert_true(high.i == wrap(d, is_signed(d) ? (UINT64_C(1) << (width(d) - 1)) - 1 : UINT64_MAX) &&
                  low.i == (is_signed(d) ? wrap(d, UINT64_C(1) << (width(d) - 1)) : 0));
    if (d == IR_BOOL) continue;
    uint64_t one = ir_identity_bits(IR_cumprod, d), zero = ir_identity_bits(IR_cumsum, d);
    assert_true(decode(d, &one, 0).f + (long double)decode(d, &one, 0).i == 1);
    assert_true(zero == (d == IR_F8E8M0FNU ? 0xff : 0));
    assert_true(ir_identity_bits(IR_cummax, d) == least && ir_identity_bits(IR_cummin, d) == most);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_row),        cmocka_unit_test(test_in_place),    cmocka_unit_test(test_zero_lanes),
      cmocka_unit_test(test_every_conversion), cmocka_unit_test(test_rounds_once), cmocka_unit_test(test_identities),
      cmocka_unit_test(test_every_reduction),  cmocka_unit_test(test_one_element),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
