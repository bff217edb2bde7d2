/* forward_stores: a block that was just written whole need not be read again, and a write that is written over unseen
 * need not be made.
 *
 *   yb[...] = zero                   yb[...] = zero + x
 *   yb[...] = yb[...] + x
 *
 * - Within one region, in order: what a control op inside it may write is forgotten, what it may read is kept.
 * - Not through views at an edge: what is read back from outside an array is the fill value, not what was written. */
#include "pass/util.h"

enum { MAX_KNOWN = 16 }; /* refs whose contents are known at one time; the oldest goes */

typedef struct known_ref {
  ir_value *ref, *contents;
  ir_op *store; /* the write, while nobody has read it; else NULL */
} known_ref;

typedef struct forwarding {
  const ir_kernel *kernel;
  known_ref known[MAX_KNOWN];
  uint32_t count;
  pass_renames renames;
  bool changed;
} forwarding;

static bool may_overlap(const forwarding *f, const ir_value *a, const ir_value *b) {
  return pass_share_memory(f->kernel, ir_root_ref(a), ir_root_ref(b));
}

static void forget(forwarding *f, uint32_t at) { f->known[at] = f->known[--f->count]; }

/* Something else may have been written to the memory of `ref`. */
static void written(forwarding *f, const ir_value *ref) {
  for (uint32_t i = f->count; i-- > 0;)
    if (may_overlap(f, f->known[i].ref, ref)) forget(f, i);
}

/* Somebody has seen what is there. */
static void seen(forwarding *f, const ir_value *ref) {
  for (uint32_t i = 0; i < f->count; i++)
    if (may_overlap(f, f->known[i].ref, ref)) f->known[i].store = NULL;
}

static known_ref *find(forwarding *f, const ir_value *ref) {
  for (uint32_t i = 0; i < f->count; i++)
    if (f->known[i].ref == ref) return &f->known[i];
  return NULL;
}

static void at_load(forwarding *f, ir_op *op) {
  const known_ref *known = pass_whole_access(op) ? find(f, op->operands[0]) : NULL;
  if (!known || pass_at_edge(op->operands[0])) {
    seen(f, op->operands[0]);
    return;
  }
  pass_rename(&f->renames, op->results[0], known->contents);
  ir_erase(op);
  f->changed = true;
}

static void at_store(forwarding *f, ir_op *op) {
  ir_value *ref = op->operands[0];
  bool whole = pass_whole_access(op);
  known_ref *before = whole ? find(f, ref) : NULL;
  if (before && before->store) {
    ir_erase(before->store);
    f->changed = true;
  }
  written(f, ref);
  if (!whole) return;
  if (f->count == MAX_KNOWN) forget(f, 0);
  f->known[f->count++] = (known_ref){ref, op->operands[1], op};
}

static bool note_inner(void *user, ir_op *op) {
  const uint32_t effects = ir_op_get(op->code)->effects;
  if (!(effects & E_INDEXES)) return true;
  if (effects & E_READS) seen(user, op->operands[0]);
  if (effects & E_WRITES) written(user, op->operands[0]);
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
  forwarding f = {.kernel = c->kernel, .renames = {.arena = &c->kernel->module->arena}};
  if (!c->target->check) forward_region(&f, c->kernel->body);
  return f.changed;
}
