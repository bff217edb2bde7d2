/* `kiln fmt`: the canonical text. */
#include "tool/kernel.h"

static exit_code run(tool *t) {
  kiln_module *module;
  kiln_result result = module_load(t, &module);
  if (result != KILN_OK) return exit_code_of(result);
  kiln_str printed = kiln_module_text(module);
  tool_print(printed);
  kiln_module_destroy(module);
  return printed.size > 0 ? EXIT_FINE : EXIT_SYSTEM;
}

const command command_fmt = {
    .name = "fmt",
    .summary = "print a file's kernels in canonical form, one op a line",
    .operands = "FILE.kiln",
    .operand_least = 1,
    .operand_most = 1,
    .details =
        "Parsing what it prints gives the same text again. Comments in front of a kernel stay,\nthose inside are not "
        "kept; helper functions are inlined.\n",
    .run = run,
};
