/* What a kernel says, as text. */
#ifndef KILN_SRC_IR_SAY_H
#define KILN_SRC_IR_SAY_H

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

#endif
