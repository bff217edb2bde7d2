/* `kiln spirv`: a kernel as a SPIR-V module, in text or in binary. */
#include "base/file.h"
#include "tool/device.h"

static void print_facts(const kiln_program_info *info) {
  static const char *const kinds[] = {
      [KILN_BINDING_PARAM] = "parameter", [KILN_BINDING_SCRATCH] = "scratch", [KILN_BINDING_LOG] = "log"};
  printf("; %llu units, %u to a workgroup of %u invocations in subgroups of %u, %u bytes of shared memory\n",
         (unsigned long long)info->unit_count, info->units_per_workgroup, info->workgroup_size, info->subgroup_size,
         info->shared_memory);
  for (size_t i = 0; i < info->binding_count; i++) {
    const kiln_binding *b = &info->bindings[i];
    printf("; binding %zu: %s %u, %llu bytes%s\n", i, kinds[b->kind], b->kind == KILN_BINDING_PARAM ? b->param : 0,
           (unsigned long long)b->size, b->written ? ", written" : "");
  }
}

static kiln_result put_out(tool *t, kiln_program *program) {
  const kiln_program_info *info = device_program_info(program);
  const char *path = args_value(t, "--output");
  if (path) {
    kiln_str words = {(const char *)info->words, info->word_count * sizeof *info->words};
    return file_write(t->context->mem, t->context->diags, path, &words, 1);
  }
  print_facts(info);
  kiln_str printed = device_program_text(program);
  tool_print(printed);
  return printed.size > 0 ? KILN_OK : KILN_ERROR_MEMORY;
}

static kiln_result compile(tool *t) {
  const char *target = args_value(t, "--for");
  kiln_profile profile;
  subject s;
  kiln_program *program = NULL;
  kiln_result result = device_profile(t, target ? target : "baseline", &profile);
  if (result != KILN_OK) return result;
  result = subject_open(t, &s);
  if (result == KILN_OK) result = device_compile(t, &s, &profile, &program);
  if (result == KILN_OK) result = put_out(t, program);
  device_program_close(program);
  subject_close(&s);
  return result;
}

static exit_code run(tool *t) {
  if (args_has(t, "--text") && args_has(t, "--output")) {
    TOOL_REPORT(t, DIAG_options_exclude, NULL, t->command->name, "--text", "--output");
    return EXIT_USAGE;
  }
  return exit_code_of(compile(t));
}

static const option options[] = {
    KERNEL_OPTION,
    {"--for", 0, OPTION_VALUE, false, "TARGET",
     "a profile such as gpu32 (default baseline), or a device such as vulkan"},
    UNITS_OPTIONS,
    SET_OPTION,
    {"--output", 'o', OPTION_VALUE, false, "OUT.spv", "write the module"},
    {"--text", 0, OPTION_FLAG, false, "", "print the disassembly (default)"},
};

const command command_spirv = {
    .name = "spirv",
    .summary = "compile a kernel to SPIR-V",
    .operands = "FILE.kiln",
    .operand_least = 1,
    .operand_most = 1,
    OPTIONS(options),
    .details =
        "Every symbolic size must be given with --set. Profiles: baseline, swiftshader, lavapipe4, lavapipe8, "
        "lavapipe16,\n"
        "gpu32, gpu64. Naming a profile needs no driver.\n",
    .run = run,
};
