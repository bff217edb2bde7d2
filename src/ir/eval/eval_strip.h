/* Private to eval_isa.inc: lane loops made of others, strip by strip through f32. */
#ifndef KILN_SRC_IR_EVAL_EVAL_STRIP_H
#define KILN_SRC_IR_EVAL_EVAL_STRIP_H

#include "ir/eval/eval.h"

enum { EVAL_STRIP = 256, EVAL_STRIP_OPERANDS = 3 };

/* Elements of `bytes` bytes are widened, go through one f32 loop and are rounded once. Without `narrow` the loop's
 * results are bools. */
static inline void eval_through_f32(void *to, const void *const *in, size_t count, size_t arity, size_t bytes,
                                    ir_lanes_fn widen, ir_lanes_fn loop, ir_lanes_fn narrow) {
  float wide[EVAL_STRIP_OPERANDS][EVAL_STRIP];
  const size_t out_bytes = narrow ? bytes : 1;
  for (size_t at = 0; at < count; at += EVAL_STRIP) {
    size_t part = count - at < EVAL_STRIP ? count - at : EVAL_STRIP;
    char *out = (char *)to + at * out_bytes;
    for (size_t k = 0; k < arity; k++) widen(wide[k], &(const void *){(const char *)in[k] + at * bytes}, part);
    loop(narrow ? (void *)wide[0] : out, (const void *const[]){wide[0], wide[1], wide[2]}, part);
    if (narrow) narrow(out, &(const void *){wide[0]}, part);
  }
}

/* A conversion in two steps. */
static inline void eval_convert_twice(void *to, const void *from, size_t count, size_t to_bytes, size_t from_bytes,
                                      ir_lanes_fn to_f32, ir_lanes_fn from_f32) {
  float wide[EVAL_STRIP];
  for (size_t at = 0; at < count; at += EVAL_STRIP) {
    size_t part = count - at < EVAL_STRIP ? count - at : EVAL_STRIP;
    to_f32(wide, &(const void *){(const char *)from + at * from_bytes}, part);
    from_f32((char *)to + at * to_bytes, &(const void *){wide}, part);
  }
}

#endif
