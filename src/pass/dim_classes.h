/* Which dimensions of which values of a kernel are one and the same dimension: classes of a union-find over (value,
 * dimension). A class is *fixed* when its elements depend on one another (reduced, scanned, contracted, reversed,
 * indexed by a point), else every element of it could be computed elsewhere. */
#ifndef KILN_SRC_PASS_DIM_CLASSES_H
#define KILN_SRC_PASS_DIM_CLASSES_H

#include "ir/ir.h"

typedef struct dim_class {
  uint32_t parent;
  int64_t extent;
  bool fixed;
  bool dot_rows, dot_columns; /* free dimension of a dot's left, right operand */
  bool fastest;               /* last dimension of an access to a parameter */
} dim_class;

typedef struct dim_classes {
  dim_class *at; /* value id * KILN_MAX_RANK + dimension */
  size_t count;
} dim_classes;

dim_classes dim_classes_of(ir_kernel *k);
uint32_t dim_classes_root(const dim_classes *c, const ir_value *v, uint32_t dimension);
bool dim_classes_has(const dim_classes *c, const ir_value *v,
                     uint32_t root); /* one of v's dimensions is of that class */

/* Accesses: the dimension of the result (or stored tile) that index `i` of a load, store or view makes; -1 for a point.
 */
int32_t access_dimension(const ir_op *op, uint32_t i);
const ir_value *access_tile(const ir_op *op);      /* the loaded or stored tile, or the view */
bool access_is_whole(const ir_op *op, uint32_t i); /* the full extent of a ref that is no parameter */
bool ref_is_param(const ir_value *ref);

#endif
