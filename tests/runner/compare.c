/* Compares arrays, in units of the last place of their type. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ktest.h"

/* Floats as integers that count representable values in order, so that a difference is a number of ulps. */
static int64_t ordered(ir_dtype dtype, uint64_t bits) {
  uint64_t sign = ir_float_sign(ir_dtype_get(dtype)->format);
  return bits & sign ? -(int64_t)(bits & (sign - 1)) : (int64_t)bits;
}

static bool element_agrees(const kiln_array *found, const kiln_array *expected, size_t i, uint64_t ulp) {
  ir_dtype dtype = (ir_dtype)found->dtype;
  uint64_t a = array_bits(found, i), b = array_bits(expected, i);
  if (a == b) return true;
  if (ir_dtype_get(dtype)->class != IR_CLASS_FLOAT) return false;
  double x = ir_bits_to_f64(dtype, a), y = ir_bits_to_f64(dtype, b);
  if (isnan(x) || isnan(y)) return isnan(x) && isnan(y);
  int64_t p = ordered(dtype, a), q = ordered(dtype, b);
  uint64_t distance = p > q ? (uint64_t)p - (uint64_t)q : (uint64_t)q - (uint64_t)p;
  return distance <= ulp;
}

static kiln_str place_text(arena *a, kiln_str name, const kiln_array *array, size_t element) {
  text t = text_new(a);
  text_format(&t, "%.*s[", STR_FMT(name));
  size_t stride = array_count(array);
  for (uint32_t d = 0; d < array->rank; d++) {
    stride /= (size_t)array->dims[d];
    text_format(&t, "%s%zu", d ? ", " : "", element / stride % (size_t)array->dims[d]);
  }
  text_char(&t, ']');
  return text_str(&t);
}

static kiln_str value_text(arena *a, const kiln_array *array, size_t element) {
  ir_dtype dtype = (ir_dtype)array->dtype;
  uint64_t bits = array_bits(array, element);
  if (ir_dtype_get(dtype)->class == IR_CLASS_FLOAT)
    return str_format(a, "%.9g (0x%llx)", ir_bits_to_f64(dtype, bits), (unsigned long long)bits);
  if (dtype == IR_U64) return str_format(a, "%llu", (unsigned long long)bits);
  return str_format(a, "%lld", (long long)ir_bits_to_i64(dtype, bits));
}

kiln_str compare_arrays(arena *a, kiln_str name, const kiln_array *found, const kiln_array *expected, uint64_t ulp) {
  size_t wrong = 0, first = 0, count = array_count(found);
  for (size_t i = 0; i < count; i++)
    if (!element_agrees(found, expected, i, ulp)) {
      if (!wrong) first = i;
      wrong++;
    }
  if (!wrong) return STR("");
  kiln_str place = place_text(a, name, found, first), got = value_text(a, found, first),
           want = value_text(a, expected, first);
  return str_format(a, "%.*s is %.*s, expected %.*s%s; %zu of %zu differ", STR_FMT(place), STR_FMT(got), STR_FMT(want),
                    ulp ? str_format(a, " within %llu ulp", (unsigned long long)ulp).data : "", wrong, count);
}

bool parse_ulp(kiln_str s, kiln_str *rest, uint64_t *ulp) {
  kiln_str number;
  *ulp = 0;
  if (!str_cut(s, " within ", rest, &number)) return true;
  char *end;
  *ulp = strtoull(number.data, &end, 10);
  return str_is(str_trim((kiln_str){end, (size_t)(number.data + number.size - end)}), "ulp");
}

static kiln_str compare_section(const launch *before, const launch *after, const section *s) {
  uint64_t ulp;
  kiln_str rest, name, error = STR("");
  if (!parse_ulp(s->rest, &rest, &ulp)) return STR("[expect] ends in `within N ulp`");
  bool formula = memchr(rest.data, '=', rest.size) != NULL;
  str_cut(rest, "[", &name, &(kiln_str){0});
  const kiln_array *found = launch_array(after, name);
  if (!found) return str_format(after->arena, "[expect]: no parameter is called `%.*s`", STR_FMT(name));
  kiln_array expected = *found;
  expected.data = arena_alloc(after->arena, found->size + 1);
  bool good = formula ? formula_fill(before, rest, &expected, &error)
                      : array_read_rows(&expected, s->body, &error, after->arena);
  return good ? compare_arrays(after->arena, name, found, &expected, ulp) : error;
}

kiln_str compare_expected(const launch *before, const launch *after, const test_case *c) {
  kiln_str error = STR("");
  for (size_t i = 0; i < c->expects.count && !error.size; i++)
    error = compare_section(before, after, &c->expects.data[i]);
  return error;
}

kiln_str compare_outputs(const launch *l, const launch *other, uint64_t ulp) {
  kiln_str error = STR("");
  for (size_t i = 0; i < l->param_count && !error.size; i++)
    if (l->params[i].direction != KILN_IN)
      error = compare_arrays(l->arena, l->params[i].name, &l->arrays[i], &other->arrays[i], ulp);
  return error;
}
