/* stage_outputs: an output block that a loop updates in place is kept in scratch while the loop runs.
 *
 *   let yb = view y[i * 8 : 8, :]              let yb = view y[i * 8 : 8, :]
 *   for k in 0 .. 4 {                          scratch yb_2: f32[8, 64] in acc
 *     yb[...] = yb[...] + f(k)                 yb_2[...] = yb[...]
 *   }                                          for k in 0 .. 4 {
 *                                                yb_2[...] = yb_2[...] + f(k)
 *                                              }
 *                                              yb[...] = yb_2[...]
 *
 * promote_scratch then carries it as a value, and what the first trip overwrites is never read.
 *
 * - Every access in the loop to the parameter (or one that shares its memory) is whole, through one view made outside.
 * - The view is not at an edge: what is read back from outside an array is the fill value, not what was written.
 * - The loop runs at least once, and one of the writes happens in every trip: so the write at the end adds no race. */
#include "pass/util.h"

enum { MAX_TRIES = 64 }; /* stores of one loop, each of which walks it */

typedef struct staging {
  pass_ctx *c;
  bool changed;
} staging;

/* What a loop does to one ref. */
typedef struct traffic {
  const ir_kernel *kernel;
  ir_value *ref; /* the view */
  const ir_value *root;
  const ir_op *loop;
  bool reads, writes_always, other;
} traffic;

static bool note_access(void *user, ir_op *op) {
  traffic *t = user;
  if (op->code == IR_while) t->other = true; /* its condition cannot carry what it writes */
  if (!(ir_op_get(op->code)->effects & E_INDEXES) || op->code == IR_view) return true;
  if (!pass_share_memory(t->kernel, t->root, ir_root_ref(op->operands[0]))) return true;
  if (op->operands[0] != t->ref || !pass_whole_access(op)) t->other = true;
  if (op->code == IR_load)
    t->reads = true;
  else if (op->parent == t->loop->regions[0])
    t->writes_always = true;
  return true;
}

static bool made_outside(const ir_op *loop, const ir_value *ref) {
  for (const ir_region *r = ref->def ? ref->def->parent : NULL; r; r = r->owner ? r->owner->parent : NULL)
    if (r == loop->regions[0]) return false;
  return true;
}

static bool runs(const ir_op *loop) {
  int64_t begin, end;
  return pass_integer(loop->operands[0], &begin) && pass_integer(loop->operands[1], &end) && begin < end;
}

static void copy_whole(ir_builder *b, ir_value *from, ir_value *to) {
  pass_store_whole(b, to, pass_load_whole(b, from));
}

static void stage(staging *s, ir_op *loop, ir_value *ref) {
  ir_builder b = pass_before(s->c, loop);
  ir_value *scratch = pass_scratch(&b, IR_SPACE_ACC, ref->type.dtype, &ref->type.shape, ref->name);
  copy_whole(&b, ref, scratch);
  pass_replace_within(loop->regions[0], ref, scratch);
  b.before = loop->next;
  copy_whole(&b, scratch, ref);
  s->changed = true;
}

/* Whatever is stored at the top of the loop's body, in every trip. */
static void stage_loop(staging *s, ir_op *loop) {
  uint32_t tries = 0;
  for (ir_op *op = loop->regions[0]->first; op && tries < MAX_TRIES; op = op->next) {
    if (op->code != IR_store || !pass_whole_access(op) || !made_outside(loop, op->operands[0])) continue;
    traffic t = {.kernel = s->c->kernel, .ref = op->operands[0], .loop = loop};
    t.root = ir_root_ref(t.ref);
    if (!pass_param_of(t.kernel, t.root) || pass_at_edge(t.ref)) continue;
    ir_walk(loop->regions[0], note_access, &t);
    tries++;
    if (t.reads && t.writes_always && !t.other) stage(s, loop, t.ref);
  }
}

/* Inner loops first: their copies are what the loops around them do in every trip, so that these can stage in turn. */
static void stage_region(staging *s, ir_region *region) {
  for (ir_op *op = region->first; op; op = op->next) {
    for (uint32_t r = 0; r < op->region_count; r++) stage_region(s, op->regions[r]);
    if (op->code == IR_for && runs(op)) stage_loop(s, op);
  }
}

bool pass_stage_outputs(pass_ctx *c) {
  staging s = {c, false};
  if (!c->target->check && !pass_has_roles(c->kernel)) stage_region(&s, c->kernel->body);
  return s.changed;
}
