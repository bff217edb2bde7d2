/* Private to eval.c and its per-ISA parts (eval_baseline.c, eval_avx2.c, eval_avx512.c). Each part is the template
 * eval_isa.inc compiled for one instruction set; it brings one table of lane loops, by op and by pair of types. */
#ifndef KILN_SRC_IR_EVAL_EVAL_LANES_H
#define KILN_SRC_IR_EVAL_EVAL_LANES_H

#include "ir/eval/eval.h"

typedef struct eval_table {
  const ir_lanes_fn *map[IR_DTYPE_COUNT]; /* by operand type, then op; NULL where the row does not accept the type */
  const ir_lanes_fn
      *vector[IR_DTYPE_COUNT]; /* elementary functions from the vector library; before `map` where there is one */
  const ir_lanes_fn (*ones[IR_DTYPE_COUNT])[2]; /* by operand type, op, and which operand is one element */
  const ir_lanes_fn *reduce[IR_DTYPE_COUNT];    /* by operand type, then reduction; NULL for narrow floats */
  ir_lanes_fn splat[IR_DTYPE_COUNT];
  const ir_lanes_fn *convert[IR_DTYPE_COUNT]; /* from, then to */
} eval_table;

extern const eval_table eval_baseline;
#if defined(KILN_EVAL_X86)
extern const eval_table eval_avx2;   /* AVX2, FMA, F16C; contraction stays off, so that numbers do not change */
extern const eval_table eval_avx512; /* F, DQ, BW, VL */
#endif

#endif
