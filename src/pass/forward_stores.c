/* forward_stores: a part of memory that was just written need not be read again, and a write that is written over
 * unseen need not be made.
 *
 *   yb[...] = zero                   yb[...] = zero + x
 *   yb[...] = yb[...] + x
 *
 * - Within one region, in order: what a control op inside it may write is forgotten, what it may read is kept.
 * - Not through views at an edge: what is read back from outside an array is the fill value, not what was written. */
#include "pass/part.h"
#include "pass/util.h"

enum { MAX_KNOWN = 16 }; /* parts whose contents are known at one time; the oldest goes */

typedef struct known_part {
  part where;
  ir_value *contents;
  ir_op *store; /* the write, while nobody has read it; else NULL */
} known_part;

typedef struct forwarding {
  pass_ctx *c;
  known_part known[MAX_KNOWN];
  uint32_t count;
  pass_renames renames;
  bool changed;
} forwarding;

/* `where` NULL: anywhere in the memory of `ref`. */
static bool may_overlap(const forwarding *f, const known_part *known, const ir_value *ref, const part *where) {
  if (where && part_apart(where, &known->where)) return false;
  return pass_share_memory(f->c->kernel, ir_root_ref(known->where.ref), ir_root_ref(ref));
}

static void forget(forwarding *f, uint32_t at) { f->known[at] = f->known[--f->count]; }

/* Something else may have been written to the memory of `ref`. */
static void written(forwarding *f, const ir_value *ref, const part *where) {
  for (uint32_t i = f->count; i-- > 0;)
    if (may_overlap(f, &f->known[i], ref, where)) forget(f, i);
}

/* Somebody has seen what is there. */
static void seen(forwarding *f, const ir_value *ref, const part *where) {
  for (uint32_t i = 0; i < f->count; i++)
    if (may_overlap(f, &f->known[i], ref, where)) f->known[i].store = NULL;
}

static void at_load(forwarding *f, ir_op *op) {
  part where;
  const bool clear = part_of(op, &where);
  for (uint32_t i = 0; clear && i < f->count; i++) {
    const known_part *known = &f->known[i];
    if (!part_within(&where, &known->where)) continue;
    ir_builder b = pass_before(f->c, op);
    ir_value *tile = part_take(&b, known->contents, &where, &known->where, &op->results[0]->type.shape);
    if (!tile) continue;
    pass_rename(&f->renames, op->results[0], tile);
    ir_erase(op);
    f->changed = true;
    return;
  }
  seen(f, op->operands[0], clear ? &where : NULL);
}

static void at_store(forwarding *f, ir_op *op) {
  part where;
  const bool clear = part_of(op, &where);
  for (uint32_t i = 0; clear && i < f->count; i++) {
    if (!f->known[i].store || !part_same(&where, &f->known[i].where)) continue;
    ir_erase(f->known[i].store);
    f->changed = true;
  }
  written(f, op->operands[0], clear ? &where : NULL);
  if (!clear) return;
  if (f->count == MAX_KNOWN) forget(f, 0);
  f->known[f->count++] = (known_part){where, op->operands[1], op};
}

static bool note_inner(void *user, ir_op *op) {
  const uint32_t effects = ir_op_get(op->code)->effects;
  if (ir_hands_over(op)) ((forwarding *)user)->count = 0; /* others may have seen everything, and written */
  if (!(effects & E_INDEXES)) return true;
  if (effects & E_READS) seen(user, op->operands[0], NULL);
  if (effects & E_WRITES) written(user, op->operands[0], NULL);
  return true;
}

static void forward_region(forwarding *f, ir_region *region) {
  f->count = 0;
  for (ir_op *op = region->first, *next; op; op = next) {
    next = op->next;
    pass_update(&f->renames, op);
    if (op->code == IR_load)
      at_load(f, op);
    else if (op->code == IR_store)
      at_store(f, op);
    else
      note_inner(f, op);
    for (uint32_t r = 0; r < op->region_count; r++) ir_walk(op->regions[r], note_inner, f);
  }
  for (ir_op *op = region->first; op; op = op->next)
    for (uint32_t r = 0; r < op->region_count; r++) forward_region(f, op->regions[r]);
}

bool pass_forward_stores(pass_ctx *c) {
  forwarding f = {.c = c, .renames = {.arena = &c->kernel->module->arena}};
  if (!c->target->check) forward_region(&f, c->kernel->body);
  return f.changed;
}
