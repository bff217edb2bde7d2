/* Tables on a terminal. */
#include "tool/table.h"

table table_new(arena *a, size_t columns, uint64_t right) {
  return (table){.arena = a, .columns = columns, .right = right};
}

void table_cell(table *t, const char *format, ...) {
  va_list args;
  va_start(args, format);
  VEC_PUSH(t->arena, &t->cells, str_formatv(t->arena, format, args));
  va_end(args);
}

/* Characters, not bytes: names may be UTF-8. */
static size_t width_of(kiln_str s) {
  size_t width = 0;
  for (size_t i = 0; i < s.size; i++) width += ((unsigned char)s.data[i] & 0xc0) != 0x80;
  return width;
}

static size_t column_width(const table *t, size_t column) {
  size_t widest = 0;
  for (size_t i = column; i < t->cells.count; i += t->columns) {
    size_t width = width_of(t->cells.data[i]);
    if (width > widest) widest = width;
  }
  return widest;
}

static void print_cell(const table *t, FILE *out, size_t index, size_t width) {
  kiln_str cell = t->cells.data[index];
  size_t column = index % t->columns;
  int blanks = (int)(width - width_of(cell));
  bool right = t->right >> column & 1, last = column + 1 == t->columns;
  if (right) fprintf(out, "%*s", blanks, "");
  fwrite(cell.data, 1, cell.size, out);
  if (last)
    fputc('\n', out);
  else
    fprintf(out, "%*s", (right ? 0 : blanks) + 2, "");
}

void table_print(const table *t, FILE *out) {
  size_t *widths = ARENA_ARRAY(t->arena, size_t, t->columns);
  for (size_t i = 0; i < t->columns; i++) widths[i] = column_width(t, i);
  for (size_t i = 0; i < t->cells.count; i++) print_cell(t, out, i, widths[i % t->columns]);
}
