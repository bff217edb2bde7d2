/* What cannot run in rounds, or spin, found before anything is written: in the kernel's text, and in the roles' texts
 * what their counters and their memory, one for all trips, would get wrong without a word. In rounds, roles of a block
 * may meet before each trip (renew.c), and take turns at a semaphore (tally.c).
 *
 *   for i in 0 .. 4 {                        when t > 0 { wait n by 1  .. }
 *     scratch s: f32[8]                        who spins counts for itself: each would take the
 *     when t == 0 { s[..] = ..  arrive full }  same unit of count
 *     when t == 1 { wait full  .. s[..] }
 *   }
 *   trip 2 may write over what trip 1 still reads */
#include "pass/roles/phase.h"

/* ---- the kernel ---- */

static const char *obstacle(const ir_op *op) {
  const ir_op_info *info = ir_op_get(op->code);
  if (ir_hands_over(op)) return "a unit looks at memory until another one has written";
  if (op->code == IR_scratch && op->attrs->kind == IR_SEMAPHORE && op->attrs->space == IR_SPACE_GMEM)
    return "clusters wait for one another";
  return info->effects & E_SYNC && info->effects & E_WRITES ? "something is started and awaited" : NULL;
}

static bool find_obstacle(void *user, ir_op *op) {
  const phasing *p = user;
  const char *why = p->spins && op->code == IR_warps ? "a thread splits into warps" : obstacle(op);
  return !why || phase_decline(p, op->loc, why);
}

bool phase_can_turn(phasing *p) {
  const ir_kernel *k = p->c->kernel;
  if (ir_team_units(k, IR_TEAM_DEVICES, IR_ALL_AXES) > 1) return phase_decline(p, k->loc, "there are several devices");
  const uint32_t blocks = ir_team_units(k, IR_TEAM_CLUSTER, IR_ALL_AXES);
  if (blocks * ir_team_units(k, IR_TEAM_THREADS, IR_ALL_AXES) > PHASE_ROLES_MOST)
    return phase_decline(p, k->loc, str_format(p->arena, "there are more than %d", PHASE_ROLES_MOST).data);
  return ir_walk(k->body, find_obstacle, p);
}

/* ---- what roles share ---- */

/* A role's hold on a block's memory or semaphores. */
typedef struct hold {
  const ir_value *made;
  uint32_t block;
  int64_t element; /* -1: any */
  const role *by;
  bool alters; /* what the others find there */
  bool renews; /* it is new in each trip of a loop */
} hold;

typedef struct looker {
  phasing *p;
  const role *role;
  VEC(hold) holds;
} looker;

/* The one element that a ref names. */
static int64_t element_of(const ir_value *ref) {
  const ir_op *view = ref->def;
  const ir_shape *whole = view->code == IR_view ? &view->operands[0]->type.shape : &ref->type.shape;
  int64_t element = 0;
  if (whole->rank == 0) return 0;
  if (view->code != IR_view || view->operands[0]->def->code == IR_view) return -1;
  for (uint32_t d = 0; d < whole->rank; d++) {
    const ir_index *index = &view->attrs->index[d];
    int64_t at = index->operand < 0 ? index->start->value : 0;
    if (!index->point || (index->operand >= 0 && !pass_integer(view->operands[index->operand], &at))) return -1;
    element = element * whole->dims[d]->value + at;
  }
  return element;
}

/* Roles of a block may meet before each trip, in rounds. */
static bool share(const phasing *p, const hold *a, const hold *b) {
  const bool meet = a->renews && a->by->block == b->by->block && !p->spins;
  return a->made == b->made && a->block == b->block && a->by != b->by && a->renews == b->renews && !meet &&
         (a->element == b->element || a->element < 0 || b->element < 0);
}

/* Notes it; false after a refusal, where it is at odds with another role's. */
static bool take_hold(looker *l, const ir_value *ref, hold h, loc at, const char *why) {
  h.block = l->role->block;
  h.element = element_of(ref);
  h.by = l->role;
  for (; ref->def->code != IR_scratch; ref = ref->def->operands[0])
    if (ref->def->code == IR_peer && !phase_peer_block(l->p, ref->def, &h.block)) return true;
  h.made = l->p->made_by.data[ref->id];
  for (size_t i = 0; i < l->holds.count; i++) {
    const hold *other = &l->holds.data[i];
    if (!share(l->p, &h, other) || !(h.alters || other->alters)) continue;
    if (h.renews || l->p->spins) return phase_decline(l->p, at, why);
    phase_tally(l->p, h.made, h.block)->shared = true;
  }
  VEC_PUSH(l->p->arena, &l->holds, h);
  return true;
}

/* It is there once for all trips of a loop, as counters begin once: units have to meet in each. */
static bool hold_memory(looker *l, const ir_value *ref) {
  const ir_value *made = ref->def->code == IR_peer ? ref->def->operands[0] : ref;
  const char *why = "units share it, and would have to meet in each trip of its loop";
  const loc at = ref->def->loc;
  const bool counts = made->type.kind != IR_REF;
  if (ref->uses == 0 || !phase_is_renewed(made->def)) return true;
  if (counts && (l->p->spins || made->def->attrs->across))
    return phase_decline(l->p, at, "it would have to begin anew in each trip of its loop");
  if (phase_part_of(made->def)) return phase_decline(l->p, at, why);
  return take_hold(l, ref, (hold){.alters = true, .renews = true}, at, why);
}

static bool hold_semaphore(looker *l, const ir_op *op) {
  const ir_value *ref = op->operands[0];
  const bool takes = op->code == IR_wait && !op->attrs->keep;
  if (ref->type.kind != IR_SEMAPHORE || op->code == IR_signal) return true;
  return take_hold(l, ref, (hold){.alters = takes}, op->loc,
                   "several units wait for one semaphore, and who takes from it is not known");
}

static bool find_hold(void *user, ir_op *op) {
  looker *l = user;
  if (op->code == IR_scratch || op->code == IR_peer) return hold_memory(l, op->results[0]);
  return !(ir_op_get(op->code)->effects & E_SYNC) || op->operand_count == 0 || hold_semaphore(l, op);
}

/* Who takes from a semaphore that others take from, or count. */
static void number_turns(looker *l) {
  for (size_t i = 0; i < l->holds.count; i++) {
    const hold *h = &l->holds.data[i];
    role *by = &l->p->roles[h->by - l->p->roles];
    if (!h->renews && h->alters && !by->turn && phase_tally(l->p, h->made, h->block)->shared) by->turn = ++l->p->turns;
  }
}

bool phase_can_share(phasing *p) {
  looker l = {.p = p};
  for (uint32_t i = 0; i < p->role_count; i++) {
    l.role = &p->roles[i];
    if (!ir_walk(l.role->text, find_hold, &l)) return false;
  }
  number_turns(&l);
  return true;
}
