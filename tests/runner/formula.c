/* Formulas of test files: C expressions over sizes, indices and array elements, evaluated in double. They say what a
 * kernel should give without any of the library's own arithmetic. Evaluated straight from the text, once per element:
 * tests are small. c ? a : b   || && == != < <= > >= + - * / %   - !   NAME   NAME[i, j]   f(x)   sum(k, from, to,
 * term)   f16(x), i8(x).. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ktest.h"

enum { MAX_NAMES = KILN_MAX_RANK + 8 };

typedef struct formula {
  const launch *launch;
  kiln_str text;
  size_t at;
  kiln_str names[MAX_NAMES]; /* indices and sum variables */
  double values[MAX_NAMES];
  size_t name_count;
  uint32_t skipping; /* inside a branch not taken: indices are not checked */
  kiln_str error;
} formula;

static double parse_ternary(formula *f);

static double fail(formula *f, const char *what) {
  if (!f->error.size)
    f->error = str_format(f->launch->arena, "%s at column %zu of formula: %.*s", what, f->at + 1, STR_FMT(f->text));
  f->at = f->text.size;
  return 0;
}

static bool take(formula *f, const char *token) {
  while (f->at < f->text.size && strchr(" \t\n", f->text.data[f->at])) f->at++;
  size_t size = strlen(token);
  if (f->at + size > f->text.size || memcmp(f->text.data + f->at, token, size)) return false;
  f->at += size;
  return true;
}

static void expect(formula *f, const char *token) {
  if (!take(f, token)) fail(f, token);
}

static bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static kiln_str take_name(formula *f) {
  take(f, "");
  size_t start = f->at;
  while (f->at < f->text.size && is_name_char(f->text.data[f->at])) f->at++;
  return (kiln_str){f->text.data + start, f->at - start};
}

/* ---- functions ---- */

typedef struct function {
  const char *name;
  double (*one)(double);
  double (*two)(double, double);
} function;

static double cdiv(double a, double b) { return ceil(a / b); }
static double rsqrt(double a) { return 1 / sqrt(a); }
static double larger(double a, double b) { return isnan(a) || a > b ? a : b; }
static double smaller(double a, double b) { return isnan(a) || a < b ? a : b; }

static const function functions[] = {
    {"floor", floor, NULL}, {"ceil", ceil, NULL}, {"trunc", trunc, NULL}, {"round", round, NULL}, {"abs", fabs, NULL},
    {"exp", exp, NULL},     {"log", log, NULL},   {"sqrt", sqrt, NULL},   {"rsqrt", rsqrt, NULL}, {"sin", sin, NULL},
    {"cos", cos, NULL},     {"tanh", tanh, NULL}, {"erf", erf, NULL},     {"pow", NULL, pow},     {"cdiv", NULL, cdiv},
    {"min", NULL, smaller}, {"max", NULL, larger}};

/* sum(k, from, to, term): the term is evaluated again for every k. */
static double parse_sum(formula *f) {
  kiln_str name = take_name(f);
  expect(f, ",");
  double from = parse_ternary(f);
  expect(f, ",");
  double to = parse_ternary(f);
  expect(f, ",");
  if (f->name_count == MAX_NAMES) return fail(f, "too many names");
  size_t slot = f->name_count++, start = f->at;
  f->names[slot] = name;
  f->values[slot] = from;
  f->skipping += from >= to;
  double sum = 0, term = parse_ternary(f);
  f->skipping -= from >= to;
  if (from < to) sum = term;
  for (double k = from + 1; k < to && !f->error.size; k++) {
    f->at = start;
    f->values[slot] = k;
    sum += parse_ternary(f);
  }
  f->name_count--;
  expect(f, ")");
  return sum;
}

static double parse_call(formula *f, kiln_str name) {
  ir_dtype dtype;
  if (str_is(name, "sum")) return parse_sum(f);
  double first = parse_ternary(f), second = take(f, ",") ? parse_ternary(f) : 0;
  expect(f, ")");
  if (ir_dtype_find(name, &dtype)) {
    bool whole = ir_dtype_get(dtype)->class != IR_CLASS_FLOAT && fabs(first) < 9e18;
    return ir_bits_to_f64(dtype, whole ? ir_bits_from_i64(dtype, (int64_t)first) : ir_bits_from_f64(dtype, first));
  }
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
    if (str_is(name, functions[i].name))
      return functions[i].one ? functions[i].one(first) : functions[i].two(first, second);
  return fail(f, "unknown function");
}

/* ---- expressions ---- */

static double parse_element(formula *f, kiln_str name) {
  const kiln_array *array = launch_array(f->launch, name);
  if (!array) return fail(f, "no such array");
  int64_t element = 0;
  for (uint32_t d = 0; d < array->rank; d++) {
    if (d) expect(f, ",");
    double index = parse_ternary(f);
    bool inside = index >= 0 && index < (double)array->dims[d];
    if (!inside && !f->skipping) return fail(f, "index out of range");
    element = element * array->dims[d] + (inside ? (int64_t)index : 0);
  }
  expect(f, "]");
  return f->skipping ? 0 : array_at(array, (size_t)element);
}

static double parse_name(formula *f, kiln_str name) {
  for (size_t i = f->name_count; i-- > 0;)
    if (str_equal(f->names[i], name)) return f->values[i];
  for (size_t i = 0; i < f->launch->size_count; i++)
    if (str_equal(f->launch->sizes[i].name, name)) return (double)f->launch->sizes[i].value;
  if (str_is(name, "inf")) return INFINITY;
  if (str_is(name, "nan")) return NAN;
  return fail(f, "unknown name");
}

static double parse_primary(formula *f) {
  if (take(f, "(")) {
    double value = parse_ternary(f);
    expect(f, ")");
    return value;
  }
  if (take(f, "-")) return -parse_primary(f);
  if (take(f, "!")) return parse_primary(f) == 0;
  if (f->at < f->text.size && strchr("0123456789.", f->text.data[f->at])) {
    char *end;
    double value = strtod(f->text.data + f->at, &end); /* the file ends in a zero byte */
    f->at = (size_t)(end - f->text.data);
    return value;
  }
  kiln_str name = take_name(f);
  if (!name.size) return fail(f, "expected a value");
  if (take(f, "(")) return parse_call(f, name);
  if (take(f, "[")) return parse_element(f, name);
  return parse_name(f, name);
}

/* Binary operators, loosest first; longer spellings before their beginnings. */
enum { CHOICES = 6 };
static const char *const operators[][CHOICES] = {
    {"||"}, {"&&"}, {"==", "!=", "<=", ">=", "<", ">"}, {"+", "-"}, {"*", "/", "%"}};
enum { LEVELS = sizeof operators / sizeof *operators };

static double apply(const char *operator, double a, double b) {
  switch (operator[0]) {
    case '|': return a != 0 || b != 0;
    case '&': return a != 0 && b != 0;
    case '=': return a == b;
    case '!': return a != b;
    case '<': return operator[1] ? a <= b : a<b;
    case '>': return operator[1] ? a >= b : a> b;
    case '+': return a + b;
    case '-': return a - b;
    case '*': return a * b;
    case '/': return a / b;
    default: return fmod(a, b);
  }
}

static double parse_binary(formula *f, size_t level) {
  if (level == LEVELS) return parse_primary(f);
  double a = parse_binary(f, level + 1);
  for (size_t i = 0; i < CHOICES && operators[level][i]; i++)
    if (take(f, operators[level][i])) {
      a = apply(operators[level][i], a, parse_binary(f, level + 1));
      i = (size_t)-1;
    }
  return a;
}

static double parse_ternary(formula *f) {
  double condition = parse_binary(f, 0);
  if (!take(f, "?")) return condition;
  f->skipping += condition == 0;
  double yes = parse_ternary(f);
  f->skipping -= condition == 0;
  expect(f, ":");
  f->skipping += condition != 0;
  double no = parse_ternary(f);
  f->skipping -= condition != 0;
  return condition != 0 ? yes : no;
}

/* ---- entry ---- */

/* Reads `name[i, j] =`, which names the indices. */
static void parse_left(formula *f, const kiln_array *array) {
  take_name(f);
  if (take(f, "[") && !take(f, "]")) {
    do f->names[f->name_count++] = take_name(f);
    while (take(f, ",") && f->name_count < KILN_MAX_RANK);
    expect(f, "]");
  }
  if (f->name_count != array->rank) fail(f, "as many indices as the array has dimensions are needed");
  expect(f, "=");
}

static void store_value(kiln_array *array, size_t element, double value) {
  ir_dtype dtype = (ir_dtype)array->dtype;
  uint64_t bits = ir_bits_from_f64(dtype, value);
  size_t size = ir_dtype_bytes(dtype);
  memcpy((char *)array->data + element * size, &bits, size);
}

bool formula_fill(const launch *l, kiln_str words, kiln_array *array, kiln_str *error) {
  formula f = {.launch = l, .text = words};
  parse_left(&f, array);
  size_t start = f.at, count = array_count(array);
  for (size_t element = 0; element < count && !f.error.size; element++) {
    size_t rest = element;
    for (uint32_t d = array->rank; d-- > 0; rest /= (size_t)array->dims[d])
      f.values[d] = (double)(rest % (size_t)array->dims[d]);
    f.at = start;
    double value = parse_ternary(&f);
    if (f.at < f.text.size && take(&f, "") && f.at < f.text.size) fail(&f, "expected the end");
    store_value(array, element, value);
  }
  *error = f.error;
  return !f.error.size;
}

bool formula_size(const launch *l, kiln_str words, int64_t *out) {
  formula f = {.launch = l, .text = words};
  *out = (int64_t)parse_ternary(&f);
  return !f.error.size;
}
