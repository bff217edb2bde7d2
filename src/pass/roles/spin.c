/* spin_roles: units that wait for one another look at words in shared memory until it is their turn.
 *
 *   machine gpu                        machine gpu
 *   threads t: 2                       threads role: 2
 *   scratch full: barrier              scratch full: i32[1]
 *   when t == 0 { .. arrive full }     .. full[0] = 0, and all meet
 *   when t == 1 { wait full .. }       switch role {
 *                                        case 0 { .. atomic release add full[0] = 1 }
 *                                        case 1 { while (atomic acquire or full[0] = 0) - taken < 1 { }
 *                                                 taken += 1 .. }
 *                                      }
 *
 * - Words only grow, so a look that finds enough finds it for ever. What a role has waited for it counts by itself, as
 *   in rounds (tally.c).
 * - Every wait is bounded: by so many looks, by the host, which may ask to stop, and by whoever has given up. A role
 *   that gives up says where it waits, waits no more and tells nobody anything: so it comes to its end, and so do the
 *   others. What they compute meanwhile is thrown away, as the launch fails.
 * - The result is a kernel of units that need no barrier but the one at which all meet, when they begin and when they
 *   end: the host runs it as any other, and its race detector follows what acquires and releases order.
 * - Rules of barriers and semaphores are looked at as in rounds: at each wait, and when all have ended (rules.c). */
#include "pass/roles/late.h"

enum {
  LOOKS = 64,   /* between looks at who else has given up */
  SPIN_GONE = 1 /* some role has, by its bound; from 2 on the host has asked */
};

typedef struct spinner {
  phasing *p;
  val stop; /* i32, shared: SPIN_GONE and more */
  val all;  /* the barrier at which all roles meet */
  lateness late;
  steps s;
} spinner;

static val number(ir_builder *b, int64_t value) { return ir_scalar_i32(b, value); }

static val add(ir_builder *b, val left, val right) { return ir_map2(b, IR_add, left, right); }

/* ---- giving up ---- */

/* What was there is or'ed with `more`. */
static val mark_stop(spinner *w, ir_builder *b, val more, ir_order order) {
  return phase_combine_in_order(b, order, IR_or, w->stop, NULL, 0, more);
}

/* Why to give up; 0: there is no reason. */
static val reason(spinner *w, ir_builder *b) {
  val asked = ir_map3(b, IR_select, tell_stop_asked(b), number(b, 2 * SPIN_GONE), number(b, 0));
  return ir_map2(b, IR_or, mark_stop(w, b, number(b, 0), IR_ORDER_ACQUIRE), asked);
}

/* The same, but only once in LOOKS. */
static val reason_sometimes(spinner *w, ir_builder *b, val looks) {
  ir_region *regions[] = {ir_region_new(b, NULL), ir_region_new(b, NULL)};
  const ir_type type = pass_i32();
  val last = ir_map2(b, IR_and, looks, number(b, LOOKS - 1));
  val now = ir_map2(b, IR_eq, last, number(b, LOOKS - 1));
  ir_builder then = pass_inside(b, regions[0]), otherwise = pass_inside(b, regions[1]);
  val why = reason(w, &then), none = number(&otherwise, 0);
  ir_yield(&then, &why, 1);
  ir_yield(&otherwise, &none, 1);
  return ir_make_control(b, IR_when, &now, 1, regions, 2, &type, 1, NULL)->results[0];
}

static void leave(const spinner *w, ir_builder *b) { pass_store_whole(b, w->s.r->gone, ir_full(b, IR_BOOL, NULL, 1)); }

/* Where it waits, unless it was the host that asked. */
static void report(spinner *w, ir_builder *b, const ir_op *op, val why, val const *said) {
  val own = ir_map2(b, IR_max, why, number(b, SPIN_GONE));
  val all = ir_map2(b, IR_or, own, mark_stop(w, b, own, IR_ORDER_RELEASE));
  ir_builder within = phase_when(b, ir_map2(b, IR_eq, all, number(b, SPIN_GONE)));
  const ir_value *made = w->p->made_by.data[ir_root_ref(op->operands[0])->id];
  const ir_told told = phase_told(w->p, w->s.r, made, op->loc, IR_LOG_WAITS);
  phase_tell(w->p, &within, &told, said);
}

/* ---- waiting ---- */

typedef struct looking {
  tally_spot spot;
  val amount, taken;
  val why, there; /* as the loop leaves them */
} looking;

/* while there < amount & looks < most with (looks, why, there) { .. } */
static void write_looks(spinner *w, looking *l) {
  ir_builder *b = &w->s.b, outer = *b;
  val most = number(b, w->p->c->target->polls), none = number(b, 0);
  val spent = ir_map3(b, IR_select, pass_load_whole(b, w->s.r->gone), most, none);
  ir_region *regions[] = {ir_region_new(b, NULL), ir_region_new(b, NULL)};
  const ir_type types[] = {pass_i32(), pass_i32(), pass_i32()};
  static const char *const names[] = {"looks", "why", "there"};
  val args[2][3], inits[] = {spent, none, l->there};
  for (uint32_t r = 0; r < 2; r++)
    for (uint32_t i = 0; i < 3; i++) args[r][i] = ir_region_arg(b, regions[r], types[i], str_from(names[i]));
  ir_builder condition = pass_inside(b, regions[0]);
  val lacks = ir_map2(&condition, IR_lt, args[0][2], l->amount), may = ir_map2(&condition, IR_lt, args[0][0], most);
  val goes_on = ir_map2(&condition, IR_and, lacks, may);
  ir_yield(&condition, &goes_on, 1);
  *b = pass_inside(b, regions[1]);
  val why = reason_sometimes(w, b, args[1][0]), ends = ir_map2(b, IR_ne, why, number(b, 0));
  val looks = ir_map3(b, IR_select, ends, most, add(b, args[1][0], number(b, 1)));
  ir_yield(b, (val[]){looks, why, ir_map2(b, IR_sub, tally_heard(&w->s, &l->spot), l->taken)}, 3);
  *b = outer;
  const ir_op *loop = ir_make_control(b, IR_while, inits, 3, regions, 2, types, 3, NULL);
  l->why = loop->results[1];
  l->there = loop->results[2];
}

/* Who means no element waits for nobody from then on: for such there is `amount`. */
static val guard(spinner *w, const ir_op *op, const tally_spot *spot, val there, val amount) {
  if (!spot->inside) return there;
  tally_guard(&w->s, op, spot);
  ir_builder outside = phase_when(&w->s.b, ir_map1(&w->s.b, IR_not, spot->inside));
  leave(w, &outside);
  return ir_map3(&w->s.b, IR_select, spot->inside, there, amount);
}

static void write_wait(spinner *w, const ir_op *op) {
  steps *s = &w->s;
  looking l;
  tally_find(s, op, &l.spot);
  l.there = tally_ask(s, op, &l.spot, &l.amount);
  l.there = guard(w, op, &l.spot, l.there, l.amount);
  l.taken = tally_taken(s, &l.spot);
  write_looks(w, &l);
  val late = ir_map2(&s->b, IR_lt, l.there, l.amount);
  val first = ir_map2(&s->b, IR_and, late, ir_map1(&s->b, IR_not, pass_load_whole(&s->b, s->r->gone)));
  ir_builder given_up = phase_when(&s->b, first);
  val heard = l.spot.tally->need ? add(&given_up, l.there, l.taken) : l.there;
  const late_wait wait = {s->r, l.spot.tally, phase_told(w->p, s->r, l.spot.tally->made, op->loc, IR_LOG_LATE)};
  val said[] = {l.spot.element, heard, l.amount};
  leave(w, &given_up);
  late_note(&w->late, &given_up, &wait, l.spot.element, add(&given_up, l.taken, l.amount));
  report(w, &given_up, op, l.why, said);
  rules_at_wait(s, op, &l.spot, l.there);
  if (!op->attrs->keep) tally_take(s, &l.spot, l.amount);
}

/* A loop in which units order themselves may ask for ever: it also ends when the role is to give up. */
static void bound_loop(spinner *w, const ir_op *op) {
  ir_op *yield = pass_yield_of(op->regions[0]), *last = pass_yield_of(op->regions[1]);
  ir_builder b = pass_before(w->p->c, yield);
  val stays = ir_map1(&b, IR_not, pass_load_whole(&b, w->s.r->gone));
  ir_set_operand(yield, 0, ir_map2(&b, IR_and, yield->operands[0], stays));
  b = last ? pass_before(w->p->c, last) : pass_inside(&b, op->regions[1]);
  ir_builder within = phase_when(&b, ir_map2(&b, IR_ne, reason(w, &b), number(&b, 0)));
  leave(w, &within);
}

/* ---- texts ---- */

typedef struct sync_ops {
  arena *arena;
  VEC(ir_op *) all;
} sync_ops;

static bool is_count(const ir_value *v) { return v->type.kind == IR_BARRIER || v->type.kind == IR_SEMAPHORE; }

static bool note_sync(void *user, ir_op *op) {
  sync_ops *ops = user;
  const bool loop = op->code == IR_while && ir_orders_units(op), names = op->result_count && is_count(op->results[0]);
  if (loop || names || ir_op_get(op->code)->effects & E_SYNC) VEC_PUSH(ops->arena, &ops->all, op);
  return true;
}

static void write_op(spinner *w, ir_op *op) {
  w->s.b = pass_before(w->p->c, op);
  switch (op->code) {
    case IR_arrive:
    case IR_signal: tally_tell(&w->s, op); break;
    case IR_wait: write_wait(w, op); break;
    case IR_test:
    case IR_count: pass_replace_within(w->s.r->text, op->results[0], tally_answer(&w->s, op)); break;
    case IR_while: bound_loop(w, op); break;
    default: break;
  }
}

static void write_role(spinner *w, role *r) {
  phasing *p = w->p;
  sync_ops ops = {.arena = p->arena};
  w->s = (steps){.p = p, .r = r, .b = p->top};
  r->gone = phase_remember(p, r, IR_BOOL, &(ir_shape){0}, STR("gone"));
  ir_walk(r->text, note_sync, &ops);
  for (size_t i = 0; i < ops.all.count; i++) write_op(w, ops.all.data[i]);
  for (size_t i = ops.all.count; i-- > 0;)
    if (ops.all.data[i]->code != IR_while) ir_erase(ops.all.data[i]);
  if (r == &p->roles[p->role_count - 1]) rules_hear_all(p, r);
}

/* A role begins with nothing known, and adds to what is judged in the end. */
static ir_region *enclose(phasing *p, role *r) {
  ir_builder b = pass_inside(&p->top, r->text);
  rules_add_sums(p, r, &b, NULL);
  b.before = r->text->first;
  phase_forget(r, &b);
  return r->text;
}

/* ---- the kernel of roles ---- */

static void meet(const spinner *w, ir_builder *b) {
  ir_make(b, IR_arrive, &w->all, 1, &(ir_attrs){0});
  ir_make(b, IR_wait, &w->all, 1, &(ir_attrs){0});
}

/* The first clears what all share, then they meet. */
static void write_beginning(spinner *w, ir_builder *b, val index) {
  const phasing *p = w->p;
  ir_builder first = phase_when(b, ir_map2(b, IR_eq, index, number(b, 0)));
  pass_clear(&first, w->stop);
  pass_clear(&first, w->late.left);
  for (size_t i = 0; i < p->tallies.count; i++) {
    pass_clear(&first, p->tallies.data[i].told);
    if (p->tallies.data[i].sums) pass_clear(&first, p->tallies.data[i].sums);
  }
  ir_attrs attrs = {.type = IR_I32, .kind = IR_BARRIER, .arrivals = p->role_count};
  w->all = ir_make1(b, IR_scratch, NULL, 0, &attrs);
  w->all->name = STR("all");
  meet(w, b);
}

/* All meet again. What barriers and semaphores have left is judged, or why somebody has given up. */
static void write_ending(spinner *w, ir_builder *b, val index) {
  if (w->p->tallies.count == 0) return;
  meet(w, b);
  val why = reason(w, b);
  ir_builder fine = phase_when(b, ir_map2(b, IR_eq, why, number(b, 0)));
  rules_judge(w->p, &fine, index);
  ir_builder gone = phase_when(b, ir_map2(b, IR_eq, why, number(b, SPIN_GONE)));
  late_tell(&w->late, &gone, index);
}

static val name_roles(phasing *p) {
  ir_kernel *k = p->c->kernel;
  ir_team *team = ARENA_NEW(p->arena, ir_team);
  *team = (ir_team){.name = STR("role"), .level = IR_TEAM_THREADS, .loc = k->loc};
  team->extent = ir_dim_const(k->module, p->role_count);
  team->index = ir_free_value(&p->top, pass_i32(), team->name);
  k->teams = team;
  k->team_count = 1;
  return team->index;
}

static bool can_spin(phasing *p) {
  const ir_kernel *k = p->c->kernel;
  const pass_target *target = p->c->target;
  const uint32_t lanes = target->lanes ? target->lanes : 1, most = target->workgroup / lanes;
  const uint64_t roles =
      (uint64_t)ir_team_units(k, IR_TEAM_CLUSTER, IR_ALL_AXES) * ir_team_units(k, IR_TEAM_THREADS, IR_ALL_AXES);
  if (target->polls == 0)
    return phase_decline(p, k->loc, "on this device one that waits may keep the others from going on");
  if (roles > most)
    return phase_decline(
        p, k->loc,
        str_format(p->arena, "there are %llu, a workgroup has %u subgroups", (unsigned long long)roles, most).data);
  return phase_can_turn(p);
}

bool pass_spin_roles(pass_ctx *c) {
  phasing p = {.spins = true};
  if (!phase_is_asked_for(c, KILN_UNITS_SPUN)) return false;
  if (c->target->units == KILN_UNITS_AUTO && c->target->polls == 0) return false;
  ir_region *body = phase_open(&p, c);
  if (!can_spin(&p) || !phase_split(&p)) return false;
  spinner w = {.p = &p, .stop = pass_scratch(&p.top, IR_SPACE_SMEM, IR_I32, &(ir_shape){0}, STR("stop"))};
  w.late = late_begin(&p);
  tell_roles(c, p.role_count, c->target->polls);
  ir_region **texts = ARENA_ARRAY(p.arena, ir_region *, p.role_count);
  for (uint32_t i = 0; i < p.role_count; i++) write_role(&w, &p.roles[i]);
  for (uint32_t i = 0; i < p.role_count; i++) texts[i] = enclose(&p, &p.roles[i]);
  ir_builder b = p.top;
  val index = name_roles(&p);
  write_beginning(&w, &b, index);
  ir_make_control(&b, IR_switch, &index, 1, texts, p.role_count, NULL, 0, NULL);
  write_ending(&w, &b, index);
  phase_close(&p, body, "spun: roles look until it is their turn");
  return true;
}
