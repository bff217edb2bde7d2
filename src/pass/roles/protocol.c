/* Lets the units meet: runs what they tell one another by the state machines of src/model, one unit at a time, and
 * notes the order of their pieces. In that order every wait is over when it comes.
 *
 * Any order does. The best one keeps units side by side, so that a value is used soon after it was made, and repeats
 * itself with their loops. */
#include <string.h>

#include "pass/roles/protocol.h"

/* What the arena gave stays until the end. */
static void *take_from_arena(void *user, void *before, size_t old_size, size_t size) {
  if (size == 0) return NULL;
  void *block = arena_alloc(user, size);
  if (before) memcpy(block, before, old_size < size ? old_size : size);
  return block;
}

/* ---- what units share ---- */

protocol_share *protocol_share_of(const protocol *p, const roles_event *event) {
  return &p->shares[event->number][unit_ordinal(&p->r->machine, event->owner)];
}

static const ir_op *scratch_of(const protocol *p, const roles_event *event) {
  return p->r->scratches.data[event->number].op;
}

static uint32_t block_in_cluster(const protocol *p, const roles_event *event) {
  const bool across = scratch_of(p, event)->attrs->across != 0;
  return across ? event->block % p->r->machine.size[DEPTH_GPU_BLOCK] : 0;
}

barrier *protocol_barrier(const protocol *p, const roles_event *event) {
  const protocol_share *share = protocol_share_of(p, event);
  const int64_t at = event->element;
  return share->alive ? cluster_barrier_at(&share->barriers, block_in_cluster(p, event), &at) : NULL;
}

static void begin_share(const protocol *p, const roles_event *event, protocol_share *share) {
  const ir_op *op = scratch_of(p, event);
  *share = (protocol_share){.alive = true, .round = event->element};
  if (op->attrs->kind == IR_BARRIER) {
    const cluster_barrier_desc desc = team_barrier(p->r->kernel, op);
    cluster_barrier_init(&share->barriers, p->mem, &desc);
  }
  const int64_t dims[] = {ir_count(&op->results[0]->type)};
  if (op->attrs->kind == IR_SEMAPHORE) semaphore_array_init(&share->semaphores, p->mem, 1, dims);
}

static uint32_t sharers_of(const protocol *p, const roles_unit *unit, const roles_event *event) {
  const machine *m = &p->r->machine;
  return unit_below(m, event->owner, unit_depth(m, unit->id)).count;
}

static bool is_global(const protocol *p, const roles_event *event) {
  return p->r->scratches.data[event->number].depth < DEPTH_GPU_CLUSTER;
}

/* A round begins when all have left the one before: one piece of memory serves them all. */
static sync_result open_share(const protocol *p, const roles_event *event) {
  protocol_share *share = protocol_share_of(p, event);
  const bool global = is_global(p, event);
  if (!share->alive && (event->element == 0 || event->element == share->round + 1)) begin_share(p, event, share);
  if (!share->alive || (share->round != event->element && !global)) return sync_blocked(share->closed, share->opened);
  share->opened++;
  return sync_ready();
}

static sync_result finish_share(const protocol *p, const roles_event *event, const protocol_share *share) {
  sync_result found = sync_ready();
  const ir_op *op = scratch_of(p, event);
  const bool last = op->parent == p->r->kernel->body;
  if (op->attrs->open) return found;
  for (uint64_t block = 0; op->attrs->kind == IR_BARRIER && block < share->barriers.blocks; block++)
    if (found.state == SYNC_READY) found = barrier_array_finish(&share->barriers.of_block[block], false);
  for (uint64_t i = 0; op->attrs->kind == IR_SEMAPHORE && i < share->semaphores.count; i++)
    if (found.state == SYNC_READY) found = semaphore_finish(&share->semaphores.elements[i], last);
  return found;
}

/* Memory of a block that stays until its cluster has ended: other blocks may look at it when its own has. */
static bool outlives_block(const protocol *p, const roles_event *event) {
  return p->r->scratches.data[event->number].depth == DEPTH_GPU_BLOCK && ir_lives_to_end(p->r->kernel, event->op);
}

/* All copies of the scratch that end together with the event's. */
static unit_range ending_with(const protocol *p, const roles_event *event) {
  const machine *m = &p->r->machine;
  if (!outlives_block(p, event)) return (unit_range){event->owner, 1};
  return unit_below(m, unit_above(m, event->owner, DEPTH_GPU_CLUSTER), DEPTH_GPU_BLOCK);
}

static sync_result close_share(const protocol *p, const roles_unit *unit, const roles_event *event) {
  const unit_range owners = ending_with(p, event);
  const uint32_t sharers = is_global(p, event) ? p->r->threads : owners.count * sharers_of(p, unit, event);
  uint32_t closed = 0;
  roles_event each = *event;
  protocol_share_of(p, event)->closed++;
  for (uint32_t i = 0; i < owners.count; i++) {
    each.owner = owners.first + i;
    closed += protocol_share_of(p, &each)->closed;
  }
  sync_result found = sync_ready();
  for (uint32_t i = 0; i < owners.count && closed == sharers; i++) {
    each.owner = owners.first + i;
    protocol_share *share = protocol_share_of(p, &each);
    share->alive = false;
    if (found.state == SYNC_READY) found = finish_share(p, event, share);
  }
  return found;
}

/* ---- meetings ---- */

static sync_result arrive(const protocol *p, const roles_unit *unit, const roles_event *event) {
  const int64_t at = event->element;
  protocol_share *share = protocol_share_of(p, event);
  if (!share->alive) return sync_blocked(0, 1);
  barrier *own = protocol_barrier(p, event);
  const sync_result part = own ? barrier_take_part(own, p->mem, &p->r->machine, unit->id) : sync_ready();
  if (part.state != SYNC_READY) return part;
  return cluster_barrier_arrive(&share->barriers, block_in_cluster(p, event), &at);
}

static sync_result wait(const protocol *p, const roles_unit *unit, const roles_event *event) {
  const int64_t at = event->element;
  protocol_share *share = protocol_share_of(p, event);
  if (!share->alive) return sync_blocked(0, 1);
  return cluster_barrier_wait(&share->barriers, &p->r->machine, block_in_cluster(p, event), &at, unit->id);
}

static sync_result count(const protocol *p, const roles_event *event) {
  const int64_t at = event->element;
  const protocol_share *share = protocol_share_of(p, event);
  const uint32_t amount = event->amount < 0 ? 0 : (uint32_t)event->amount;
  if (!share->alive) return sync_blocked(0, 1);
  semaphore *s = semaphore_at(&share->semaphores, &at);
  return event->kind == ROLES_SIGNAL ? semaphore_signal(s, amount, NULL) : semaphore_wait(s, amount, event->keep, NULL);
}

/* The unit goes on when its parts have ended. */
static sync_result split(const protocol *p, roles_unit *unit, const roles_event *event) {
  const uint32_t parts = p->r->machine.size[DEPTH_GPU_WARP];
  if (unit->split) {
    unit->split = unit->left > 0;
    return unit->split ? sync_blocked(parts - unit->left, parts) : sync_ready();
  }
  unit->split = true;
  unit->left = 0;
  for (uint32_t i = 0; i < parts; i++) {
    roles_unit *part = p->r->units.data[event->number + i];
    part->begun = true;
    unit->left += part->events.count > 0;
  }
  return split(p, unit, event);
}

static sync_result run_piece(roles *r, uint32_t unit, const roles_event *event) {
  VEC_PUSH(r->arena, &r->order, (roles_run){unit, event->number, event->trips});
  return sync_ready();
}

static sync_result perform(const protocol *p, uint32_t number, const roles_event *event) {
  roles_unit *unit = p->r->units.data[number];
  switch (event->kind) {
    case ROLES_RUN: return run_piece(p->r, number, event);
    case ROLES_ARRIVE: return arrive(p, unit, event);
    case ROLES_WAIT: return wait(p, unit, event);
    case ROLES_OPEN: return open_share(p, event);
    case ROLES_CLOSE: return close_share(p, unit, event);
    case ROLES_SPLIT: return split(p, unit, event);
    default: return count(p, event);
  }
}

/* ---- whose turn it is ---- */

static const roles_event *next_of(const roles_unit *unit) {
  return unit->next < unit->events.count ? &unit->events.data[unit->next] : NULL;
}

/* Both in loops of one depth: below 0 when a is behind. */
static int64_t compare_trips(const roles_event *a, const roles_event *b, uint32_t d, bool phases) {
  const int64_t phase = a->trips[a->depth + d] - b->trips[b->depth + d];
  return phases && phase != 0 ? phase : a->trips[d] - b->trips[d];
}

/* `out` is outside of a loop that the other one is in: in front of it, or behind all. */
static bool is_early(const roles_event *out, const roles_event *in, bool phases) {
  return phases ? out->phase <= in->trips[in->depth + out->depth] : !out->late;
}

static bool is_behind(const roles_event *a, const roles_event *b, bool phases) {
  for (uint32_t d = 0; d < a->depth && d < b->depth; d++) {
    const int64_t ahead = compare_trips(a, b, d, phases);
    if (ahead != 0) return ahead < 0;
  }
  if (a->depth < b->depth) return is_early(a, b, phases);
  return a->depth > b->depth && !is_early(b, a, phases);
}

static bool comes_before(const roles_event *a, const roles_event *b, roles_turn turn) {
  if (turn == ROLES_BY_TRIPS || turn == ROLES_BY_PHASES) return is_behind(a, b, turn == ROLES_BY_PHASES);
  return turn == ROLES_LAST_UNIT;
}

/* UINT32_MAX: nobody's. */
static uint32_t choose(const roles *r, roles_turn turn) {
  const roles_event *best = NULL;
  uint32_t chosen = UINT32_MAX;
  for (uint32_t i = 0; i < r->units.count; i++) {
    const roles_unit *unit = r->units.data[i];
    const roles_event *next = unit->begun && !unit->waits ? next_of(unit) : NULL;
    if (!next || (best && !comes_before(next, best, turn))) continue;
    best = next;
    chosen = i;
  }
  return chosen;
}

static void let_all_try(const roles *r) {
  for (uint32_t i = 0; i < r->units.count; i++) r->units.data[i]->waits = false;
}

static void go_on(const roles *r, roles_unit *unit, const roles_event *event) {
  unit->next++;
  if (event->kind != ROLES_RUN && event->kind != ROLES_WAIT) let_all_try(r);
  if (next_of(unit) || !unit->whole) return;
  roles_unit *whole = r->units.data[unit->whole->number];
  whole->left--;
  whole->waits = false;
}

static bool all_ended(const roles *r) {
  for (uint32_t i = 0; i < r->units.count; i++)
    if (next_of(r->units.data[i])) return false;
  return true;
}

static void begin_again(roles *r) {
  r->order.count = 0;
  for (uint32_t i = 0; i < r->units.count; i++) {
    roles_unit *unit = r->units.data[i];
    unit->next = 0;
    unit->waits = unit->split = false;
    unit->begun = !unit->whole;
  }
}

bool roles_meet(roles *r, roles_turn by) {
  protocol p = {.r = r, .mem = {take_from_arena, r->arena}};
  begin_again(r);
  p.shares = ARENA_ARRAY(r->arena, protocol_share *, r->scratches.count + 1);
  for (size_t i = 0; i < r->scratches.count; i++) {
    const uint32_t depth = r->scratches.data[i].depth;
    if (depth <= DEPTH_GPU_BLOCK) p.shares[i] = ARENA_ARRAY(r->arena, protocol_share, r->machine.count[depth]);
  }
  for (uint32_t turn; (turn = choose(r, by)) != UINT32_MAX;) {
    roles_unit *unit = r->units.data[turn];
    const roles_event *event = next_of(unit);
    const sync_result result = perform(&p, turn, event);
    if (result.state == SYNC_FAULT) return protocol_report_fault(&p, unit, event, result), false;
    if (result.state == SYNC_BLOCKED)
      unit->waits = true;
    else
      go_on(r, unit, event);
  }
  if (!all_ended(r)) protocol_report_deadlock(&p);
  return !r->failed;
}
