/* Each unit's way through the text, all of it on known numbers: what units do when they meet cannot change where they
 * go, so the ways of two units are found one after the other. */
#include "pass/roles/follow.h"

static bool follow_steps(follower *f, const roles_steps *steps);

/* ---- events ---- */

static bool spend(follower *f, const ir_op *op) {
  if (++f->r->events <= ROLES_EVENTS_MOST) return true;
  return roles_decline(f->r, op->loc, "its units do more than %d things on their way", ROLES_EVENTS_MOST);
}

static bool add_event(follower *f, roles_event event) {
  event.trips = f->trips;
  event.depth = f->depth;
  event.phase = f->phase;
  event.late = f->tail && f->phase > 0;
  if (!spend(f, event.op)) return false;
  VEC_PUSH(f->r->arena, &f->unit->events, event);
  return true;
}

static bool run_piece(follower *f, uint32_t piece) {
  if (piece == UINT32_MAX) return true;
  return add_event(f, (roles_event){.kind = ROLES_RUN, .number = piece, .op = f->r->pieces.data[piece].first});
}

/* ---- meetings ---- */

/* A barrier or semaphore: of which scratch, in which block, and where there. */
typedef struct spot {
  uint32_t scratch, block;
  uint32_t element;
} spot;

static bool unknown(follower *f, const ir_op *op) {
  return roles_decline(f->r, op->loc, "what this `%s` is for depends on data", ir_op_get(op->code)->text);
}

/* From places in a view to places in what it is a view of. */
static bool go_under(follower *f, const ir_op *view, int64_t *at) {
  int64_t under[KILN_MAX_RANK];
  for (uint32_t d = 0, own = 0; d < view->attrs->index_count; d++) {
    const ir_index *index = &view->attrs->index[d];
    under[d] = index->operand < 0 ? index->start->value : 0;
    if (index->operand >= 0 && !follow_integer(f, view->operands[index->operand], &under[d])) return unknown(f, view);
    if (!index->point) under[d] += index->stride * at[own++];
    if (under[d] < 0 || under[d] >= ir_extent(&view->operands[0]->type, d))
      return roles_decline(f->r, view->loc, "%lld is no index here", (long long)under[d]);
  }
  for (uint32_t d = 0; d < view->attrs->index_count; d++) at[d] = under[d];
  return true;
}

/* The block with the coordinates that a `peer` gives. */
static bool go_to_peer(follower *f, const ir_op *op, uint32_t *block) {
  const ir_team_axes axes = ir_team_axes_of(f->r->kernel, IR_TEAM_CLUSTER);
  int64_t place[KILN_MAX_RANK];
  for (uint32_t i = 0; i < axes.count; i++)
    if (!follow_integer(f, op->operands[1 + i], &place[i])) return unknown(f, op);
  const uint32_t within = ir_team_number(axes, place);
  if (within == UINT32_MAX) return roles_decline(f->r, op->loc, "there is no such block");
  *block += within - *block % f->r->machine.size[DEPTH_GPU_BLOCK];
  return true;
}

static bool find_spot(follower *f, const ir_value *v, spot *out) {
  int64_t at[KILN_MAX_RANK] = {0};
  out->block = roles_block(f->r, f->unit);
  for (; v->def && v->def->code != IR_scratch; v = v->def->operands[0]) {
    if (v->def->code == IR_peer ? !go_to_peer(f, v->def, &out->block) : !go_under(f, v->def, at)) return false;
  }
  out->scratch = out->element = 0;
  while (out->scratch < f->r->scratches.count && f->r->scratches.data[out->scratch].op != v->def) out->scratch++;
  for (uint32_t d = 0; d < v->type.shape.rank; d++)
    out->element = out->element * (uint32_t)ir_extent(&v->type, d) + (uint32_t)at[d];
  return out->scratch < f->r->scratches.count || unknown(f, v->def);
}

static unit_id owner_of(const follower *f, const spot *at) {
  const machine *m = &f->r->machine;
  const uint32_t depth = f->r->scratches.data[at->scratch].depth;
  if (depth > DEPTH_GPU_BLOCK) return unit_above(m, f->unit->id, depth);
  return unit_above(m, unit_at(m, DEPTH_GPU_BLOCK, at->block), depth);
}

/* The same unit of another device. */
static unit_id on_device(const machine *m, unit_id u, uint32_t device) {
  const uint32_t depth = unit_depth(m, u), each = m->count[depth] / m->count[DEPTH_GPU_DEVICE];
  return unit_at(m, depth, device * each + unit_ordinal(m, u) % each);
}

static bool is_kept(const ir_op *op) { return op->code == IR_wait && op->attrs->keep; }

static bool meet(follower *f, const ir_op *op) {
  const bool phases = op->operands[0]->type.kind == IR_BARRIER, gives = op->code != IR_wait;
  spot at;
  int64_t amount = 1, device;
  if (op->code == IR_test || op->code == IR_count)
    return roles_decline(f->r, op->loc, "what `%s` finds depends on who comes first", ir_op_get(op->code)->text);
  if (op->operand_count == 0 || !find_spot(f, op->operands[0], &at)) return false;
  if (op->operand_count > 1 && !follow_integer(f, op->operands[1], &amount)) return unknown(f, op);
  roles_event event = {.number = at.scratch, .element = at.element, .amount = (int32_t)amount, .op = op};
  event.owner = owner_of(f, &at);
  if (op->operand_count > 2) {
    if (!follow_integer(f, op->operands[2], &device)) return unknown(f, op);
    if (device < 0 || device >= f->r->machine.count[DEPTH_GPU_DEVICE])
      return roles_decline(f->r, op->loc, "there is no device %lld", (long long)device);
    event.owner = on_device(&f->r->machine, event.owner, (uint32_t)device);
  }
  event.kind = phases ? (gives ? ROLES_ARRIVE : ROLES_WAIT) : gives ? ROLES_SIGNAL : ROLES_TAKE;
  event.block = at.block;
  event.keep = is_kept(op);
  return add_event(f, event);
}

/* ---- scratch ---- */

static bool open_scratch(follower *f, const roles_step *step, roles_event_kind kind) {
  const roles_scratch *scratch = &f->r->scratches.data[step->number];
  if (scratch->depth > DEPTH_GPU_BLOCK) return true;
  spot at = {.scratch = step->number, .block = roles_block(f->r, f->unit)};
  const uint32_t before = kind == ROLES_OPEN ? f->opened[step->number]++ : f->opened[step->number] - 1;
  return add_event(f, (roles_event){.kind = kind,
                                    .number = step->number,
                                    .owner = owner_of(f, &at),
                                    .block = at.block,
                                    .element = before,
                                    .op = step->op});
}

/* ---- control ---- */

/* What a region yields; all is read before any is set, as they may change places. */
static void hand_on(follower *f, const roles_steps *from, ir_value *const *to, uint32_t count) {
  if (from->hand_on == UINT32_MAX) return;
  const ir_op *yield = f->r->pieces.data[from->hand_on].first;
  uint64_t *bits = ARENA_ARRAY(f->r->arena, uint64_t, count);
  bool *known = ARENA_ARRAY(f->r->arena, bool, count);
  for (uint32_t i = 0; i < count; i++) known[i] = follow_bits(f, yield->operands[i], &bits[i]);
  for (uint32_t i = 0; i < count; i++) follow_set(f, to[i], known[i], bits[i]);
}

static void copy_known(follower *f, ir_value *const *from, ir_value *const *to, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    uint64_t bits = 0;
    const bool known = follow_bits(f, from[i], &bits);
    follow_set(f, to[i], known, bits);
  }
}

/* The loop that the unit is about to enter, or has left. */
typedef struct around {
  const int64_t *trips;
  uint32_t phase;
  bool tail;
} around;

static around enter_loop(follower *f) {
  const around outer = {f->trips, f->phase, f->tail};
  f->depth++;
  return outer;
}

static bool next_trip(follower *f, const ir_op *op, const around *outer, int64_t trip) {
  const uint32_t outside = f->depth - 1;
  int64_t *trips = ARENA_ARRAY(f->r->arena, int64_t, 2 * f->depth);
  for (uint32_t d = 0; d < outside; d++) {
    trips[d] = outer->trips[d];
    trips[f->depth + d] = outer->trips[outside + d];
  }
  trips[outside] = trip;
  trips[f->depth + outside] = outer->phase;
  f->trips = trips;
  f->phase = 0;
  f->tail = true;
  return spend(f, op);
}

static void leave_loop(follower *f, const around *outer) {
  f->depth--;
  f->trips = outer->trips;
  f->phase = outer->phase + 1;
  f->tail = outer->tail;
}

static bool follow_for(follower *f, const roles_step *step) {
  const ir_op *op = step->op;
  const ir_region *body = op->regions[0];
  int64_t begin, end, by;
  if (!follow_integer(f, op->operands[0], &begin) || !follow_integer(f, op->operands[1], &end) ||
      !follow_integer(f, op->operands[2], &by) || by <= 0)
    return roles_decline(f->r, op->loc, "how often this loop runs depends on data");
  copy_known(f, op->operands + 3, body->args + 1, op->result_count);
  const around outer = enter_loop(f);
  for (int64_t i = begin, trip = 0; i < end; i += by, trip++) {
    follow_set(f, body->args[0], true, ir_bits_from_i64(IR_I32, i));
    if (!next_trip(f, op, &outer, trip) || !follow_steps(f, &step->regions[0])) return false;
    hand_on(f, &step->regions[0], body->args + 1, op->result_count);
  }
  leave_loop(f, &outer);
  copy_known(f, body->args + 1, op->results, op->result_count);
  return true;
}

static bool follow_while(follower *f, const roles_step *step) {
  const ir_op *op = step->op;
  uint64_t goes_on = 1;
  copy_known(f, op->operands, op->regions[0]->args, op->result_count);
  const around outer = enter_loop(f);
  for (int64_t trip = 0;; trip++) {
    if (!next_trip(f, op, &outer, trip) || !follow_steps(f, &step->regions[0])) return false;
    if (!follow_bits(f, pass_yield_of(op->regions[0])->operands[0], &goes_on))
      return roles_decline(f->r, op->loc, "how often this loop runs depends on data, or on who comes first");
    if (!goes_on) break;
    copy_known(f, op->regions[0]->args, op->regions[1]->args, op->result_count);
    if (!follow_steps(f, &step->regions[1])) return false;
    hand_on(f, &step->regions[1], op->regions[0]->args, op->result_count);
  }
  leave_loop(f, &outer);
  copy_known(f, op->regions[0]->args, op->results, op->result_count);
  return true;
}

static bool follow_branch(follower *f, const roles_step *step) {
  const ir_op *op = step->op;
  int64_t which;
  if (!follow_integer(f, op->operands[0], &which))
    return roles_decline(f->r, op->loc, "which way this `%s` goes depends on data", ir_op_get(op->code)->text);
  if (op->code == IR_when) which = which ? 0 : 1;
  if (which >= op->region_count) which = (int64_t)op->region_count - 1; /* as lax.switch: clamped */
  const roles_steps *taken = &step->regions[which < 0 ? 0 : which];
  if (!follow_steps(f, taken)) return false;
  hand_on(f, taken, op->results, op->result_count);
  return true;
}

/* The parts follow one after the other: where they go does not depend on one another either. */
static bool follow_parts(follower *f, const roles_step *step) {
  roles *r = f->r;
  roles_unit *whole = f->unit;
  const uint32_t count = r->machine.size[DEPTH_GPU_WARP], first = (uint32_t)r->units.count;
  uint32_t *opened = arena_copy(r->arena, f->opened, (r->scratches.count + 1) * sizeof *opened);
  if (first + count > 16 * ROLES_UNITS_MOST) return roles_decline(r, step->op->loc, "its threads split too often");
  if (!add_event(f, (roles_event){.kind = ROLES_SPLIT, .number = first, .op = step->op})) return false;
  bool fine = true;
  for (uint32_t i = 0; i < count && fine; i++) {
    roles_unit *part = ARENA_NEW(r->arena, roles_unit);
    *part = (roles_unit){.id = unit_child(&r->machine, whole->id, i), .whole = whole, .number = whole->number};
    part->part = step->op->regions[0]->args[0];
    VEC_PUSH(r->arena, &r->units, part);
    for (size_t s = 0; s < r->scratches.count; s++) f->opened[s] = opened[s];
    f->unit = part;
    f->time++;
    fine = follow_steps(f, &step->regions[0]);
  }
  f->unit = whole;
  f->time++;
  return fine;
}

static bool follow_control(follower *f, const roles_step *step) {
  if (!run_piece(f, step->number)) return false;
  switch (step->op->code) {
    case IR_for: return follow_for(f, step);
    case IR_while: return follow_while(f, step);
    case IR_warps: return follow_parts(f, step);
    default: return follow_branch(f, step);
  }
}

static bool follow_step(follower *f, const roles_step *step) {
  switch (step->kind) {
    case ROLES_PIECE: return run_piece(f, step->number);
    case ROLES_MEETING: return meet(f, step->op);
    case ROLES_SCRATCH: return open_scratch(f, step, ROLES_OPEN);
    default: return follow_control(f, step);
  }
}

static bool has_loops(const roles_step *step) {
  if (step->kind != ROLES_CONTROL) return false;
  if (step->op->code == IR_for || step->op->code == IR_while) return true;
  for (uint32_t i = 0; i < step->op->region_count; i++)
    for (size_t k = 0; k < step->regions[i].steps.count; k++)
      if (has_loops(step->regions[i].steps.data[k])) return true;
  return false;
}

static bool follow_steps(follower *f, const roles_steps *steps) {
  const bool tail = f->tail;
  size_t loops_end = steps->steps.count;
  while (loops_end > 0 && !has_loops(steps->steps.data[loops_end - 1])) loops_end--;
  for (size_t i = 0; i < steps->steps.count; i++) {
    f->tail = tail && i + 1 >= loops_end;
    if (!follow_step(f, steps->steps.data[i])) return false;
  }
  f->tail = tail;
  if (!run_piece(f, steps->hand_on)) return false;
  for (size_t i = steps->steps.count; i-- > 0;)
    if (steps->steps.data[i]->kind == ROLES_SCRATCH && !open_scratch(f, steps->steps.data[i], ROLES_CLOSE))
      return false;
  return true;
}

bool roles_follow(roles *r) {
  follower f = {.r = r};
  f.known = ARENA_ARRAY(r->arena, follow_known, r->value_count + 1);
  for (uint32_t i = 0; i < r->threads; i++) {
    f.opened = ARENA_ARRAY(r->arena, uint32_t, r->scratches.count + 1);
    f.unit = r->units.data[i];
    f.phase = 0;
    f.tail = true;
    f.time++;
    if (!follow_steps(&f, r->body)) return false;
  }
  return true;
}
