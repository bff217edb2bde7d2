/* A small vocabulary for writing ops as simpler ones: what expand_ops.c and its expand_*.c files share. */
#ifndef KILN_SRC_PASS_EXPAND_EXPAND_H
#define KILN_SRC_PASS_EXPAND_EXPAND_H

#include "pass/pass.h"

typedef ir_value *val;

typedef struct expansion {
  ir_builder *b; /* in front of the op */
  const ir_op *op;
  uint32_t target; /* P_HOST or P_SPIRV */
  val *results;    /* what stands for the op's results */
} expansion;

/* False: the op stays. */
#define EXPAND_OP(op, function) bool function(expansion *x);
#include "pass/expand/expand_ops.def"
#undef EXPAND_OP

val expand_int(ir_builder *b, const ir_shape *shape, int64_t value); /* i32 everywhere */
val expand_iota(ir_builder *b, const ir_shape *shape, int64_t axis); /* i32 */
val expand_reshape(ir_builder *b, val v, const ir_shape *shape);
val expand_bitcast(ir_builder *b, val v, ir_dtype dtype); /* of the same width; v itself when already so */
ir_dtype expand_word(ir_dtype dtype);                     /* the unsigned type of the same width */
val expand_slice(ir_builder *b, val v, uint32_t axis, int64_t start, int64_t size); /* along one axis */
val expand_clamp(ir_builder *b, val v, int64_t low, int64_t high);                  /* i32 */
val expand_within(ir_builder *b, val v, int64_t low, int64_t high);                 /* low <= v & v <= high, i32 */
/* Elements of `v` at the indices: one tile per axis, all of one shape. */
val expand_take(ir_builder *b, val v, const val *indices);

/* for i in 0 .. count, with the builder inside until expand_loop_end; the tiles `carried` become what the loop carries,
 * and at the end what it results in. */
typedef struct expand_loop {
  ir_builder outer;
  ir_region *body;
  val begin, end, index;
} expand_loop;
expand_loop expand_loop_begin(ir_builder *b, val begin, val end, val *carried, uint32_t count);
void expand_loop_end(ir_builder *b, expand_loop *loop, const val *inits, val *carried, uint32_t count);

#endif
