/* Writing the text of one unit. Private to write.c, home.c and peers.c. */
#ifndef KILN_SRC_PASS_ROLES_WRITE_H
#define KILN_SRC_PASS_ROLES_WRITE_H

#include "pass/roles/roll.h"

/* A loop that is being written, and the number that its index has in the first round. */
typedef struct write_loop {
  ir_value *index;
  int64_t first;
} write_loop;

typedef struct writer {
  roles *r;
  ir_builder b;         /* where the text goes on */
  ir_builder top;       /* where memory is declared */
  ir_value ***memory;   /* by scratch and owner */
  ir_value **slots;     /* by unit and slot: what values lie in between pieces */
  ir_value **map;       /* by old id: what stands for a value in this piece */
  VEC(uint32_t) mapped; /* those ids */
  VEC(write_loop) loops;
  const roll_node *at; /* the piece */
  const roles_unit *unit;
} writer;

/* home.c: what stands for a value of a unit, and the memory of what outlives its piece */
ir_value *write_value(writer *w, ir_value *v);
void write_map(writer *w, const ir_value *v, ir_value *to);
void write_forget(writer *w);                       /* at the end of a piece */
ir_value *write_slot(writer *w, const ir_value *v); /* NULL: it needs none */

/* peers.c: the memory of all blocks of a launch is one array, and each has a row of it */
ir_value *write_blocks(writer *w, const ir_op *scratch);
ir_value *write_row(ir_builder *b, ir_value *all, ir_value *block, int64_t number); /* `block` NULL: the number */
void write_peers(writer *w);

#endif
