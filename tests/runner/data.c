/* Sizes and arrays of a test case: shapes from the kernel's parameters, contents from the [data] sections. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ktest.h"

enum { POISON = 0xC7 };

/* ---- elements ---- */

size_t array_count(const kiln_array *array) {
  size_t count = 1;
  for (uint32_t d = 0; d < array->rank; d++) count *= (size_t)array->dims[d];
  return count;
}

uint64_t array_bits(const kiln_array *array, size_t element) {
  uint64_t bits = 0;
  size_t size = kiln_dtype_size(array->dtype);
  memcpy(&bits, (const char *)array->data + element * size, size);
  return bits;
}

double array_at(const kiln_array *array, size_t element) {
  return ir_bits_to_f64((ir_dtype)array->dtype, array_bits(array, element));
}

static void set_bits(kiln_array *array, size_t element, uint64_t bits) {
  size_t size = kiln_dtype_size(array->dtype);
  memcpy((char *)array->data + element * size, &bits, size);
}

/* ---- contents ---- */

static bool is_float(kiln_dtype dtype) { return ir_dtype_get((ir_dtype)dtype)->class == IR_CLASS_FLOAT; }

/* One number, in the array's own type: 64-bit integers do not fit a double. */
static bool read_number(kiln_str word, kiln_dtype dtype, uint64_t *bits) {
  char *end;
  if (str_is(word, "true") || str_is(word, "false")) {
    *bits = ir_bits_from_i64((ir_dtype)dtype, word.data[0] == 't');
    return true;
  }
  bool big = word.data[0] != '-';
  if (is_float(dtype))
    *bits = ir_bits_from_f64((ir_dtype)dtype, strtod(word.data, &end));
  else
    *bits =
        ir_bits_from_i64((ir_dtype)dtype, big ? (int64_t)strtoull(word.data, &end, 0) : strtoll(word.data, &end, 0));
  return end == word.data + word.size;
}

bool array_read_rows(const kiln_array *array, kiln_str rows, kiln_str *error, arena *a) {
  size_t count = array_count(array), element = 0;
  kiln_array target = *array;
  for (rows = str_trim(rows); rows.size; rows = str_trim(rows), element++) {
    size_t size = 0;
    while (size < rows.size && !strchr(" \t\r\n", rows.data[size])) size++;
    kiln_str word = {rows.data, size};
    uint64_t bits = 0;
    if (!read_number(word, array->dtype, &bits)) {
      *error = str_format(a, "`%.*s` is no number", STR_FMT(word));
      return false;
    }
    if (element < count) set_bits(&target, element, bits);
    rows = (kiln_str){rows.data + size, rows.size - size};
  }
  if (element == count) return true;
  *error = str_format(a, "the array has %zu elements, the rows have %zu", count, element);
  return false;
}

/* splitmix64: the same numbers everywhere. */
static double next_uniform(uint64_t *state) {
  uint64_t z = *state += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* Floats from -1 to 1, integers from -100 (0) to 100, bools. */
static double random_value(kiln_dtype dtype, uint64_t *state) {
  double u = next_uniform(state);
  if (is_float(dtype)) return 2 * u - 1;
  if (dtype == KILN_BOOL) return u < 0.5;
  return floor(ir_dtype_get((ir_dtype)dtype)->class == IR_CLASS_UINT ? 101 * u : 201 * u - 100);
}

static double normal_value(uint64_t *state) {
  double radius = sqrt(-2 * log(1 - next_uniform(state)));
  return radius * cos(6.283185307179586 * next_uniform(state));
}

static bool fill_named(kiln_array *array, kiln_str how) {
  kiln_str kind, seed;
  str_cut(how, ":", &kind, &seed);
  uint64_t state = seed.size ? strtoull(seed.data, NULL, 10) : 0;
  bool iota = str_is(kind, "iota"), random = str_is(kind, "random"), normal = str_is(kind, "normal"),
       ones = str_is(kind, "ones");
  if (!iota && !random && !normal && !ones && !str_is(kind, "zeros")) return false;
  for (size_t i = 0, count = array_count(array); i < count; i++) {
    double value = iota     ? (double)i
                   : random ? random_value(array->dtype, &state)
                   : normal ? normal_value(&state)
                            : ones;
    set_bits(array, i,
             is_float(array->dtype) ? ir_bits_from_f64((ir_dtype)array->dtype, value)
                                    : ir_bits_from_i64((ir_dtype)array->dtype, (int64_t)value));
  }
  return true;
}

static kiln_str name_part(kiln_str s) {
  size_t size = 0;
  while (size < s.size && !strchr(" [", s.data[size])) size++;
  return (kiln_str){s.data, size};
}

static bool fill_section(const launch *l, const section *s, kiln_str *error) {
  kiln_str name = name_part(s->rest);
  kiln_array *array = (kiln_array *)launch_array(l, name);
  if (!array) {
    *error = str_format(l->arena, "[data]: no parameter is called `%.*s`", STR_FMT(name));
    return false;
  }
  kiln_str how = str_trim((kiln_str){s->rest.data + name.size, s->rest.size - name.size});
  if (how.size && how.data[0] == '[') return formula_fill(l, s->rest, array, error);
  if (!how.size) return array_read_rows(array, s->body, error, l->arena);
  if (fill_named(array, how)) return true;
  *error = str_format(l->arena, "[data]: `%.*s` is unknown", STR_FMT(how));
  return false;
}

/* ---- launches ---- */

const kiln_array *launch_array(const launch *l, kiln_str name) {
  for (size_t i = 0; i < l->param_count; i++)
    if (str_equal(l->params[i].name, name)) return &l->arrays[i];
  return NULL;
}

static bool read_sizes(launch *l, const test_case *c) {
  VEC(kiln_size) sizes = {0};
  for (size_t i = 0; i < c->sets.count; i++)
    for (kiln_str rest = c->sets.data[i].rest, word; rest.size;) {
      kiln_size size = {0};
      kiln_str value;
      str_cut(rest, " ", &word, &rest);
      if (!str_cut(word, "=", &size.name, &value)) return false;
      size.value = strtoll(value.data, NULL, 0);
      VEC_PUSH(l->arena, &sizes, size);
    }
  l->sizes = sizes.data;
  l->size_count = sizes.count;
  return true;
}

static bool make_array(launch *l, size_t index) {
  kiln_param *p = &l->params[index];
  kiln_array *array = &l->arrays[index];
  if (kiln_kernel_param(l->kernel, index, p) != KILN_OK) return false;
  *array = (kiln_array){.dtype = p->dtype, .rank = p->rank};
  for (uint32_t d = 0; d < p->rank; d++) {
    array->dims[d] = p->dims[d];
    if (p->dims[d] < 0 && !formula_size(l, p->dim_text[d], &array->dims[d])) return false;
  }
  array->size = array_count(array) * kiln_dtype_size(p->dtype);
  array->data = arena_alloc(l->arena, array->size ? array->size : 1);
  memset(array->data, p->direction == KILN_OUT ? POISON : 0, array->size);
  return true;
}

bool launch_make(launch *l, const test_case *c, kiln_str *error) {
  l->resident = c->resident ? (uint32_t)strtoul(c->resident->rest.data, NULL, 10) : 0;
  l->param_count = kiln_kernel_param_count(l->kernel);
  l->params = ARENA_ARRAY(l->arena, kiln_param, l->param_count);
  l->arrays = ARENA_ARRAY(l->arena, kiln_array, l->param_count);
  *error = STR("[set] must be NAME=VALUE");
  if (!read_sizes(l, c)) return false;
  *error = STR("a parameter's shape is not known: [set] every size");
  for (size_t i = 0; i < l->param_count; i++)
    if (!make_array(l, i)) return false;
  for (size_t i = 0; i < c->data.count; i++)
    if (!fill_section(l, &c->data.data[i], error)) return false;
  return true;
}

launch launch_copy(const launch *l) {
  launch copy = *l;
  copy.arrays = arena_copy(l->arena, l->arrays, l->param_count * sizeof *l->arrays);
  for (size_t i = 0; i < l->param_count; i++)
    if (copy.arrays[i].size) copy.arrays[i].data = arena_copy(l->arena, l->arrays[i].data, l->arrays[i].size);
  return copy;
}
