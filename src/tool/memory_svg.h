/* A memory plan as a drawing: one panel per copy of a space, time to the right, addresses upward. */
#ifndef KILN_SRC_TOOL_MEMORY_SVG_H
#define KILN_SRC_TOOL_MEMORY_SVG_H

#include "pass/memory.h"

kiln_str memory_svg(arena *a, kiln_str title, const pass_memory *memory);

#endif
