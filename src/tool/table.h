/* Columns of text, each as wide as its widest cell. */
#ifndef KILN_SRC_TOOL_TABLE_H
#define KILN_SRC_TOOL_TABLE_H

#include <stdio.h>

#include "base/str.h"

typedef struct table {
  arena *arena;
  size_t columns;
  uint64_t right; /* bit per column: aligned right, for numbers */
  VEC(kiln_str) cells;
} table;

table table_new(arena *a, size_t columns, uint64_t right);
void table_cell(table *t, const char *format, ...)
    __attribute__((format(printf, 2, 3))); /* the next cell, row by row */
void table_print(const table *t, FILE *out);

#endif
