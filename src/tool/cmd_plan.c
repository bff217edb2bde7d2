/* `kiln plan`: what a kernel will do with grid and memory: who uses how much where and when. */
#include "pass/plan/plan.h"

#include "base/file.h"
#include "tool/device.h"
#include "tool/pipeline.h"

static kiln_result ask_compiler(tool *t, const subject *s, const kiln_profile *profile, plan *p) {
  kiln_program *program = NULL;
  kiln_result result = device_compile(t, s, profile, &program);
  if (result == KILN_OK) p->kept_bytes = device_program_info(program)->kept_memory;
  device_program_close(program);
  return result;
}

static kiln_result show(tool *t, const subject *s, ir_module *module, const pass_target *target,
                        const kiln_profile *profile) {
  plan p;
  module->arena.guard = t->arena.guard;
  if (!plan_make(&t->arena, module->kernels[0], target, t->context->diags, &p)) return KILN_ERROR_INVALID;
  kiln_result result = target->kind == P_SPIRV ? ask_compiler(t, s, profile, &p) : KILN_OK;
  if (result != KILN_OK) return result;
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
  kiln_profile profile = {0};
  ir_module *module = NULL;
  kiln_result result = pipeline_target(t, &target, &profile);
  if (result != KILN_OK) return result;
  result = subject_open(t, &s);
  if (result == KILN_OK) result = subject_bind(t, &s, &module);
  if (result == KILN_OK) result = show(t, &s, module, &target, &profile);
  ir_module_destroy(module);
  subject_close(&s);
  return result;
}

static exit_code run(tool *t) { return exit_code_of(make_and_show(t)); }

static const option options[] = {
    KERNEL_OPTION,
    FOR_OPTION,
    UNITS_OPTIONS,
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
