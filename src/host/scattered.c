/* Elements of a ref that lie at places of their own: loads and stores whose points are tiles, and atomics, which the
 * workers of a launch take turns at. */
#include <string.h>

#include "host/crew/crew.h"

/* The element that is at hand. */
typedef struct element {
  int64_t number;               /* in the tile */
  int64_t index[KILN_MAX_RANK]; /* in the tile */
  int64_t at[KILN_MAX_RANK];    /* in the ref */
  uint8_t *address;             /* NULL: there is none */
  bool outside;                 /* which is a fault */
} element;

static int64_t number_in_arrays(const host_indexed *access, const element *e) {
  int64_t number = 0;
  for (uint32_t k = 0; k < access->arrays_rank; k++)
    number = number * access->sizes[access->arrays_at + k] + e->index[access->arrays_at + k];
  return number;
}

static int64_t coordinate(const host_unit *unit, const host_indexed *access, uint32_t d, const element *e) {
  const struct host_indexed_dim *dim = &access->dims[d];
  int64_t at = dim->start;
  int32_t start;
  if (dim->slot != HOST_NONE) {
    const int64_t number = dim->array ? number_in_arrays(access, e) : 0;
    memcpy(&start, unit->slot[dim->slot] + number * (int64_t)sizeof start, sizeof start);
    at = start;
  }
  return dim->axis == HOST_NONE ? at : at + e->index[dim->axis] * dim->stride;
}

static void find(const host_unit *unit, const host_indexed *access, element *e) {
  const host_box *box = &unit->box[access->from];
  bool exists = access->ref_rank > 0 || box->inside, edge = unit->plan->boxes[access->from].edge;
  int64_t offset = box->offset;
  e->outside = false;
  for (uint32_t d = 0; d < access->ref_rank; d++) {
    const int64_t at = e->at[d] = coordinate(unit, access, d, e);
    const bool in_ref = at >= 0 && at < access->dims[d].extent,
               in_array = in_ref && at >= box->low[d] && at < box->high[d];
    exists = exists && in_array;
    e->outside = e->outside || !in_ref || (!in_array && !edge);
    if (exists) offset += at * access->dims[d].parent_stride;
  }
  e->address = exists ? box->root + offset : NULL;
}

/* ---- what is done with one ---- */

static void put(const host_unit *unit, uint32_t slot, int64_t number, uint32_t bytes, const void *from) {
  if (slot != HOST_NONE) memcpy(unit->slot[slot] + number * (int64_t)bytes, from, bytes);
}

static void read_element(host_unit *unit, const host_indexed *access, const element *e, bool shown) {
  const uint32_t bytes = access->bytes;
  const uint64_t zero = 0;
  const void *from = &zero;
  if (shown)
    from = e->address ? (const void *)e->address : (const void *)&access->fill;
  else if (access->other != HOST_NONE)
    from = unit->slot[access->other] + e->number * (int64_t)bytes;
  put(unit, access->value, e->number, bytes, from);
}

static void change_element(host_unit *unit, const host_indexed *access, const element *e, bool shown) {
  const uint32_t bytes = access->bytes;
  const uint8_t *value = unit->slot[access->value] + e->number * (int64_t)bytes;
  uint64_t old = 0;
  if (shown) memcpy(&old, e->address ? (const void *)e->address : (const void *)&access->fill, bytes);
  put(unit, access->old, e->number, bytes, &old);
  if (!shown || !e->address) return;
  if (access->combine) {
    access->combine(e->address, (const void *const[]){&old, value}, 1);
    return;
  }
  const bool compares = access->expected != HOST_NONE;
  if (!compares || memcmp(&old, unit->slot[access->expected] + e->number * (int64_t)bytes, bytes) == 0)
    memcpy(e->address, value, bytes);
}

/* ---- all of them ---- */

static void check(host_unit *unit, const host_indexed *access, const element *e, const ir_op *op) {
  alloc_block *block = host_block_of(unit, access->from);
  uint64_t where;
  if (e->outside) host_fault(unit, DIAG_out_of_bounds, access->from, e->at, access->ref_rank, op);
  if (!e->address) return;
  const uint64_t offset = (uint64_t)(e->address - unit->box[access->from].root);
  const race_kind kind = op->code == IR_load ? RACE_LOAD : op->code == IR_store ? RACE_STORE : RACE_ATOMIC;
  crew_touch_element(unit, access->from, offset, kind, op);
  if (ir_hands_over(op)) crew_order_element(unit, access->from, offset, (ir_order)op->attrs->order);
  if (!block->shadow) return;
  if (op->code != IR_store && alloc_first_unwritten(block, offset, access->bytes, &where))
    host_fault(unit, DIAG_uninitialized_read, access->from, e->at, access->ref_rank, op);
  if (op->code != IR_load) alloc_mark(block, offset, access->bytes);
}

static void run_all(host_unit *unit, const host_indexed *access, const ir_op *op) {
  const uint8_t *mask = access->mask == HOST_NONE ? NULL : unit->slot[access->mask];
  element e = {.number = 0};
  int64_t count = 1;
  for (uint32_t d = 0; d < access->rank; d++) count *= access->sizes[d];
  for (; e.number < count; e.number++) {
    const bool shown = !mask || mask[e.number];
    find(unit, access, &e);
    if (unit->faults && shown) check(unit, access, &e, op);
    if (op->code == IR_load)
      read_element(unit, access, &e, shown);
    else
      change_element(unit, access, &e, shown);
    for (uint32_t d = access->rank; d-- > 0 && ++e.index[d] == access->sizes[d];) e.index[d] = 0;
  }
}

/* Told by the first element, where there are several. */
static host_status hand_over(host_unit *unit, const host_indexed *access, const ir_op *op) {
  element e = {.number = 0};
  uint64_t before = 0;
  find(unit, access, &e);
  if (access->old != HOST_NONE) memcpy(&before, unit->slot[access->old], access->bytes);
  return crew_hand_over(unit, e.address, before, (ir_order)op->attrs->order);
}

host_status host_run_indexed(host_unit *unit, const host_indexed *access, const ir_op *op) {
  if (op->code == IR_atomic) mutex_lock(unit->plan->turns->lock);
  run_all(unit, access, op);
  if (op->code == IR_atomic) mutex_unlock(unit->plan->turns->lock);
  return unit->member && ir_hands_over(op) ? hand_over(unit, access, op) : HOST_RUNNING;
}
