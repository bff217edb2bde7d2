/* The op tables as text: the op manual (docs/ops.md, by `kiln ops --markdown`) and the list that programs read (`kiln
 * ops --json`: the Python exporter and the table test). */
#ifndef KILN_SRC_IR_TEXT_MANUAL_H
#define KILN_SRC_IR_TEXT_MANUAL_H

#include "ir/ir.h"

void ir_ops_markdown(text *t);
/* {"types": [{"name", "class", "bits"}], "ops": [{"id", "name", "form", "arity", "infix", "types", "result",
 * "attributes", "jax", "host_ulp", "device_ulp", "combine", "host", "spirv", "doc"}]}. "host" and "spirv" list the
 * element classes that the executor can do: those of "types", or fewer. */
void ir_ops_json(text *t);

#endif
