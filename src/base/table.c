/* Laying out tables. */
#include "base/table.h"

static bool at_right(const table *t, size_t column) { return t->titles[column][0] == '>'; }

table table_new(arena *a, const char *const *titles, size_t columns) {
  table t = {.arena = a, .titles = titles, .columns = columns};
  for (size_t i = 0; i < columns; i++) table_str(&t, str_from(titles[i] + at_right(&t, i)));
  return t;
}

void table_str(table *t, kiln_str cell) { VEC_PUSH(t->arena, &t->cells, cell); }

void table_cell(table *t, const char *format, ...) {
  va_list args;
  va_start(args, format);
  table_str(t, str_formatv(t->arena, format, args));
  va_end(args);
}

/* Characters, not bytes: names may be UTF-8. */
static size_t width_of(kiln_str s) {
  size_t width = 0;
  for (size_t i = 0; i < s.size; i++) width += ((unsigned char)s.data[i] & 0xc0) != 0x80;
  return width;
}

static size_t *column_widths(const table *t) {
  size_t *widest = ARENA_ARRAY(t->arena, size_t, t->columns);
  for (size_t i = 0; i < t->cells.count; i++) {
    size_t width = width_of(t->cells.data[i]);
    if (width > widest[i % t->columns]) widest[i % t->columns] = width;
  }
  return widest;
}

void table_print(const table *t, text *out) {
  const size_t *widths = column_widths(t);
  for (size_t row = 0; row < t->cells.count; row += t->columns) {
    text line = text_new(t->arena);
    for (size_t column = 0; column < t->columns; column++) {
      kiln_str cell = t->cells.data[row + column];
      int room = (int)(widths[column] - width_of(cell)), before = at_right(t, column) ? room : 0;
      text_format(&line, "%s%*s%.*s%*s", column > 0 ? "  " : "", before, "", STR_FMT(cell), room - before, "");
    }
    while (line.size > 0 && line.data[line.size - 1] == ' ') line.size--;
    text_add(out, text_str(&line));
    text_char(out, '\n');
  }
}
