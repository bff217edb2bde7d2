/* Memory, barriers and semaphores that are new in each trip of a loop. They are there once for all trips, so those of a
 * block's roles that share them meet before each: then all have left the trip before, and counters begin again.
 *
 *   for k in 0 .. 4 {                         for k in 0 .. 4 {
 *     scratch s: f32[8]                         arrive anew  wait anew
 *     scratch full: barrier          becomes    full = 0, as each role counts it
 *     when t == 0 { s[..] = ..  arrive full }   when t == 0 { s[..] = ..  arrive full }
 *     when t == 1 { wait full  .. s[..] }       when t == 1 { wait full  .. s[..] }
 *   }                                         }
 *
 * All who wait at the meeting go on in one round, and have heard all that was told in the trip before. */
#include "pass/roles/phase.h"

bool phase_is_renewed(const ir_op *scratch) {
  for (const ir_op *owner = scratch->parent->owner; owner; owner = owner->parent->owner)
    if (owner->code == IR_for || owner->code == IR_while) return !phase_is_own(scratch->results[0]);
  return false;
}

/* ---- who shares ---- */

/* A scratch of the kernel's text, and what it is in each role's; NULL where that does not name it. */
typedef struct renewed {
  const ir_op *made;
  ir_op **in;
} renewed;

typedef struct renewing {
  phasing *p;
  uint32_t role; /* whose text is looked at */
  VEC(renewed) all;
} renewing;

static bool list_renewed(void *user, ir_op *op) {
  renewing *w = user;
  if (op->code == IR_scratch && phase_is_renewed(op))
    VEC_PUSH(w->p->arena, &w->all, (renewed){op, ARENA_ARRAY(w->p->arena, ir_op *, w->p->role_count)});
  return true;
}

static bool note_sharer(void *user, ir_op *op) {
  renewing *w = user;
  if (op->code != IR_scratch || op->results[0]->uses == 0) return true;
  const ir_value *made = w->p->made_by.data[op->results[0]->id];
  for (size_t i = 0; i < w->all.count; i++)
    if (w->all.data[i].made->results[0] == made) w->all.data[i].in[w->role] = op;
  return true;
}

static uint32_t sharers(const phasing *p, const renewed *r, uint32_t block) {
  uint32_t count = 0;
  for (uint32_t t = 0; t < p->threads; t++) count += r->in[block * p->threads + t] != NULL;
  return count;
}

/* By roles of one block, in any of the blocks. */
static bool is_shared(const phasing *p, const renewed *r) {
  bool shared = false;
  for (uint32_t block = 0; block < p->blocks; block++) shared |= sharers(p, r, block) > 1;
  return shared;
}

/* Whether those who share it have just met for the one in front of it. */
static bool follows(const phasing *p, const renewed *r, const renewed *before) {
  bool all = before->made == r->made->prev;
  for (uint32_t i = 0; i < p->role_count && all; i++) all = (r->in[i] != NULL) == (before->in[i] != NULL);
  return all;
}

/* ---- meetings ---- */

static val make_barrier(ir_builder *b) {
  const ir_attrs attrs = {.type = IR_I32, .kind = IR_BARRIER, .arrivals = 1};
  val barrier = ir_make1(b, IR_scratch, NULL, 0, &attrs);
  barrier->name = STR("anew");
  return barrier;
}

static void meet_before(phasing *p, ir_op *scratch, role *r, const ir_value *made) {
  ir_builder b = pass_before(p->c, scratch), top = pass_inside(&b, r->text);
  top.before = r->text->first;
  val barrier = make_barrier(&top);
  phase_name(p, barrier, made);
  ir_make(&b, IR_arrive, &barrier, 1, &(ir_attrs){0});
  ir_make(&b, IR_wait, &barrier, 1, &(ir_attrs){0});
}

static void write_meetings(phasing *p, const renewed *shared) {
  ir_builder b = pass_before(p->c, p->c->kernel->body->first);
  const ir_value *made = make_barrier(&b);
  phase_add_tallies(p, made->def);
  for (uint32_t block = 0; block < p->blocks; block++) phase_tally(p, made, block)->need = sharers(p, shared, block);
  for (uint32_t i = 0; i < p->role_count; i++)
    if (shared->in[i] && sharers(p, shared, i / p->threads) > 1) meet_before(p, shared->in[i], &p->roles[i], made);
}

void phase_renew(phasing *p) {
  renewing w = {.p = p};
  ir_walk(p->c->kernel->body, list_renewed, &w);
  for (w.role = 0; w.role < p->role_count; w.role++) ir_walk(p->roles[w.role].text, note_sharer, &w);
  for (size_t i = 0; i < w.all.count; i++) {
    const renewed *r = &w.all.data[i];
    if (is_shared(p, r) && !(i > 0 && follows(p, r, r - 1))) write_meetings(p, r);
  }
}
