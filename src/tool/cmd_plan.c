/* `kiln plan`: what a kernel will do with grid and memory: who uses how much where and when. */
#include "pass/plan.h"

#include "base/file.h"
#include "tool/pipeline.h"

static kiln_result show(tool *t, ir_module *module, const pass_target *target) {
  plan p;
  module->arena.guard = t->arena.guard;
  if (!plan_make(&t->arena, module->kernels[0], target, t->context->diags, &p)) return KILN_ERROR_INVALID;
  text printed = text_new(&t->arena), drawing = text_new(&t->arena);
  plan_print(&p, &printed);
  tool_print(text_str(&printed));
  const char *path = args_value(t, "--svg");
  if (!path) return KILN_OK;
  plan_svg(&p, &drawing);
  kiln_str part = text_str(&drawing);
  return file_write(t->context->mem, t->context->diags, path, &part, 1);
}

static kiln_result make_and_show(tool *t) {
  subject s;
  pass_target target;
  ir_module *module = NULL;
  kiln_result result = pipeline_target(t, &target);
  if (result != KILN_OK) return result;
  result = subject_open(t, &s);
  if (result == KILN_OK) result = subject_bind(t, &s, &module);
  if (result == KILN_OK) result = show(t, module, &target);
  ir_module_destroy(module);
  subject_close(&s);
  return result;
}

static exit_code run(tool *t) { return exit_code_of(make_and_show(t)); }

static const option options[] = {
    KERNEL_OPTION,
    FOR_OPTION,
    SET_OPTION,
    {"--svg", 0, OPTION_VALUE, false, "OUT.svg", "draw it as well"},
};

const command command_plan = {
    .name = "plan",
    .summary = "show who uses how much memory where and when",
    .operands = "FILE.kiln",
    .operand_least = 1,
    .operand_most = 1,
    OPTIONS(options),
    .details = "Every symbolic size must be given with --set.\n",
    .run = run,
};
