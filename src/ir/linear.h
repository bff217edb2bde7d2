/* Linear maps over bits, and layouts made of them: which lane and register holds which element of a tile.
 *
 * An index below 2^n is a vector of n bits; a linear map sends each input bit to a set of output bits (its basis
 * vector) and an index to the exclusive or of the basis vectors of its bits (Zhou and others, "Linear Layouts", arXiv
 * 2505.23819). A layout maps (register, lane) to the coordinates of a tile whose extents are rounded up to powers of
 * two. Input bits: registers lowest, then lanes. Output bits: the last axis lowest. A zero basis vector means that the
 * bit only makes copies. */
#ifndef KILN_SRC_IR_LINEAR_H
#define KILN_SRC_IR_LINEAR_H

#include "base/str.h"
#include "kiln/kernel.h"

#define LINEAR_BITS 48

typedef struct linear {
  uint32_t in, out;            /* bits */
  uint64_t basis[LINEAR_BITS]; /* the image of each input bit */
} linear;

uint64_t linear_apply(const linear *matrix, uint64_t index);
/* second(first(index)); first->out must be second->in. */
linear linear_compose(const linear *first, const linear *second);
uint32_t linear_rank(const linear *matrix);
bool linear_is_injective(const linear *matrix);
bool linear_is_surjective(const linear *matrix);
/* A right inverse: matrix(inverse(x)) = x, the smallest preimage in the order of the pivots. False when some x is never
 * reached. */
bool linear_invert(const linear *matrix, linear *inverse);

typedef struct layout {
  linear map;
  uint32_t register_bits, lane_bits; /* register_bits + lane_bits = map.in */
  uint32_t rank;
  uint32_t bits[KILN_MAX_RANK]; /* of each axis; their sum is map.out */
} layout;

/* Number of bits that a coordinate below `extent` needs. */
uint32_t layout_axis_bits(int64_t extent);

/* The layout for streaming through memory: packets of 2^vector_bits elements along the last axis in one register group,
 * then lanes along the last axis and outwards, then registers for the rest. Lanes left over hold copies. */
layout layout_stream(const int64_t *extents, uint32_t rank, uint32_t lane_bits, uint32_t vector_bits);

/* The coordinates of element (register, lane). */
void layout_at(const layout *l, uint32_t reg, uint32_t lane, int64_t *coordinates);
/* The coordinate of one axis of packed output bits. */
int64_t layout_axis(const layout *l, uint64_t packed, uint32_t axis);

/* What an operand must look like when the result has layout `l`:
 * of a reduction or the operand of a broadcast: the axis is dropped, its bits become copies. */
layout layout_drop(const layout *l, uint32_t axis);
/* the axis of extent 2^bits put in before `axis`, held whole by every register and lane (no basis vector reaches it).
 */
layout layout_insert(const layout *l, uint32_t axis, uint32_t bits);
/* result axis k is axis axes[k] of `l`. */
layout layout_transpose(const layout *l, const uint32_t *axes);
/* the same elements in row-major order under other extents, all powers of two; false when the counts differ. */
bool layout_reshape(const layout *l, const uint32_t *bits, uint32_t rank, layout *out);
/* Without the register bits that only make copies. */
layout layout_compact(const layout *l);

/* Lane bits along which elements differ: a reduction over the whole tile joins lanes over just these. */
uint32_t layout_lane_mask(const layout *l);

/* How to get layout `to` from layout `from`: (register, lane) of `to` -> (register, lane) of `from`; false when `from`
 * lacks an element. The conversion stays in the lane when convert_is_local. */
bool layout_convert(const layout *from, const layout *to, linear *out);
bool layout_convert_is_local(const layout *from, const layout *to, const linear *conversion);

/* As "registers (0, 1) (0, 2) lanes (0, 4) (1, 0)": the coordinates that each bit adds. */
void layout_print(text *out, const layout *l);

#endif
