/* Shared by the type rules (infer*.c) and the verifier. Private to src/ir. */
#ifndef KILN_SRC_IR_INFER_INFER_H
#define KILN_SRC_IR_INFER_INFER_H

#include <inttypes.h>

#include "ir/ir.h"

#define IR_LARGEST_TILE (INT64_C(1) << 40) /* elements */

/* How messages name an op: its sign where it has one. */
const char *ir_op_label(const ir_op *op);

/* Rules of one form each. They complete the op's attributes, set the type of result 0 and report what does not fit. */
bool ir_infer_map(ir_builder *b, ir_op *op);
bool ir_infer_reduce(ir_builder *b, ir_op *op);
bool ir_infer_scan(ir_builder *b, ir_op *op);
bool ir_infer_shape(ir_builder *b, ir_op *op);
bool ir_infer_dot(ir_builder *b, ir_op *op);
bool ir_infer_dynamic_slice(ir_builder *b, ir_op *op);
bool ir_infer_update(ir_builder *b, ir_op *op);
bool ir_infer_take(ir_builder *b, ir_op *op);
bool ir_infer_roll(ir_builder *b, ir_op *op);
bool ir_infer_sort(ir_builder *b, ir_op *op);
bool ir_infer_top_k(ir_builder *b, ir_op *op);
bool ir_infer_gather(ir_builder *b, ir_op *op);
bool ir_infer_scatter(ir_builder *b, ir_op *op);
bool ir_infer_memory(ir_builder *b, ir_op *op);
bool ir_infer_sync(ir_builder *b, ir_op *op);

/* Sets the type of the op's one result. False when it would be too large. */
bool ir_infer_result(ir_builder *b, ir_op *op, ir_type type);
bool ir_infer_results(ir_builder *b, ir_op *op, const ir_type *types, uint32_t count);

/* Checks that report; all false after a diagnostic. `what` names the part of the op in the message, as "operand 2". */
bool ir_need_count(ir_builder *b, const ir_op *op, uint32_t count);
bool ir_need_class(ir_builder *b, const ir_op *op, ir_dtype dtype, uint32_t classes);
bool ir_need_same_dtype(ir_builder *b, const ir_op *op, uint32_t first, uint32_t second);
bool ir_need_shape(ir_builder *b, const ir_op *op, const char *what, const ir_shape *shape, const char *other,
                   const ir_shape *expected);
bool ir_need_type(ir_builder *b, const ir_op *op, const char *what, const ir_type *type, const ir_type *expected);
bool ir_need_scalar_i32(ir_builder *b, const ir_op *op, const char *what, const ir_type *type);
bool ir_need_tiles(ir_builder *b, const ir_op *op);
bool ir_need_list(ir_builder *b, const ir_op *op, const char *what, const ir_list *list, uint32_t count);
/* Counts a negative axis from the end. */
bool ir_need_axis(ir_builder *b, const ir_op *op, int64_t *axis, uint32_t rank);
/* Every axis in range, none twice. */
bool ir_need_axes(ir_builder *b, const ir_op *op, ir_list *axes, uint32_t rank);
bool ir_need_range(ir_builder *b, const ir_op *op, const char *what, int64_t value, bool ok, const char *expected);

/* Elements, as a size. */
ir_dim ir_count_dim(ir_module *m, const ir_shape *shape);
kiln_str ir_shape_text(ir_module *m, const ir_shape *shape); /* "[8, N]" */
kiln_str ir_any_text(ir_module *m, const ir_type *type);     /* as ir_type_text, and says when it is a ref */

#endif
