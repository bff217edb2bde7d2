/* What a kernel says, as text. */
#ifndef KILN_SRC_IR_TEXT_SAY_H
#define KILN_SRC_IR_TEXT_SAY_H

#include "ir/ir.h"

/* A value that is told; `data` has its elements as arrays have them. */
typedef struct ir_said {
  ir_dtype dtype;
  uint32_t rank;
  int64_t dims[KILN_MAX_RANK];
  const void *data;
} ir_said;

ir_said ir_said_of(const ir_type *type); /* without data */
int64_t ir_said_count(const ir_said *value);

/* A line: `{..}` is the next value, `{{` and `}}` are braces; values without a place follow at the end. They are
 * written as NumPy writes them. */
void ir_say(text *t, kiln_str words, const ir_said *values, uint32_t count);

/* A place on an axis: of the parallel grid, of the units of its block, or of the steps that a unit walks. */
typedef enum ir_axis_kind { IR_AXIS_GRID, IR_AXIS_UNITS, IR_AXIS_STEPS } ir_axis_kind;
typedef struct ir_place {
  ir_axis_kind kind;
  kiln_str name;
  int64_t at;
} ir_place;
/* "block 3 (i 1, j 1) unit (t 0) step (k 5)": who did something, as faults and logs name it. */
void ir_say_places(text *t, uint64_t block, const ir_place *places, uint32_t count);
/* "[1, 2]": a shape, or an index; nothing where the rank is 0. */
void ir_say_shape(text *t, uint32_t rank, const int64_t *dims);
/* "full[1, 2]": the element of that number, row-major. */
void ir_say_element(text *t, kiln_str name, uint32_t rank, const int64_t *dims, uint64_t element);
/* "unit (c 0, t 1)", or "the only unit": by its places on the axes of all teams; "unit (c 0, t 1, warp 2)" is a part of
 * it, none where that is negative. */
void ir_say_unit(text *t, const ir_kernel *k, const uint32_t *places, int32_t part);
/* ": phase 2 has 0 of 1 arrivals", of a semaphore ": the count is 0 of 1": how what is waited for stands. */
void ir_say_wait(text *t, ir_kind kind, uint64_t phase, uint64_t have, uint64_t need);
/* "arrivals at full here": how a place is noted that lets others go on. */
void ir_say_help(text *t, ir_kind kind, kiln_str name);

#endif
