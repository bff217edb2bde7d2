/* The machinery behind ir_clone_region, for binding. Private to src/ir. */
#ifndef KILN_SRC_IR_CLONE_H
#define KILN_SRC_IR_CLONE_H

#include "ir/ir.h"

typedef struct ir_cloner {
  ir_builder *builder;
  ir_value **map;                      /* by old id; NULL: the value itself */
  ir_dim (*dim)(void *user, ir_dim d); /* NULL: sizes stay */
  void *user;
  const source *source; /* NULL: places stay */
} ir_cloner;

/* Copies the ops of `from` to the builder's place. False after a diagnostic: a copied op no longer fits its types. */
bool ir_clone_ops(const ir_cloner *c, const ir_region *from);
ir_type ir_clone_type(const ir_cloner *c, const ir_type *type);

#endif
