/* The C cells of tile_ops.def as loops over lanes: the meaning of every elementwise op, shared by the folder and the
 * executor. Compiled once per instruction set of the host CPU and chosen at run time; results do not depend on the
 * choice, except within the row's host_ulp for elementary functions. */
#ifndef KILN_SRC_IR_EVAL_EVAL_H
#define KILN_SRC_IR_EVAL_EVAL_H

#include "ir/ir.h"

/* out[i] = op(in[0][i], in[1][i], ..) for i < count. Buffers are dense, of the op's element types (bool: one byte),
 * `out` may be one of `in`. */
typedef void (*ir_lanes_fn)(void *out, const void *const *in, size_t count);

/* The loop for a MAP op on operands of `dtype` (select: of its value operands); NULL when the row does not accept the
 * type. */
ir_lanes_fn ir_lanes(ir_code code, ir_dtype dtype);
/* The same where in[operand], 0 or 1, is one element that all lanes share; NULL where there is no such loop. */
ir_lanes_fn ir_lanes_one(ir_code code, ir_dtype dtype, uint32_t operand);
/* The loop that reduces: out[0] = in[0][0] + .. + in[0][count - 1], count at least 1. NULL for argmax and argmin, and
 * when the row does not accept the type. Narrow floats are rounded at every step, those of a byte have no loop: reduce
 * all of them in f32. */
ir_lanes_fn ir_reduce_lanes(ir_code code, ir_dtype dtype);
/* out[i] = in[0][0]. */
ir_lanes_fn ir_splat_lanes(ir_dtype dtype);
/* The loop for convert; never NULL. */
ir_lanes_fn ir_convert_lanes(ir_dtype from, ir_dtype to);

/* Ops whose result, a scalar or the same everywhere, follows from the bits of up to three such operands: literals,
 * sizes, MAP ops and conversions. ir_eval_one: false when the row does not accept the type. Little endian: an element
 * is the low bytes of its word. */
bool ir_evals_one(const ir_op *op);
bool ir_eval_one(const ir_op *op, const uint64_t in[3], uint64_t *bits);
/* What a reduction or scan starts with, as bits. */
uint64_t ir_identity_bits(ir_code code, ir_dtype dtype);
/* The same as bits of the wider type `to` that elements of `dtype` are combined in. */
uint64_t ir_identity_bits_as(ir_code code, ir_dtype dtype, ir_dtype to);

/* For tests: the same loops by instruction set, 0 (baseline) .. count - 1 (the one in use). */
size_t ir_eval_set_count(void);
ir_lanes_fn ir_eval_set_lanes(size_t set, ir_code code, ir_dtype dtype);
ir_lanes_fn ir_eval_set_one(size_t set, ir_code code, ir_dtype dtype, uint32_t operand);
ir_lanes_fn ir_eval_set_convert(size_t set, ir_dtype from, ir_dtype to);

#endif
