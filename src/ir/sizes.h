/* Symbolic sizes and where their values come from. Private to src/ir; the public road is ir_bind and
 * kiln_kernel_shapes. */
#ifndef KILN_SRC_IR_SIZES_H
#define KILN_SRC_IR_SIZES_H

#include "ir/ir.h"

typedef struct ir_known {
  enum { IR_SIZE_UNKNOWN, IR_SIZE_GIVEN, IR_SIZE_FROM_INPUT } how;
  uint32_t param, axis; /* FROM_INPUT */
} ir_known;

typedef struct ir_size_request {
  const ir_kernel *kernel;
  const kiln_size *sizes;
  size_t size_count;
  const kiln_array *arrays; /* one per param, or NULL: all sizes are given */
  size_t array_count;
  bool check_outputs; /* outputs' entries hold shapes too */
} ir_size_request;

/* Fills one value and origin per symbol (`known` zeroed by the caller). False after diagnostics. */
bool ir_sizes_solve(const ir_size_request *request, diag_sink *diags, int64_t *values, ir_known *known);

#endif
