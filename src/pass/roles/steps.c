/* A role's text as a machine of states, cut where it waits.
 *
 *   for k in 0 .. 8 {                     when state == 0 { k_ = 0  state = 1 }
 *     wait full[k]                        when state == 1 { when heard[k_] >= 1 { heard[k_] -= 1  y[k_, :] = s[k_, :]
 *     y[k, :] = s[k, :]          becomes                                        k_ += 1  state = k_ < 8 ? 1 : 2 } }
 *   }                                     when state == 2 { state = 3 }  -- which is its end
 *
 * - Control around a wait becomes states; all other control stays as it is, inside one of them.
 * - A round goes through the states once, in the order of the text: a role that goes back in it, as at the end of a
 *   loop's trip, goes on in the next round. So a round has no loop of steps, all text is there once, and roles of a
 *   pipeline overlap instead of filling a ring and then emptying it.
 * - What another state needs is kept in scratch, or made again (state.c). */
#include "pass/roles/state.h"

/* ---- ops of one state ---- */

/* Everything that an op and what is in it need from around it. */
static bool read_operands(void *user, ir_op *op) {
  steps *s = user;
  for (uint32_t i = 0; i < op->operand_count; i++)
    if (s->inside[op->operands[i]->id] != s->ran) state_read(s, op->operands[i]);
  for (uint32_t i = 0; i < op->result_count; i++) s->inside[op->results[i]->id] = s->ran;
  for (uint32_t r = 0; r < op->region_count; r++)
    for (uint32_t i = 0; i < op->regions[r]->arg_count; i++) s->inside[op->regions[r]->args[i]->id] = s->ran;
  return true;
}

static void run_op(steps *s, ir_op *op) {
  if (op->code == IR_scratch || op->code == IR_view || op->code == IR_view_as || op->code == IR_peer) return;
  s->ran++;
  read_operands(s, op);
  for (uint32_t r = 0; r < op->region_count; r++) ir_walk(op->regions[r], read_operands, s);
  if (!s->looks) ir_clone_op(&s->b, op, s->now);
  for (uint32_t i = 0; i < op->result_count; i++)
    state_make(s, op->results[i], s->looks ? NULL : s->now[op->results[i]->id]);
  s->untouched = s->untouched && op->result_count == 1 && state_is_made_again(op->results[0]);
}

/* ---- states ---- */

static void write_in(steps *s, ir_region *region) { s->b = pass_inside(&s->b, region); }

static uint32_t new_state(steps *s) {
  if (!s->looks) VEC_PUSH(s->p->arena, &s->cases, ir_region_new(&s->b, NULL));
  return s->made++;
}

static void enter(steps *s, uint32_t state) {
  state_forget(s);
  s->state = state;
  s->place = ++*s->places;
  s->untouched = true;
  if (!s->looks) write_in(s, s->cases.data[state]);
}

/* .. which a round comes to behind those entered before. */
static void enter_next(steps *s, uint32_t state) {
  enter(s, state);
  if (!s->looks) VEC_PUSH(s->p->arena, &s->order, state);
}

/* .. which stands in front of the present one: so it runs in the next round. */
static void enter_later(steps *s, uint32_t state) {
  const uint32_t here = s->state;
  enter_next(s, state);
  if (s->looks) return;
  uint32_t *order = s->order.data;
  size_t at = s->order.count - 1;
  do order[at] = order[at - 1];
  while (order[at--] != here);
  order[at] = state;
}

static void go_to(steps *s, val state) {
  pass_store_whole(&s->b, s->r->state, state);
  pass_store_whole(&s->b, s->r->moved, ir_full(&s->b, IR_BOOL, NULL, true));
}

static void go(steps *s, uint32_t state) {
  if (!s->looks) go_to(s, ir_scalar_i32(&s->b, state));
}

/* Regions of a choice at the builder's place, which ends the text there. */
static ir_region **choose(steps *s, ir_code code, val by, uint32_t count) {
  ir_region **regions = ARENA_ARRAY(s->p->arena, ir_region *, count);
  if (s->looks) return regions;
  for (uint32_t i = 0; i < count; i++) regions[i] = ir_region_new(&s->b, NULL);
  ir_make_control(&s->b, code, &by, 1, regions, count, NULL, 0, NULL);
  return regions;
}

static void write_text(steps *s, const ir_region *region);
static void walk_text(steps *s, bool looks);
static void step_on(steps *s, ir_region *region);

static void write_branch(steps *s, const ir_op *op, uint32_t which, const state_moment *before, ir_region *to) {
  const ir_op *yield = pass_yield_of(op->regions[which]);
  state_recall(s, before);
  write_in(s, to);
  write_text(s, op->regions[which]);
  if (yield) state_hand_on(s, yield->operands, op->results, op->result_count);
}

static void write_branches(steps *s, const ir_op *op) {
  val by = state_read(s, op->operands[0]);
  const uint32_t behind = new_state(s);
  ir_region **regions = choose(s, op->code, by, op->region_count);
  const state_moment before = state_remember(s);
  for (uint32_t r = 0; r < op->region_count; r++) {
    write_branch(s, op, r, &before, regions[r]);
    go(s, behind);
  }
  enter_next(s, behind);
}

static bool tells_or_chooses(void *user, ir_op *op) {
  (void)user;
  const bool chooses = op->code == IR_when || op->code == IR_switch || op->code == IR_warps;
  return chooses || op->code == IR_arrive || op->code == IR_signal || !ir_orders_units(op);
}

/* Who only tells others something in a branch need not stop for it. */
static bool is_within_state(const ir_op *op) {
  bool tells = op->code == IR_when || op->code == IR_switch || op->code == IR_warps;
  for (uint32_t r = 0; r < op->region_count && tells; r++) tells = ir_walk(op->regions[r], tells_or_chooses, NULL);
  return tells;
}

static void write_choice(steps *s, const ir_op *op) {
  val by = state_read(s, op->operands[0]);
  const ir_builder here = s->b;
  ir_region **regions = choose(s, op->code, by, op->region_count);
  const state_moment before = state_remember(s);
  for (uint32_t r = 0; r < op->region_count; r++) write_branch(s, op, r, &before, regions[r]);
  state_recall(s, &before);
  s->b = here;
  s->untouched = false;
}

/* ---- loops ---- */

/* i + step, or the end where that is nearer: past it may be no integer. */
static val advance(steps *s, val i, val end, val step) {
  ir_builder *b = &s->b;
  return ir_map2(b, IR_add, i, ir_map2(b, IR_min, step, ir_map2(b, IR_sub, end, i)));
}

/* Into the body, or behind the loop. */
static void turn(steps *s, const ir_op *loop, val i, uint32_t body, uint32_t behind) {
  val end = state_read(s, loop->operands[1]);
  if (s->looks) return;
  ir_builder *b = &s->b;
  val goes_on = ir_map2(b, IR_lt, i, end);
  go_to(s, ir_map3(b, IR_select, goes_on, ir_scalar_i32(b, body), ir_scalar_i32(b, behind)));
}

static void write_for(steps *s, const ir_op *op) {
  const ir_region *body = op->regions[0];
  const ir_op *yield = pass_yield_of(body);
  const uint32_t carried = op->result_count, within = new_state(s), behind = new_state(s);
  state_share_rooms(s, body->args + 1, op->results, carried);
  state_hand_on(s, op->operands + 3, body->args + 1, carried);
  state_hand_on(s, op->operands, body->args, 1);
  turn(s, op, state_read(s, op->operands[0]), within, behind);
  enter_next(s, within);
  write_text(s, body);
  if (yield) state_hand_on(s, yield->operands, body->args + 1, carried);
  val i = state_read(s, body->args[0]), end = state_read(s, op->operands[1]), step = state_read(s, op->operands[2]);
  if (!s->looks) i = advance(s, i, end, step);
  if (!s->looks) pass_store_whole(&s->b, state_room(s, body->args[0]), i);
  turn(s, op, i, within, behind);
  enter_next(s, behind);
}

static void write_while(steps *s, const ir_op *op) {
  const ir_region *condition = op->regions[0], *body = op->regions[1];
  const uint32_t carried = op->result_count;
  state_share_rooms(s, condition->args, body->args, carried);
  state_share_rooms(s, condition->args, op->results, carried);
  state_hand_on(s, op->operands, condition->args, carried);
  const uint32_t head = new_state(s), behind = new_state(s);
  go(s, head);
  enter_next(s, head);
  write_text(s, condition);
  ir_region **regions = choose(s, IR_when, state_read(s, pass_yield_of(condition)->operands[0]), 2);
  write_in(s, regions[1]);
  go(s, behind);
  write_in(s, regions[0]);
  write_text(s, body);
  if (carried) state_hand_on(s, pass_yield_of(body)->operands, condition->args, carried);
  go(s, head);
  enter_next(s, behind);
}

/* ---- waiting ---- */

/* Its turn will come. */
static void still_moves(steps *s, val enough) {
  val moved = pass_load_whole(&s->b, s->r->moved);
  pass_store_whole(&s->b, s->r->moved, ir_map2(&s->b, IR_or, moved, enough));
}

/* A state of which nothing is done yet but to come to this wait may be the wait's own: it is done again until the wait
 * is over. At most one wait to a state, so that this tells where a role stands. */
static uint32_t wait_state(steps *s) {
  if (!s->untouched || s->waited == s->state + 1) {
    const uint32_t here = new_state(s);
    go(s, here);
    enter_next(s, here);
  }
  s->waited = s->state + 1;
  return s->state;
}

static void write_wait(steps *s, const ir_op *op) {
  tally_spot spot;
  val amount;
  const uint32_t here = wait_state(s);
  tally_find(s, op, &spot);
  val there = tally_ask(s, op, &spot, &amount);
  if (!s->looks) VEC_PUSH(s->p->arena, &s->waits, (role_wait){here, op});
  val over = s->looks ? NULL : rules_in_front(s, op, &spot, ir_map2(&s->b, IR_ge, there, amount));
  tally_guard(s, op, &spot);
  if (spot.inside) over = ir_map2(&s->b, IR_and, over, spot.inside);
  val may = s->looks || op->attrs->keep ? NULL : tally_may_take(s, &spot), enough = over;
  if (may) over = ir_map2(&s->b, IR_and, over, may);
  ir_region **regions = choose(s, IR_when, over, 2);
  write_in(s, regions[1]);
  if (may) still_moves(s, enough);
  write_in(s, regions[0]);
  if (!s->looks) rules_at_wait(s, op, &spot, there);
  if (!s->looks && !op->attrs->keep) tally_take(s, &spot, amount);
  s->untouched = false;
}

/* Who asks without waiting is answered in the next round, as the answer does not change in one. */
static void write_question(steps *s, const ir_op *op) {
  const uint32_t here = new_state(s);
  go(s, here);
  enter_later(s, here);
  s->untouched = false;
  state_make(s, op->results[0], tally_answer(s, op));
}

/* ---- warps ---- */

/* Those that wait for nobody go one after the other. */
static void write_parts_in_turn(steps *s, const ir_op *op) {
  for (uint32_t i = 0; i < op->region_count; i++) write_text(s, op->regions[i]);
}

/* A machine within this one, which sees the same values. */
static void write_part(steps *s, const ir_op *op, uint32_t which, steps *out) {
  *out = *s->begun;
  out->begun = s->begun;
  out->r = &s->r->parts[which];
  out->r->text = op->regions[which];
  out->b = s->b;
  out->ran = s->ran;
  walk_text(out, s->looks);
  s->ran = out->ran;
  if (!s->looks) step_on(out, s->b.region);
}

static val has_ended(steps *s, const role *r) {
  return ir_map2(&s->b, IR_eq, pass_load_whole(&s->b, r->state), ir_scalar_i32(&s->b, r->end));
}

/* The thread goes on when all of them are at their ends. */
static val have_ended(steps *s, const ir_op *op) {
  val all = has_ended(s, s->r->parts);
  for (uint32_t i = 1; i < op->region_count; i++) all = ir_map2(&s->b, IR_and, all, has_ended(s, &s->r->parts[i]));
  return all;
}

static void write_split(steps *s, const ir_op *op) {
  const uint32_t within = new_state(s), behind = new_state(s);
  steps *parts = ARENA_ARRAY(s->p->arena, steps, op->region_count);
  for (uint32_t i = 0; i < op->region_count && !s->looks; i++) pass_clear(&s->b, s->r->parts[i].state);
  go(s, within);
  enter_next(s, within);
  for (uint32_t i = 0; i < op->region_count; i++) write_part(s, op, i, &parts[i]);
  if (!s->looks) VEC_PUSH(s->p->arena, &s->splits, (role_split){within, op, parts});
  ir_region **regions = choose(s, IR_when, s->looks ? NULL : have_ended(s, op), 2);
  write_in(s, regions[0]);
  go(s, behind);
  enter_next(s, behind);
}

static void write_op(steps *s, ir_op *op) {
  if (op->code == IR_scratch && op->results[0]->type.kind != IR_REF) {
    tally_renew(s, op);
    s->untouched = false;
    return;
  }
  if (!ir_orders_units(op)) {
    run_op(s, op);
    return;
  }
  switch (op->code) {
    case IR_arrive:
    case IR_signal:
      tally_tell(s, op);
      s->untouched = false;
      return;
    case IR_wait: write_wait(s, op); return;
    case IR_test:
    case IR_count: write_question(s, op); return;
    case IR_for: write_for(s, op); return;
    case IR_while: write_while(s, op); return;
    case IR_warps: is_within_state(op) ? write_parts_in_turn(s, op) : write_split(s, op); return;
    default: is_within_state(op) ? write_choice(s, op) : write_branches(s, op);
  }
}

static void write_text(steps *s, const ir_region *region) {
  for (ir_op *op = region->first; op; op = op->next) {
    if (op->code == IR_yield) return;
    s->b.loc = op->loc;
    write_op(s, op);
  }
}

/* ---- the machine ---- */

static void walk_text(steps *s, bool looks) {
  s->looks = looks;
  s->made = 0;
  s->waited = 0;
  enter_next(s, new_state(s));
  write_text(s, s->r->text);
  s->r->end = new_state(s);
  go(s, s->r->end);
  state_forget(s);
}

/* when state == .. { .. }   when state == .. { .. } */
static void step_on(steps *s, ir_region *region) {
  write_in(s, region);
  ir_builder *b = &s->b;
  for (size_t i = 0; i < s->order.count; i++) {
    const uint32_t state = s->order.data[i];
    val here = ir_map2(b, IR_eq, pass_load_whole(b, s->r->state), ir_scalar_i32(b, state));
    ir_region *sides[] = {s->cases.data[state], ir_region_new(b, NULL)};
    ir_make_control(b, IR_when, &here, 1, sides, 2, NULL, 0, NULL);
  }
}

/* ---- what is left waiting ---- */

static const role_wait *wait_in(const steps *s, uint32_t state) {
  for (size_t i = 0; i < s->waits.count; i++)
    if (s->waits.data[i].state == state) return &s->waits.data[i];
  return NULL;
}

static const role_split *split_in(const steps *s, uint32_t state) {
  for (size_t i = 0; i < s->splits.count; i++)
    if (s->splits.data[i].state == state) return &s->splits.data[i];
  return NULL;
}

/* What a wait is for, told so far, and needs. */
static void describe_wait(steps *s, const role_wait *wait, val *said) {
  const ir_value *made = s->p->made_by.data[ir_root_ref(wait->op->operands[0])->id];
  const ir_told told = phase_told(s->p, s->r, made, wait->op->loc, IR_LOG_WAITS);
  tally_spot spot;
  if (!tally_find(s, wait->op, &spot)) return;
  said[0] = phase_tells(s->p, &s->b, &told);
  said[1] = spot.element;
  said[2] = tally_ask(s, wait->op, &spot, &said[3]);
  if (spot.tally->need) said[2] = tally_heard(s, &spot);
}

/* Each part tells where it waits; so does the thread, which is who counts. */
static void describe_split(steps *s, const role_split *split, val *said) {
  const ir_told told = phase_told(s->p, s->r, NULL, split->op->loc, IR_LOG_SPLITS);
  said[0] = phase_tells(s->p, &s->b, &told);
  for (uint32_t i = 0; i < split->op->region_count; i++) steps_report(&split->parts[i], s->b.region);
}

/* The number of what it has to say in this state, UINT32_MAX for nothing, and the values. */
static void describe(steps *s, uint32_t state) {
  const role_wait *wait = wait_in(s, state);
  const role_split *split = split_in(s, state);
  val none = ir_full(&s->b, IR_U32, NULL, UINT32_MAX), zero = ir_scalar_i32(&s->b, 0),
      said[] = {none, zero, zero, zero};
  state_forget(s);
  if (wait) describe_wait(s, wait, said);
  if (split) describe_split(s, split, said);
  ir_yield(&s->b, said, 4);
}

void steps_report(steps *s, ir_region *region) {
  const uint32_t count = (uint32_t)s->cases.count;
  ir_region **regions = ARENA_ARRAY(s->p->arena, ir_region *, count);
  for (uint32_t state = 0; state < count; state++) {
    write_in(s, regions[state] = ir_region_new(&s->b, NULL));
    describe(s, state);
  }
  const ir_type types[] = {ir_tile_type(IR_U32, NULL), pass_i32(), pass_i32(), pass_i32()};
  write_in(s, region);
  val state = pass_load_whole(&s->b, s->r->state);
  const ir_op *said = ir_make_control(&s->b, IR_switch, &state, 1, regions, count, types, 4, NULL);
  val some = ir_map2(&s->b, IR_ne, said->results[0], ir_full(&s->b, IR_U32, NULL, UINT32_MAX));
  ir_region **told = choose(s, IR_when, some, 2);
  write_in(s, told[0]);
  tell_record(&s->b, said->results[0], said->results + 1, 3);
}

steps steps_begin(phasing *p) {
  const uint32_t values = p->c->kernel->value_count + 1;
  steps s = {.p = p, .b = p->top};
  s.home = ARENA_ARRAY(p->arena, uint32_t, values);
  s.again = ARENA_ARRAY(p->arena, uint32_t, values);
  s.inside = ARENA_ARRAY(p->arena, uint32_t, values);
  s.keep = ARENA_ARRAY(p->arena, val, values);
  s.now = ARENA_ARRAY(p->arena, val, values);
  s.kept = ARENA_ARRAY(p->arena, bool, values);
  s.places = ARENA_NEW(p->arena, uint32_t);
  return s;
}

void steps_write(const steps *begun, role *r, ir_region *region) {
  phasing *p = begun->p;
  steps *s = r->steps = ARENA_NEW(p->arena, steps);
  *s = *begun;
  s->begun = begun;
  s->r = r;
  walk_text(s, true);
  tally_join(p, r);
  if (r == &p->roles[p->role_count - 1]) rules_hear_all(p, r);
  walk_text(s, false);
  write_in(s, region);
  pass_store_whole(&s->b, s->r->moved, ir_full(&s->b, IR_BOOL, NULL, false));
  tally_hear(s->p, s->r, &s->b);
  step_on(s, region);
}
