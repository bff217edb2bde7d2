/* The plan as tables. */
#include "pass/plan.h"

typedef struct table {
  text *out;
  const char *const *titles;
  uint32_t columns;
  arena *arena;
  VEC(kiln_str) cells;
} table;

static table table_new(text *out, const char *const *titles, uint32_t columns) {
  table t = {.out = out, .titles = titles, .columns = columns, .arena = out->arena};
  for (uint32_t i = 0; i < columns; i++) VEC_PUSH(t.arena, &t.cells, str_from(titles[i]));
  return t;
}

static void cell(table *t, text words) { VEC_PUSH(t->arena, &t->cells, text_str(&words)); }
static text words(const table *t) { return text_new(t->arena); }

static void cell_bytes(table *t, uint64_t bytes) {
  text w = words(t);
  plan_bytes(&w, bytes);
  cell(t, w);
}

static void cell_str(table *t, kiln_str s) { VEC_PUSH(t->arena, &t->cells, s); }

static bool at_right(const table *t, uint32_t column) { return t->titles[column][0] == '>'; }

static kiln_str cell_at(const table *t, size_t row, uint32_t column) {
  kiln_str s = t->cells.data[row * t->columns + column];
  return row == 0 && at_right(t, column) ? (kiln_str){s.data + 1, s.size - 1} : s;
}

/* Columns as wide as their widest cell; one whose title begins with '>' holds numbers and keeps to the right. */
static void table_end(const table *t) {
  size_t rows = t->cells.count / t->columns, *width = ARENA_ARRAY(t->arena, size_t, t->columns);
  for (size_t row = 0; row < rows; row++)
    for (uint32_t column = 0; column < t->columns; column++)
      if (cell_at(t, row, column).size > width[column]) width[column] = cell_at(t, row, column).size;
  for (size_t row = 0; row < rows; row++) {
    text line = text_new(t->arena);
    for (uint32_t column = 0; column < t->columns; column++) {
      kiln_str s = cell_at(t, row, column);
      int room = (int)(width[column] - s.size), before = at_right(t, column) ? room : 0;
      text_format(&line, "  %*s%.*s%*s", before, "", STR_FMT(s), room - before, "");
    }
    while (line.size > 0 && line.data[line.size - 1] == ' ') line.size--;
    text_format(t->out, "%.*s\n", STR_FMT(text_str(&line)));
  }
}

/* ---- sections ---- */

static void print_grid(const plan *p, text *out) {
  text_format(out, "kernel %.*s: ", STR_FMT(p->kernel->name));
  text_format(out, p->steps == 1 ? "1 step" : "%llu steps", (unsigned long long)p->steps);
  for (uint32_t i = 0; i < p->grid.rank; i++) {
    text_format(out, "%s%.*s: %lld", i ? ", " : " of the grid (", STR_FMT(p->axis_names[i]),
                (long long)p->grid.size[i]);
    if (p->grid.parallel[i]) text_add(out, STR(" parallel"));
  }
  text_add(out, p->grid.rank ? STR(")\n") : STR("\n"));
  uint64_t length = p->units ? p->steps / p->units : 0;
  text_format(out, "machine %s: %llu %s%s of %llu step%s\n", machine_info_of(p->machine)->name,
              (unsigned long long)p->units, p->machine == MACHINE_GPU ? "cluster" : "independent run",
              p->units == 1 ? "" : "s", (unsigned long long)length, length == 1 ? "" : "s");
}

static void cell_type(table *t, ir_dtype dtype, const ir_shape *shape) {
  text w = words(t);
  ir_type type = {.dtype = dtype, .shape = *shape};
  ir_type_print(&w, &type);
  cell(t, w);
}

static void print_blocks(const plan *p, text *out) {
  static const char *const titles[] = {"block", "", "size", "of array", ">bytes", ">comes into use", ">moves", "edge"};
  static const char *const directions[] = {[KILN_IN] = "in", [KILN_OUT] = "out", [KILN_INOUT] = "inout"};
  if (p->block_count == 0) return;
  text_char(out, '\n');
  table t = table_new(out, titles, 8);
  for (uint32_t i = 0; i < p->block_count; i++) {
    const plan_block *block = &p->blocks[i];
    cell_str(&t, block->name);
    cell_str(&t, str_from(directions[block->direction]));
    cell_type(&t, block->array.dtype, &block->size);
    cell_type(&t, block->array.dtype, &block->array.shape);
    cell_bytes(&t, block->bytes);
    cell_str(&t, block->known ? str_format(t.arena, "%llu times", (unsigned long long)block->visits)
                              : STR("depends on data"));
    if (block->known)
      cell_bytes(&t, block->visits * block->bytes);
    else
      cell_str(&t, STR("-"));
    cell_str(&t, block->ragged ? STR("ragged") : STR("even"));
  }
  table_end(&t);
}

static void print_spaces(const plan *p, text *out) {
  static const char *const titles[] = {"space", "each", ">copies", ">needed", ">alive at once", ">limit", ""};
  text_char(out, '\n');
  table t = table_new(out, titles, 7);
  for (uint32_t i = 0; i < p->memory.report.use_count; i++) {
    const alloc_use *use = &p->memory.report.uses[i];
    const space_info *info = space_info_of(use->space);
    cell_str(&t, str_from(info->name));
    cell_str(&t, str_from(level_info_of(machine_level(&p->memory.machine, info->depth))->name));
    cell_str(&t, str_format(t.arena, "%llu", info->depth == 0 ? 1ull : (unsigned long long)p->units));
    cell_bytes(&t, use->peak);
    cell_bytes(&t, use->live);
    if (use->limit)
      cell_bytes(&t, use->limit);
    else
      cell_str(&t, STR("none"));
    cell_str(&t, alloc_fits(use) ? STR("") : STR("too much"));
  }
  table_end(&t);
}

static void print_items(const plan *p, text *out) {
  static const char *const titles[] = {"who", "space", ">bytes", ">offset", "behind", "alive from", "to"};
  text_char(out, '\n');
  table t = table_new(out, titles, 7);
  for (uint32_t i = 0; i < p->memory.report.item_count; i++) {
    const alloc_item *item = &p->memory.report.items[i];
    cell_str(&t, plan_item_name(p, i));
    cell_str(&t, str_from(space_info_of(item->key.space)->name));
    cell_bytes(&t, item->size);
    cell_str(&t, str_format(t.arena, "%llu", (unsigned long long)item->offset));
    cell_str(&t, item->above == ALLOC_NONE ? STR("-") : plan_item_name(p, item->above));
    for (uint32_t end = 0; end < 2; end++) {
      text w = words(&t);
      uint32_t point = end ? item->last : item->first, line = plan_point_line(p, point);
      plan_point(p, point, &w);
      if (line) text_format(&w, ", line %u", line);
      cell(&t, w);
    }
  }
  table_end(&t);
}

void plan_print(const plan *p, text *out) {
  print_grid(p, out);
  print_blocks(p, out);
  print_spaces(p, out);
  print_items(p, out);
}
