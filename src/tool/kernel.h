/* The kernel that a command works on, and the sizes that its line gives. */
#ifndef KILN_SRC_TOOL_KERNEL_H
#define KILN_SRC_TOOL_KERNEL_H

#include "ir/ir.h"
#include "kiln/spirv.h"
#include "tool/tool.h"

typedef struct subject {
  kiln_module *module;
  const kiln_kernel *kernel;
  kiln_size *sizes; /* from --set; names belong to the arena */
  size_t size_count;
} subject;

#define KERNEL_OPTION \
  { "--kernel", 'k', OPTION_VALUE, false, "KERNEL", "which kernel of the file (needed when it has several)" }
#define MEMORY_OPTION \
  { "--memory", 0, OPTION_VALUE, false, "MIB", "most memory of all that runs at a time on the host (default 16384)" }
#define SET_OPTION \
  { "--set", 0, OPTION_VALUE, true, "M=4096", "a symbolic size" }

#define UNITS_OPTION \
  { "--units", 0, OPTION_VALUE, false, "HOW", "how devices run units that wait: fused, phased, spin, auto (default)" }
#define SUBGROUPS_OPTION \
  { "--subgroups", 0, OPTION_VALUE, false, "HOW", "of phased roles: each its own, or one (default: the device's)" }
#define POLLS_OPTION \
  { "--polls", 0, OPTION_VALUE, false, "N", "looks of a unit that spins before it gives up (default: the device's)" }
#define UNITS_OPTIONS UNITS_OPTION, SUBGROUPS_OPTION, POLLS_OPTION
/* All of them; false after a diagnostic. */
bool units_options(tool *t, kiln_units *out, kiln_profile *profile);

/* Reads and parses operand 0; `*out` is NULL after a failure. */
kiln_result module_load(tool *t, kiln_module **out);
/* The same, with the kernel of -k and the sizes of --set. Release with subject_close, also after a failure. */
kiln_result subject_open(tool *t, subject *out);
void subject_close(subject *s);
/* The kernel with every size a number, in a module of its own; inputs' shapes are not needed when --set gives all. */
kiln_result subject_bind(tool *t, const subject *s, ir_module **out);

#endif
