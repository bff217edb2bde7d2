/* `kiln ops`: the op tables, as text, Markdown or JSON. */
#include "ir/text/manual.h"
#include "tool/tool.h"

static const char *const form_names[] = {[IR_FORM_MAP] = "map",
                                         [IR_FORM_REDUCE] = "reduce",
                                         [IR_FORM_SCAN] = "scan",
                                         [IR_FORM_SHAPE] = "shape",
                                         [IR_FORM_EFFECT] = "effect"};

static const struct class_name {
  uint32_t bit;
  const char *name;
} classes[] = {{T_BOOL, "bool"}, {T_SINT, "int"}, {T_UINT, "uint"}, {T_FLOAT, "float"}};

static bool has_types(const ir_op_info *op) { return op->form != IR_FORM_SHAPE && op->form != IR_FORM_EFFECT; }

static const char *types_text(arena *a, const ir_op_info *op) {
  text t = text_new(a);
  for (size_t i = 0; i < sizeof classes / sizeof *classes && has_types(op); i++)
    if (op->types & classes[i].bit) text_format(&t, "%s%s", t.size > 0 ? " " : "", classes[i].name);
  return t.size > 0 ? t.data : "any";
}

static void add_row(table *rows, arena *a, const ir_op_info *op) {
  table_cell(rows, "%s", op->text);
  table_cell(rows, "%s", op->infix);
  table_cell(rows, "%s", form_names[op->form]);
  table_cell(rows, "%s", types_text(a, op));
  table_cell(rows, "%s", op->jax);
  table_cell(rows, "%u", op->host_ulp);
  table_cell(rows, "%u", op->device_ulp);
  table_cell(rows, "%s", op->doc);
}

static table make_table(arena *a) {
  static const char *const titles[] = {"op", "sign", "form", "types", "JAX", ">ulp host", ">device", "meaning"};
  table rows = TABLE_NEW(a, titles);
  for (int code = 0; code < IR_CODE_COUNT; code++) add_row(&rows, a, ir_op_get((ir_code)code));
  return rows;
}

static exit_code run(tool *t) {
  if (args_has(t, "--json") && args_has(t, "--markdown")) {
    TOOL_REPORT(t, DIAG_options_exclude, NULL, t->command->name, "--json", "--markdown");
    return EXIT_USAGE;
  }
  table rows = make_table(&t->arena);
  text printed = text_new(&t->arena);
  if (args_has(t, "--json"))
    ir_ops_json(&printed);
  else if (args_has(t, "--markdown"))
    ir_ops_markdown(&printed);
  else
    table_print(&rows, &printed);
  tool_print(text_str(&printed));
  return EXIT_FINE;
}

static const option options[] = {
    {"--json", 0, OPTION_FLAG, false, "", "print one JSON object"},
    {"--markdown", 0, OPTION_FLAG, false, "", "print a Markdown table"},
};

const command command_ops = {
    .name = "ops",
    .summary = "list every op of the language",
    .operands = "",
    OPTIONS(options),
    .details =
        "ulp: the largest error in units of the last place against the exact result; 0 = the same bits everywhere.\n",
    .run = run,
};
