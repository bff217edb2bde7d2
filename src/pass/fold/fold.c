/* fold: constants are computed, identities applied, equal pure ops joined, known branches and short loops opened, and
 * what nobody uses is dropped; over and over until nothing changes.
 *
 *   let n = 4 * 2                              let v = load x[i * 8 : 8, :]
 *   let v = x[i * n : 8, :]                    y[i * 8 : 8, :] = v
 *   let w = x[i * n : 8, :] * 1.0
 *   when n == 8 { y[i * n : 8, :] = w }
 *
 * - Only rules that keep every bit of every result.
 * - One walk is linear in the kernel: see pass_renames.
 * - Reads of parameters that nobody writes count as pure.
 * - It ends: every round makes the kernel smaller, or moves constants to the right and together; the rounds are
 * bounded. */
#include "pass/fold/fold.h"

#include <string.h>

enum { MAX_ROUNDS = 16, FEWEST_BUCKETS = 64 };

typedef struct seen_op {
  ir_op *op;
  uint64_t hash;
  uint32_t next; /* in its bucket, + 1; 0 ends */
} seen_op;

typedef struct folder {
  ir_builder b;
  ir_kernel *kernel;
  arena *arena;
  pass_renames renames;
  VEC(seen_op) seen; /* pure ops of this region and those around it */
  uint32_t *buckets;
  uint32_t bucket_count; /* a power of two, no fewer than there are values */
  bool changed;
} folder;

static void replace(folder *f, const ir_value *v, ir_value *by) {
  pass_rename(&f->renames, v, by);
  f->changed = true;
}

/* ---- equal ops ---- */

/* Whether two runs of the op with the same operands give the same. */
static bool repeatable(const folder *f, const ir_op *op) {
  if (pass_pure(op)) return true;
  return op->code == IR_load && pass_read_only(f->kernel, ir_root_ref(op->operands[0]));
}

static uint64_t hash_op(const ir_op *op) {
  uint64_t hash = hash_bytes(&op->code, sizeof op->code, op->operand_count);
  for (uint32_t i = 0; i < op->operand_count; i++) hash = hash_bytes(&op->operands[i]->id, sizeof(uint32_t), hash);
  return op->attrs ? hash_bytes(op->attrs, sizeof *op->attrs, hash) : hash;
}

static bool equal_ops(const ir_op *a, const ir_op *b) {
  if (a->code != b->code || a->operand_count != b->operand_count || !a->attrs != !b->attrs) return false;
  for (uint32_t i = 0; i < a->operand_count; i++)
    if (a->operands[i] != b->operands[i]) return false;
  return !a->attrs || memcmp(a->attrs, b->attrs, sizeof *a->attrs) == 0;
}

/* The equal op that stands before, or NULL after noting this one. */
static ir_op *find_or_note(folder *f, ir_op *op) {
  uint64_t hash = hash_op(op);
  uint32_t *bucket = &f->buckets[hash & (f->bucket_count - 1)];
  for (uint32_t at = *bucket; at; at = f->seen.data[at - 1].next) {
    const seen_op *entry = &f->seen.data[at - 1];
    if (entry->hash == hash && equal_ops(entry->op, op)) return entry->op;
  }
  VEC_PUSH(f->arena, &f->seen, (seen_op){op, hash, *bucket});
  *bucket = (uint32_t)f->seen.count;
  return NULL;
}

static void forget_since(folder *f, size_t mark) {
  while (f->seen.count > mark) {
    const seen_op *entry = &f->seen.data[--f->seen.count];
    f->buckets[entry->hash & (f->bucket_count - 1)] = entry->next;
  }
}

/* ---- the walk ---- */

static void at_op(folder *f, ir_op *op) {
  f->b.region = op->parent;
  f->b.before = op;
  f->b.loc = op->loc;
}

static void fold_value_op(folder *f, ir_op *op) {
  at_op(f, op);
  ir_value *value = NULL;
  f->changed |= fold_mask(&f->b, op, &value);
  if (op->result_count == 0) return;
  if (!value && pass_pure(op)) value = fold_constant(&f->b, op);
  if (!value && pass_pure(op)) value = fold_identity(&f->b, op);
  if (!value && pass_pure(op)) value = fold_comparison(&f->b, op);
  if (!value) {
    ir_op *twin = repeatable(f, op) ? find_or_note(f, op) : NULL;
    if (!twin) return;
    value = twin->results[0];
  }
  if (value->name.size == 0) value->name = op->results[0]->name;
  replace(f, op->results[0], value);
  ir_erase(op);
}

static void fold_region(folder *f, ir_region *region);

/* True when the op has been emptied into its surroundings and erased. */
static bool fold_control_op(folder *f, ir_op *op) {
  bool gone;
  f->changed |= fold_control(&f->renames, op, &gone);
  if (gone)
    ir_erase(op);
  else
    for (uint32_t r = 0; r < op->region_count; r++) fold_region(f, op->regions[r]);
  return gone;
}

static void fold_region(folder *f, ir_region *region) {
  size_t mark = f->seen.count;
  for (ir_op *op = region->first, *next; op; op = next) {
    ir_op *previous = op->prev;
    next = op->next;
    pass_update(&f->renames, op);
    if (op->region_count) {
      /* What it was emptied into is still to be walked. */
      if (fold_control_op(f, op)) next = previous ? previous->next : region->first;
    } else if (op->result_count == 1 || op->code == IR_store) {
      fold_value_op(f, op);
    }
  }
  forget_since(f, mark);
}

static void make_buckets(folder *f) {
  f->bucket_count = FEWEST_BUCKETS;
  while (f->bucket_count < f->kernel->value_count) f->bucket_count *= 2;
  f->buckets = ARENA_ARRAY(f->arena, uint32_t, f->bucket_count);
}

bool pass_fold(pass_ctx *c) {
  ir_kernel *k = c->kernel;
  arena *a = &k->module->arena;
  bool any = false;
  for (uint32_t round = 0; round < MAX_ROUNDS; round++) {
    folder f = {
        .b = {.module = k->module, .kernel = k, .diags = c->diags}, .kernel = k, .arena = a, .renames = {.arena = a}};
    make_buckets(&f);
    fold_region(&f, k->body);
    f.changed |= fold_drop_dead(k->body, c->target->check);
    if (!f.changed) break;
    any = true;
  }
  return any;
}
