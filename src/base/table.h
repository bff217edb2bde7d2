/* Columns of text, each as wide as its widest cell. A title that begins with '>' makes a column of numbers, kept to the
 * right. */
#ifndef KILN_SRC_BASE_TABLE_H
#define KILN_SRC_BASE_TABLE_H

#include "base/str.h"

typedef struct table {
  arena *arena;
  const char *const *titles;
  size_t columns;
  VEC(kiln_str) cells;
} table;

#define TABLE_NEW(a, titles) table_new((a), (titles), sizeof(titles) / sizeof *(titles))
table table_new(arena *a, const char *const *titles, size_t columns);
void table_str(table *t, kiln_str cell); /* the next cell, row by row; not copied */
void table_cell(table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_print(const table *t, text *out);

#endif
