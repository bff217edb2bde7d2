/* The plan as tables. */
#include "base/table.h"
#include "pass/plan/plan.h"

static void cell(table *t, text words) { table_str(t, text_str(&words)); }
static text words(const table *t) { return text_new(t->arena); }

static void cell_bytes(table *t, uint64_t bytes) {
  text w = words(t);
  plan_bytes(&w, bytes);
  cell(t, w);
}

/* ---- sections ---- */

static void print_grid(const plan *p, text *out) {
  text_format(out, "kernel %.*s: ", STR_FMT(p->kernel->name));
  text_format(out, p->steps == 1 ? "1 step" : "%llu steps", (unsigned long long)p->steps);
  for (uint32_t i = 0; i < p->grid.rank; i++) {
    text_format(out, "%s%.*s: ", i ? ", " : " of the grid (", STR_FMT(p->axis_names[i]));
    if (p->dynamic >> i & 1)
      text_add(out, STR("known at launch, counted as 1"));
    else
      text_format(out, "%lld", (long long)p->grid.size[i]);
    if (p->grid.parallel[i]) text_add(out, STR(" parallel"));
  }
  text_add(out, p->grid.rank ? STR(")\n") : STR("\n"));
  uint64_t length = p->units ? p->steps / p->units : 0;
  text_format(out, "machine %s: %llu %s%s of %llu step%s\n", machine_name(p->machine), (unsigned long long)p->units,
              p->machine == MACHINE_GPU ? "cluster" : "independent run", p->units == 1 ? "" : "s",
              (unsigned long long)length, length == 1 ? "" : "s");
  if (p->kernel->units.size > 0) text_format(out, "its units are %.*s\n", STR_FMT(p->kernel->units));
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
  table t = TABLE_NEW(out->arena, titles);
  for (uint32_t i = 0; i < p->block_count; i++) {
    const plan_block *block = &p->blocks[i];
    table_str(&t, block->name);
    table_str(&t, str_from(directions[block->direction]));
    cell_type(&t, block->array.dtype, &block->size);
    cell_type(&t, block->array.dtype, &block->array.shape);
    cell_bytes(&t, block->bytes);
    table_str(&t, block->known ? str_format(t.arena, "%llu times", (unsigned long long)block->visits)
                               : STR("depends on data"));
    if (block->known)
      cell_bytes(&t, block->visits * block->bytes);
    else
      table_str(&t, STR("-"));
    table_str(&t, block->ragged ? STR("ragged") : STR("even"));
  }
  table_print(&t, out);
}

static void print_spaces(const plan *p, text *out) {
  static const char *const titles[] = {"space", "each", ">copies", ">needed", ">alive at once", ">limit", ""};
  text_char(out, '\n');
  table t = TABLE_NEW(out->arena, titles);
  for (uint32_t i = 0; i < p->memory.report.use_count; i++) {
    const alloc_use *use = &p->memory.report.uses[i];
    table_str(&t, str_from(space_name(use->space)));
    table_str(&t, str_from(plan_level_of(p, use)));
    table_cell(&t, "%llu", use->owner == 0 ? 1ull : (unsigned long long)p->units);
    cell_bytes(&t, use->peak);
    cell_bytes(&t, use->live);
    if (use->limit)
      cell_bytes(&t, use->limit);
    else
      table_str(&t, STR("none"));
    table_str(&t, alloc_fits(use) ? STR("") : STR("too much"));
  }
  table_print(&t, out);
}

static void print_items(const plan *p, text *out) {
  static const char *const titles[] = {"who", "space", ">bytes", ">offset", "behind", "alive from", "to"};
  text_char(out, '\n');
  table t = TABLE_NEW(out->arena, titles);
  for (uint32_t i = 0; i < p->memory.report.item_count; i++) {
    const alloc_item *item = &p->memory.report.items[i];
    table_str(&t, plan_item_name(p, i));
    table_str(&t, str_from(space_name(item->key.space)));
    cell_bytes(&t, item->size);
    table_cell(&t, "%llu", (unsigned long long)item->offset);
    table_str(&t, item->above == ALLOC_NONE ? STR("-") : plan_item_name(p, item->above));
    for (uint32_t end = 0; end < 2; end++) {
      text w = words(&t);
      uint32_t point = end ? item->last : item->first, line = plan_point_line(p, point);
      plan_point(p, point, &w);
      if (line) text_format(&w, ", line %u", line);
      cell(&t, w);
    }
  }
  table_print(&t, out);
}

/* To the byte: what the module declares. */
static void print_workgroup(const plan *p, text *out) {
  const uint64_t all = plan_shared_bytes(p);
  text_format(out, "\na workgroup shares %llu B: %llu B of scratch, %llu B for tiles that registers do not hold\n",
              (unsigned long long)all, (unsigned long long)(all - p->kept_bytes), (unsigned long long)p->kept_bytes);
}

void plan_print(const plan *p, text *out) {
  print_grid(p, out);
  print_blocks(p, out);
  print_spaces(p, out);
  if (p->target.kind == P_SPIRV) print_workgroup(p, out);
  print_items(p, out);
}
