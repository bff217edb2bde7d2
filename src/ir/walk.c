/* Visiting every op, outer before inner. The next op is read before the visit, so that a visitor may erase the op it is
 * given. And what is asked of ops and kernels again and again: what is written, whether units order themselves. */
#include "ir/ir.h"

bool ir_walk(ir_region *region, ir_visit_fn fn, void *user) {
  for (ir_op *op = region->first, *next; op; op = next) {
    next = op->next;
    if (!fn(user, op)) return false;
    if (!op->parent) continue; /* erased */
    for (uint32_t i = 0; i < op->region_count; i++) {
      if (!ir_walk(op->regions[i], fn, user)) return false;
    }
  }
  return true;
}

bool ir_walk_kernel(ir_kernel *k, ir_visit_fn fn, void *user) {
  for (uint32_t i = 0; i < k->block_count; i++) {
    if (k->blocks[i].map && !ir_walk(k->blocks[i].map, fn, user)) return false;
  }
  return !k->body || ir_walk(k->body, fn, user);
}

ir_value *ir_written_ref(const ir_op *op) {
  if (!(ir_op_get(op->code)->effects & E_WRITES)) return NULL;
  return op->operands[op->code == IR_copy ? 1 : 0];
}

static bool orders_nothing(void *user, ir_op *op) {
  (void)user;
  return !(ir_op_get(op->code)->effects & E_SYNC);
}

bool ir_orders_units(const ir_op *op) {
  bool orders = ir_op_get(op->code)->effects & E_SYNC;
  for (uint32_t i = 0; i < op->region_count && !orders; i++) orders = !ir_walk(op->regions[i], orders_nothing, NULL);
  return orders;
}

bool ir_hands_over(const ir_op *op) { return op->code == IR_atomic && op->attrs->order != IR_ORDER_NONE; }

bool ir_copies_to_blocks(const ir_op *op) {
  return op->code == IR_copy && op->attrs->across && op->attrs->way == IR_WAY_ALL &&
         op->operands[1]->type.space == IR_SPACE_TMEM;
}

bool ir_is_crew(const ir_kernel *k) { return k->team_count > 0 || !ir_walk(k->body, orders_nothing, NULL); }

static bool ends_region(const ir_op *op) { return !op->next || op->next->code == IR_yield; }

bool ir_lives_to_end(const ir_kernel *k, const ir_op *op) {
  const ir_region *region = op->parent;
  while (region->owner && region->owner->code == IR_scope && ends_region(region->owner)) region = region->owner->parent;
  return region == k->body && !op->attrs->inner;
}
