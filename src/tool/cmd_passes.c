/* `kiln passes`: the kernel's text after each pass. */
#include "tool/pipeline.h"

typedef struct dump {
  tool *tool;
  pass_id only; /* PASS_COUNT: all */
} dump;

static void print_kernel(tool *t, const ir_kernel *kernel) {
  text printed = text_new(&t->arena);
  ir_print_kernel(&printed, kernel);
  tool_print(text_str(&printed));
}

static void print_stage(void *user, pass_id id, const ir_kernel *kernel) {
  const dump *d = user;
  if (d->only != PASS_COUNT && d->only != id) return;
  if (d->only == PASS_COUNT) printf("%s// after %s: %s\n", id > 0 ? "\n" : "", pass_name(id), pass_doc(id));
  print_kernel(d->tool, kernel);
}

static void list_passes(tool *t) {
  static const char *const titles[] = {"pass", "what it does"};
  table rows = TABLE_NEW(&t->arena, titles);
  for (int i = 0; i < PASS_COUNT; i++) {
    table_cell(&rows, "%s", pass_name((pass_id)i));
    table_cell(&rows, "%s", pass_doc((pass_id)i));
  }
  tool_print_table(&rows);
}

static bool read_pass(tool *t, pass_id *out) {
  const char *written = args_value(t, "--after");
  *out = PASS_COUNT;
  if (!written || pass_find(str_from(written), out)) return true;
  kiln_str names[PASS_COUNT];
  for (int i = 0; i < PASS_COUNT; i++) names[i] = str_from(pass_name((pass_id)i));
  TOOL_REPORT(t, DIAG_unknown_pass, suggest(&t->arena, str_from(written), names, PASS_COUNT), written);
  return false;
}

static kiln_result run_passes(tool *t, pass_id only) {
  subject s;
  pass_target target;
  dump d = {t, only};
  ir_module *module = NULL;
  kiln_result result = pipeline_target(t, &target, NULL);
  if (result != KILN_OK) return result;
  result = subject_open(t, &s);
  if (result == KILN_OK) result = pipeline_run(t, &s, &target, only, print_stage, &d, &module);
  ir_module_destroy(module);
  subject_close(&s);
  return result;
}

static exit_code run(tool *t) {
  pass_id only;
  if (args_has(t, "--list")) {
    list_passes(t);
    return EXIT_FINE;
  }
  if (!read_pass(t, &only)) return EXIT_WRONG;
  if (t->operands.count == 1) return exit_code_of(run_passes(t, only));
  TOOL_REPORT(t, DIAG_operand_missing, NULL, t->command->name, "FILE.kiln");
  return EXIT_USAGE;
}

static const option options[] = {
    KERNEL_OPTION, {"--after", 0, OPTION_VALUE, false, "PASS", "print only what this pass leaves"},
    FOR_OPTION,    UNITS_OPTIONS,
    SET_OPTION,    {"--list", 0, OPTION_FLAG, false, "", "name the passes in order, and nothing else"},
};

const command command_passes = {
    .name = "passes",
    .summary = "print a kernel after each pass of the compiler",
    .operands = "FILE.kiln",
    .operand_most = 1,
    OPTIONS(options),
    .details = "Every symbolic size must be given with --set.\n",
    .run = run,
};
