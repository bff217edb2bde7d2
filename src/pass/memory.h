/* Who needs which memory when: the lifetimes of a kernel's params, scratch and tiles that loops carry, placed by the
 * allocator. */
#ifndef KILN_SRC_PASS_MEMORY_H
#define KILN_SRC_PASS_MEMORY_H

#include "model/alloc.h"
#include "pass/pass.h"

/* Time is counted in points: one for each op that touches memory, and two for each op with regions, where it is entered
 * and left. Point 0 is the start of the kernel. */
typedef struct memory_point {
  const ir_op *op;
  uint32_t depth; /* ops with regions around it */
  bool leaves;    /* the op's end */
} memory_point;

typedef struct pass_memory {
  machine machine;
  const ir_op **made_by; /* beside items: the scratch, the loop that carries a tile, or NULL for a param */
  memory_point *points;
  uint32_t point_count;
  alloc_report report; /* items: params first, then scratch and carried tiles in order of appearance */
} pass_memory;

/* Scratch on a device is words in what a workgroup shares, or in its slice of a buffer: elements have words of their
 * own, two if they have 64 bits, and four words behind them take the writes that are out of range. The number of words,
 * of which `*spare` is the first behind the elements; 0 for more elements than DEVICE_TILE_MOST. */
enum { DEVICE_TILE_MOST = 1 << 26 };
uint32_t pass_device_words(ir_dtype dtype, int64_t elements, uint32_t *spare);

/* For a bound kernel whose blocks are expanded. Sizes are those of the target. False after a diagnostic. */
bool pass_memory_of(arena *a, const ir_kernel *k, const pass_target *target, diag_sink *diags, pass_memory *out);

#endif
