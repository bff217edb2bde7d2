/* Giving classes of dimensions another extent, in every type and attribute of the body. */
#ifndef KILN_SRC_PASS_RESIZE_H
#define KILN_SRC_PASS_RESIZE_H

#include "pass/dim_classes.h"
#include "pass/util.h"

typedef struct resizing {
  pass_ctx *c;
  dim_classes classes; /* before the change */
  int64_t *extent;     /* by root slot: the new one; 0: stays */
  ir_value **offset;   /* by root slot: what is added to the starts of accesses, in elements; NULL: nothing */
} resizing;

resizing resizing_of(pass_ctx *c);
uint32_t resize_root(const resizing *r, const ir_value *v, uint32_t dimension); /* UINT32_MAX: stays */
void resize_body(const resizing *r);

#endif
