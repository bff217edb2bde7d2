/* `kiln plan`: who uses how much memory where and when. */
#include "base/file.h"
#include "tool/memory_svg.h"
#include "tool/pipeline.h"
#include "tool/table.h"

static void print_items(tool *t, const pass_memory *memory) {
  static const char *const heading[] = {"memory", "bytes", "alive", "where"};
  enum { COLUMNS = sizeof heading / sizeof *heading };
  table rows = table_new(&t->arena, COLUMNS, 1 << 1);
  for (size_t i = 0; i < COLUMNS; i++) table_cell(&rows, "%s", heading[i]);
  for (uint32_t i = 0; i < memory->report.item_count; i++) {
    const alloc_item *item = &memory->report.items[i];
    text key = text_new(&t->arena), why = text_new(&t->arena);
    key_print(&memory->machine, item->key, &key);
    alloc_explain(memory->report.items, i, &why);
    table_cell(&rows, "%.*s", STR_FMT(item->name));
    table_cell(&rows, "%llu", (unsigned long long)item->size);
    table_cell(&rows, "%u..%u", item->first, item->last);
    table_cell(&rows, "%.*s, %.*s", STR_FMT(text_str(&key)), STR_FMT(text_str(&why)));
  }
  table_print(&rows, stdout);
}

static void print_uses(tool *t, const pass_memory *memory) {
  static const char *const heading[] = {"space", "items", "sum", "most alive", "placed", "limit"};
  enum { COLUMNS = sizeof heading / sizeof *heading };
  table rows = table_new(&t->arena, COLUMNS, 0x3e);
  for (size_t i = 0; i < COLUMNS; i++) table_cell(&rows, "%s", heading[i]);
  for (uint32_t i = 0; i < memory->report.use_count; i++) {
    const alloc_use *use = &memory->report.uses[i];
    table_cell(&rows, "%s", space_info_of(use->space)->name);
    table_cell(&rows, "%u", use->items);
    table_cell(&rows, "%llu", (unsigned long long)use->total);
    table_cell(&rows, "%llu", (unsigned long long)use->live);
    table_cell(&rows, "%llu", (unsigned long long)use->peak);
    table_cell(&rows, use->limit ? "%llu%s" : "none", (unsigned long long)use->limit,
               alloc_fits(use) ? "" : " EXCEEDED");
  }
  table_print(&rows, stdout);
}

static kiln_result show(tool *t, ir_module *module, const pass_target *target) {
  pass_memory memory;
  const ir_kernel *kernel = module->kernels[0];
  if (!pass_memory_of(&module->arena, kernel, target, t->context->diags, &memory)) return KILN_ERROR_INVALID;
  printf("%.*s: bytes of one unit's memory; time in points of the flattened kernel, 0 to %u\n\n", STR_FMT(kernel->name),
         memory.point_count);
  print_items(t, &memory);
  putchar('\n');
  print_uses(t, &memory);
  const char *path = args_value(t, "--svg");
  if (!path) return KILN_OK;
  kiln_str drawing = memory_svg(&t->arena, kernel->name, &memory);
  return file_write(t->context->mem, t->context->diags, path, &drawing, 1);
}

static kiln_result plan(tool *t) {
  subject s;
  pass_target target;
  ir_module *module = NULL;
  kiln_result result = pipeline_target(t, &target);
  if (result != KILN_OK) return result;
  result = subject_open(t, &s);
  if (result == KILN_OK) result = pipeline_run(t, &s, &target, PASS_COUNT, NULL, NULL, &module);
  if (result == KILN_OK) result = show(t, module, &target);
  ir_module_destroy(module);
  subject_close(&s);
  return result;
}

static exit_code run(tool *t) { return exit_code_of(plan(t)); }

static const option options[] = {
    KERNEL_OPTION,
    FOR_OPTION,
    SET_OPTION,
    {"--svg", 0, OPTION_VALUE, false, "OUT.svg", "draw it as well: time to the right, addresses upward"},
};

const command command_plan = {
    .name = "plan",
    .summary = "show who uses how much memory where and when",
    .operands = "FILE.kiln",
    .operand_least = 1,
    .operand_most = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .details = "Every symbolic size must be given with --set.\n",
    .run = run,
};
