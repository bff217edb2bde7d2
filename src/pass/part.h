/* The part of a memory that a load or store touches: a start and a size along each dimension of a ref, which is looked
 * for below one view. Of two parts of one ref it may be known that one lies in the other, or that they have nothing in
 * common. */
#ifndef KILN_SRC_PASS_PART_H
#define KILN_SRC_PASS_PART_H

#include "pass/util.h"

typedef struct part_dim {
  const ir_value *start; /* NULL: a number */
  int64_t number, size;
  bool point; /* dropped from the tile's shape */
} part_dim;

typedef struct part {
  ir_value *ref;
  uint32_t rank;
  part_dim dims[KILN_MAX_RANK];
} part;

/* False: it is no such access, is masked, or takes its places from arrays, by strides or beyond an edge. */
bool part_of(const ir_op *op, part *out);
bool part_same(const part *a, const part *b);
bool part_within(const part *inner, const part *outer);
bool part_apart(const part *a, const part *b); /* of one ref, and surely */

ir_value *part_view(ir_builder *b, const part *from); /* a view of its ref */

/* The tile of `inner` out of that of `outer`: the same, or, where that was loaded, loaded there as well. Else NULL. */
ir_value *part_take(ir_builder *b, ir_value *tile, const part *inner, const part *outer, const ir_shape *shape);

#endif
