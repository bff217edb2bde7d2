/* Shared by the printer's files. Private to src/ir. */
#ifndef KILN_SRC_IR_TEXT_PRINT_H
#define KILN_SRC_IR_TEXT_PRINT_H

#include "ir/ir.h"

typedef struct printer {
  text *text;
  const ir_kernel *kernel;
  kiln_str *names; /* by value id */
  uint32_t indent;
  const origin *from; /* what was printed last was made of this; NULL: of nothing else */
} printer;

/* Names for all values: as written where they can be kept, t0, t1, .. else; no two alike. */
kiln_str *print_names(arena *a, const ir_kernel *k);

bool print_inline(const ir_value *v); /* a constant or size without a name: has no line of its own */
void print_value(printer *p, const ir_value *v);
void print_weak(printer *p, const ir_value *v); /* where the parser knows the type: a constant as a bare literal */
void print_literal(text *t, ir_dtype dtype, uint64_t bits);
void print_expression(printer *p, const ir_op *op);   /* of a pure op, load or view */
void print_ops(printer *p, const ir_region *r);       /* one a line */
void print_teams(printer *p);                         /* the headers of them */
void print_sync_scratch(printer *p, const ir_op *op); /* what follows the type of a barrier or semaphore */
bool print_sync(printer *p, const ir_op *op);         /* what units tell one another; false: no such op */
bool print_map_inline(const ir_region *region);       /* whether an index map is written as expressions */

#endif
