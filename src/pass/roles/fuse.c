/* fuse_roles: the units of a launch become one. What they tell one another is known beforehand, so they are run here,
 * as far as that goes, and their pieces are put into an order in which nobody waits.
 *
 *   threads t: 2
 *   scratch s: f32[2, 8]                               scratch s: f32[2, 8]
 *   scratch full: barrier[2]
 *   scratch empty: barrier[2]
 *   for k in 0 .. 64 {                                 for k in 0 .. 64 {
 *     when t == 0 {
 *       when k > 1 { wait empty[k % 2] }
 *       s[k % 2, :] = x[k, :]                            s[k % 2, :] = x[k, :]
 *       arrive full[k % 2]                  becomes
 *     } else {
 *       wait full[k % 2]
 *       y[k, :] = exp(s[k % 2, :])                       y[k, :] = exp(s[k % 2, :])
 *       arrive empty[k % 2]
 *     }
 *   }                                                  }
 *
 * That order is one that the units could have had, so whatever they may not do in it is said here as the host would say
 * it: a deadlock, an arrival too many. Declined is what depends on data. */
#include "pass/roles/roll.h"

static bool is_of_units(ir_code code) { return code == IR_scratch || code == IR_view; }

/* Barriers that nobody speaks of, the views of them first. */
static void erase_barriers(pass_ctx *c) {
  const pass_ops ops = pass_collect(c, is_of_units);
  for (size_t i = ops.count; i-- > 0;) {
    const ir_value *made = ops.data[i]->results[0];
    if (made->type.kind > IR_REF && made->uses == 0) ir_erase(ops.data[i]);
  }
}

/* What is written at least: each piece once for each unit that it is run by. */
static uint64_t least_size(const roles *r) {
  uint64_t size = 0;
  bool *seen = ARENA_ARRAY(r->arena, bool, r->units.count * r->pieces.count + 1);
  for (size_t i = 0; i < r->order.count; i++) {
    const roles_run *run = &r->order.data[i];
    bool *known = &seen[run->unit * r->pieces.count + run->piece];
    if (!*known) size += r->pieces.data[run->piece].size;
    *known = true;
  }
  return size;
}

/* Of the orders that taking turns one way or another gives, the one with the shortest text; false after a diagnostic.
 */
static bool find_order(roles *r, roll_list *best) {
  uint64_t least = UINT64_MAX, shortest = UINT64_MAX;
  for (int turn = 0; turn < ROLES_TURNS && (turn == 0 || shortest > least); turn++) {
    if (turn > 0 && r->events > ROLES_EVENTS_MOST / 16) break;
    if (!roles_meet(r, (roles_turn)turn)) return false;
    if (turn == 0) least = least_size(r);
    const roll_list found = roll_up(r);
    const uint64_t size = roll_size(r, &found);
    if (size >= shortest) continue;
    shortest = size;
    *best = found;
  }
  return true;
}

static bool looks_at_no_word(void *user, ir_op *op) {
  return !ir_hands_over(op) || roles_decline(user, op->loc, "a unit looks at memory until another one has written");
}

static bool fuse(roles *r) {
  roll_list order = {0};
  if (!ir_walk(r->kernel->body, looks_at_no_word, r)) return false;
  return roles_make_units(r) && roles_outline(r) && roles_follow(r) && find_order(r, &order) && roles_write(r, &order);
}

bool pass_fuse_roles(pass_ctx *c) {
  ir_kernel *k = c->kernel;
  if (!ir_is_crew(k) || (c->target->units != KILN_UNITS_AUTO && c->target->units != KILN_UNITS_FUSED)) return false;
  roles r = {.c = c, .kernel = k, .arena = &k->module->arena};
  if (!fuse(&r)) return false;
  k->units = STR("fused: what they tell one another is known beforehand, so they are one program");
  erase_barriers(c);
  pass_drop_edges(k); /* views of one unit may be known to stay inside where those of any unit were not */
  return true;
}
