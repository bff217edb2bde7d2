/* Picks: which elements of a ref an access means, on the way down through the views of it. Shared by pick.c, which
 * knows about places, and expand_views.c, which knows about values. */
#ifndef KILN_SRC_PASS_PICK_H
#define KILN_SRC_PASS_PICK_H

#include "pass/pass.h"

/* An index: value + number, where the value is an i32 tile and a multiple of `factor`, or NULL. */
typedef struct spot {
  ir_value *value;
  int64_t number, factor;
} spot;

/* A *box* has scalar starts, and sizes and strides in the dimensions that are no points. Of *points* every dimension
 * has one, whose start has the shape of the tile, or is the same for all of it. */
typedef struct pick {
  ir_value *ref;
  ir_shape shape; /* of the tile that is read or written: the elements in this order */
  bool points;
  ir_index at[KILN_MAX_RANK]; /* point, size and stride */
  spot start[KILN_MAX_RANK];
  ir_value *inside; /* of that shape: false for elements that lie outside of some view. NULL: none does */
  bool edge;        /* a view on the way may reach outside */
} pick;

pick pick_of(ir_builder *b, const ir_op *access);
ir_shape pick_box(const pick *p);                      /* the shape of what the index picks: of a box, before `shape` */
void pick_to_points(ir_builder *b, pick *p);           /* a box element by element */
void pick_confine(ir_builder *b, pick *p);             /* notes in `inside` what may lie outside of the ref */
pick pick_under_view(ir_builder *b, const pick *p);    /* of what the ref, a `view`, is a part of */
pick pick_under_reshape(ir_builder *b, const pick *p); /* of what the ref is, a `view_as` of one width */
spot pick_scaled(ir_builder *b, spot s, int64_t by);   /* s * by */
spot pick_divided(ir_builder *b, const spot *s, int64_t by); /* s / by, of one that is not negative */
ir_value *pick_value(ir_builder *b, const spot *s);          /* as a tile */
bool pick_multiple(const spot *s, int64_t of);               /* certainly */

#endif
