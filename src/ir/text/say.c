/* What a kernel says, as text: values are written as NumPy writes them. */
#include "ir/text/say.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELL = 40 };

ir_said ir_said_of(const ir_type *type) {
  ir_said said = {.dtype = type->dtype, .rank = type->shape.rank};
  for (uint32_t d = 0; d < said.rank; d++) said.dims[d] = ir_extent(type, d);
  return said;
}

int64_t ir_said_count(const ir_said *value) {
  int64_t count = 1;
  for (uint32_t d = 0; d < value->rank; d++) count *= value->dims[d];
  return count;
}

/* ---- numbers ---- */

typedef struct cells { /* how a tile's numbers are lined up */
  int before, after;   /* characters left of the point, and right of it */
} cells;

static uint64_t bits_at(const ir_said *value, int64_t i) {
  const size_t bytes = ir_dtype_bytes(value->dtype);
  uint64_t bits = 0;
  memcpy(&bits, (const uint8_t *)value->data + (size_t)i * bytes, bytes);
  return bits;
}

/* The shortest digits that read back as the same element. */
static void shortest(ir_dtype dtype, uint64_t bits, char *out) {
  const double number = ir_bits_to_f64(dtype, bits);
  if (isnan(number) || isinf(number)) {
    snprintf(out, CELL, "%s", isnan(number) ? "nan" : number < 0 ? "-inf" : "inf");
    return;
  }
  const double size = fabs(number);
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e16);
  for (int digits = 0; digits < 18; digits++) {
    snprintf(out, CELL, plain ? "%.*f" : "%.*e", digits, number);
    if (ir_bits_from_f64(dtype, strtod(out, NULL)) == bits) break;
  }
}

static void write_number(ir_dtype dtype, uint64_t bits, char *out) {
  switch (ir_dtype_get(dtype)->class) {
    case IR_CLASS_BOOL: snprintf(out, CELL, "%s", bits ? "True" : "False"); break;
    case IR_CLASS_SINT: snprintf(out, CELL, "%lld", (long long)ir_bits_to_i64(dtype, bits)); break;
    case IR_CLASS_UINT: snprintf(out, CELL, "%llu", (unsigned long long)bits); break;
    case IR_CLASS_FLOAT: shortest(dtype, bits, out); break;
  }
}

/* A float in a tile always has its point, and no zeros behind it. */
static void write_cell(ir_dtype dtype, uint64_t bits, char *out) {
  write_number(dtype, bits, out);
  if (ir_is_float(dtype) && !strpbrk(out, ".en") && strlen(out) + 1 < CELL) strcat(out, ".");
}

static int before_point(const char *digits) {
  const char *point = strchr(digits, '.');
  return (int)(point ? (size_t)(point - digits) : strlen(digits));
}

/* ---- tiles ---- */

static cells measure(const ir_said *value) {
  cells c = {0, 0};
  char digits[CELL];
  for (int64_t i = 0, count = ir_said_count(value); i < count; i++) {
    write_cell(value->dtype, bits_at(value, i), digits);
    const int before = before_point(digits), after = (int)strlen(digits) - before;
    if (before > c.before) c.before = before;
    if (after > c.after) c.after = after;
  }
  return c;
}

static void write_row(text *t, const ir_said *value, const cells *c, int64_t first, int64_t count) {
  char digits[CELL];
  text_char(t, '[');
  for (int64_t i = 0; i < count; i++) {
    write_cell(value->dtype, bits_at(value, first + i), digits);
    const int before = before_point(digits), after = (int)strlen(digits) - before;
    text_format(t, "%s%*s%s%*s", i ? " " : "", c->before - before, "", digits, c->after - after, "");
  }
  text_char(t, ']');
}

/* Rows below one another, an empty line more between larger parts. */
static void write_tile(text *t, const ir_said *value, const cells *c, uint32_t axis, int64_t first) {
  int64_t pitch = 1;
  if (axis + 1 >= value->rank) {
    write_row(t, value, c, first, value->rank ? value->dims[axis] : 1);
    return;
  }
  for (uint32_t d = axis + 1; d < value->rank; d++) pitch *= value->dims[d];
  text_char(t, '[');
  for (int64_t i = 0; i < value->dims[axis]; i++) {
    for (uint32_t line = axis + 1; i > 0 && line < value->rank; line++) text_char(t, '\n');
    for (uint32_t d = 0; i > 0 && d <= axis; d++) text_char(t, ' ');
    write_tile(t, value, c, axis + 1, first + i * pitch);
  }
  text_char(t, ']');
}

static void write_value(text *t, const ir_said *value) {
  char digits[CELL];
  if (value->rank > 0) {
    const cells c = measure(value);
    write_tile(t, value, &c, 0, 0);
    return;
  }
  write_number(value->dtype, bits_at(value, 0), digits);
  text_add(t, str_from(digits));
  if (ir_is_float(value->dtype) && !strpbrk(digits, ".en")) text_add(t, STR(".0"));
}

/* ---- texts ---- */

void ir_say(text *t, kiln_str words, const ir_said *values, uint32_t count) {
  const char *at = words.data, *end = at + words.size;
  uint32_t next = 0;
  for (; at < end; at++) {
    const char *close = *at == '{' ? memchr(at, '}', (size_t)(end - at)) : NULL;
    if ((*at == '{' || *at == '}') && at + 1 < end && at[1] == *at) {
      text_char(t, *at++);
    } else if (close && next < count) {
      write_value(t, &values[next++]);
      at = close;
    } else {
      text_char(t, *at);
    }
  }
  for (; next < count; next++) {
    text_char(t, ' ');
    write_value(t, &values[next]);
  }
  text_char(t, '\n');
}

/* ---- places ---- */

static void say_kind(text *t, ir_axis_kind kind, const char *before, const ir_place *places, uint32_t count) {
  const char *between = before;
  for (uint32_t i = 0; i < count; i++) {
    if (places[i].kind != kind) continue;
    text_format(t, "%s%.*s %lld", between, STR_FMT(places[i].name), (long long)places[i].at);
    between = ", ";
  }
  if (between != before) text_char(t, ')');
}

void ir_say_places(text *t, uint64_t block, const ir_place *places, uint32_t count) {
  text_format(t, "block %llu", (unsigned long long)block);
  say_kind(t, IR_AXIS_GRID, " (", places, count);
  say_kind(t, IR_AXIS_UNITS, " unit (", places, count);
  say_kind(t, IR_AXIS_STEPS, " step (", places, count);
}

void ir_say_unit(text *t, const ir_kernel *k, const uint32_t *places, int32_t part) {
  const char *between = k->team_count > 0 ? "unit (" : "the only unit (";
  for (uint32_t i = 0; i < k->team_count; i++, between = ", ")
    text_format(t, "%s%.*s %u", between, STR_FMT(k->teams[i].name), places[i]);
  if (part >= 0) text_format(t, "%swarp %d", between, part);
  text_format(t, "%s", k->team_count > 0 || part >= 0 ? ")" : "the only unit");
}

/* ---- waits ---- */

void ir_say_shape(text *t, uint32_t rank, const int64_t *dims) {
  for (uint32_t d = 0; d < rank; d++) text_format(t, "%s%lld", d ? ", " : "[", (long long)dims[d]);
  if (rank > 0) text_char(t, ']');
}

void ir_say_element(text *t, kiln_str name, uint32_t rank, const int64_t *dims, uint64_t element) {
  int64_t index[KILN_MAX_RANK];
  text_add(t, name);
  for (uint32_t d = rank; d-- > 0; element /= (uint64_t)dims[d]) index[d] = (int64_t)(element % (uint64_t)dims[d]);
  ir_say_shape(t, rank, index);
}

void ir_say_wait(text *t, ir_kind kind, uint64_t phase, uint64_t have, uint64_t need) {
  if (kind == IR_BARRIER)
    text_format(t, ": phase %llu has %llu of %llu arrivals", (unsigned long long)phase, (unsigned long long)have,
                (unsigned long long)need);
  else
    text_format(t, ": the count is %llu of %llu", (unsigned long long)have, (unsigned long long)need);
}

void ir_say_help(text *t, ir_kind kind, kiln_str name) {
  text_format(t, "%s %.*s here", kind == IR_BARRIER ? "arrivals at" : "signals of", STR_FMT(name));
}
