/* SPIRV-Tools behind two calls: validation of a finished module, and its disassembly. */
#ifndef KILN_SRC_SPIRV_CHECK_H
#define KILN_SRC_SPIRV_CHECK_H

#include "base/diag.h"

/* False when the module is not valid SPIR-V for Vulkan 1.1; *message, in the arena, says why. */
bool spv_check(arena *a, const uint32_t *words, size_t count, kiln_str *message);
/* The module as text, with friendly names; empty when it cannot be read. */
kiln_str spv_disassemble(arena *a, const uint32_t *words, size_t count);

#endif
