/* The instructions by which units order themselves. Each is one step of a state machine of src/model; whoever lets
 * one move on wakes those who stand in its line. */
#include "host/crew/crew.h"

static host_status (*const functions[])(host_unit *unit, const host_crew_op *what, const ir_op *op) = {
#define CREW_OP(id, function) [HOST_##id - HOST_CREW_OPS] = function,
#include "host/host_ops.def"
};

host_status crew_step(host_unit *unit, const host_instr *instr) {
  return functions[instr->code - HOST_CREW_OPS](unit, instr->detail, instr->source);
}

/* What the answer of a state machine means for the unit that asked. */
static host_status follow(host_unit *unit, sync_result result, const crew_element *at, const ir_op *op) {
  if (result.state == SYNC_READY) return HOST_RUNNING;
  if (result.state == SYNC_FAULT)
    return crew_report_fault(unit->member->crew, unit, result, at, op) ? HOST_RUNNING : HOST_FAILED;
  unit->member->waits_for = *at;
  crew_stand(unit, &crew_spot_of(at)->line, op);
  return HOST_BLOCKED;
}

static void tell(crew *c, const crew_element *at, choice_touch touch) {
  if (!c->by) return;
  touch.object = crew_element_name(at);
  crew_tell(c, touch);
}

/* ---- barriers ---- */

/* What its waiters will learn from whoever arrives. */
static void contribute(crew *c, const crew_element *at, unit_id unit, race_op *task, bool last) {
  const uint64_t phase = crew_barrier(at)->phase;
  tell(c, at, (choice_touch){.kind = CHOICE_ARRIVE, .begin = phase, .last = last});
  if (c->race && task)
    race_arrive_op(c->race, &crew_spot_of(at)->barrier, phase, task);
  else if (c->race)
    race_arrive(c->race, &crew_spot_of(at)->barrier, phase, unit);
  if (c->plan->trace) trace_arrived(c->plan->trace, at, phase);
}

sync_result crew_arrive_at(crew *c, const crew_element *at, unit_id unit, race_op *task) {
  sync_result first_fault = sync_ready();
  crew_element there = *at;
  for (there.block = 0; there.block < at->sync->blocks; there.block++) {
    if (!cluster_barrier_reaches(&at->sync->barriers.desc, at->block, there.block)) continue;
    const uint64_t before = crew_barrier(&there)->phase;
    contribute(c, &there, unit, task, crew_barrier(&there)->arrived + 1 == crew_barrier(&there)->expected);
    sync_result result = barrier_arrive(crew_barrier(&there));
    if (first_fault.state == SYNC_READY) first_fault = result;
    if (crew_barrier(&there)->phase == before) continue;
    if (c->plan->trace) trace_completed(&there);
    crew_wake(c, &crew_spot_of(&there)->line);
  }
  return first_fault;
}

sync_result crew_arrive_in_parts(crew *c, const crew_element *at, unit_id unit, race_op *task, uint32_t whole) {
  crew_spot *spot = crew_spot_of(at);
  if (whole > 0 && ++spot->parts < whole) return contribute(c, at, unit, task, false), sync_ready();
  if (whole > 0) spot->parts = 0;
  return crew_arrive_at(c, at, unit, task);
}

host_status crew_arrive_as_part(host_unit *unit, const host_crew_op *what, const ir_op *op, uint32_t whole) {
  crew_element at;
  if (!crew_find(unit, what->sync, op, &at)) return HOST_FAILED;
  crew *c = unit->member->crew;
  const sync_result part = barrier_take_part(crew_barrier(&at), c->mem, &unit->plan->machine, unit->id);
  if (part.state != SYNC_READY) return follow(unit, part, &at, op);
  return follow(unit, crew_arrive_in_parts(c, &at, unit->id, NULL, whole), &at, op);
}

host_status crew_arrive(host_unit *unit, const host_crew_op *what, const ir_op *op) {
  return crew_arrive_as_part(unit, what, op, 0);
}

/* The phase that the unit has waited for; of an open barrier later ones may be over, too. */
static uint64_t phase_seen(const host_unit *unit, const crew_element *at) {
  return barrier_observed(crew_barrier(at), &unit->plan->machine, unit->id) - 1;
}

static sync_result wait_for_barrier(host_unit *unit, const crew_element *at) {
  const crew *c = unit->member->crew;
  sync_result result = barrier_wait(crew_barrier(at), c->mem, &unit->plan->machine, unit->id);
  if (c->race && result.state == SYNC_READY)
    race_observe(c->race, &crew_spot_of(at)->barrier, phase_seen(unit, at), unit->id);
  if (c->plan->trace && result.state == SYNC_READY) trace_observed(unit, at);
  return result;
}

/* A wait that was blocked is no step. */
static void tell_wait(host_unit *unit, const crew_element *at, sync_result result) {
  crew *c = unit->member->crew;
  if (!c->by || result.state == SYNC_BLOCKED) return;
  const uint64_t phase = result.state == SYNC_READY ? phase_seen(unit, at) : 0;
  tell(c, at, (choice_touch){.kind = CHOICE_OBSERVE, .begin = phase});
}

static sync_result wait_for_semaphore(host_unit *unit, const crew_element *at, const host_crew_op *what, bool keep) {
  int32_t amount = host_cell(unit, what->amount);
  crew *c = unit->member->crew;
  semaphore_span taken;
  sync_result result = semaphore_wait(crew_semaphore(at), amount < 0 ? 0 : (uint32_t)amount, keep, &taken);
  const choice_kind kind = keep ? CHOICE_KEEP : CHOICE_TAKE;
  if (result.state == SYNC_READY) tell(c, at, (choice_touch){.kind = kind, .begin = taken.begin, .end = taken.end});
  if (c->race && result.state == SYNC_READY) race_take(c->race, &crew_spot_of(at)->semaphore, taken, keep, unit->id);
  if (c->plan->trace && result.state == SYNC_READY) trace_took(c->plan->trace, unit, at, taken, keep);
  return result;
}

host_status crew_wait(host_unit *unit, const host_crew_op *what, const ir_op *op) {
  crew_element at;
  if (!crew_find(unit, what->sync, op, &at)) return HOST_FAILED;
  if (at.sync->root->kind == IR_SEMAPHORE)
    return follow(unit, wait_for_semaphore(unit, &at, what, op->attrs->keep), &at, op);
  const sync_result result = wait_for_barrier(unit, &at);
  tell_wait(unit, &at, result);
  return follow(unit, result, &at, op);
}

bool crew_would_wait(const host_unit *unit, const host_instr *instr) {
  const host_crew_op *what = instr->detail;
  crew_element at;
  if (!crew_locate(unit, what->sync, &at)) return false; /* a fault, to be told by the wait */
  if (at.sync->root->kind == IR_BARRIER) return barrier_would_block(crew_barrier(&at), &unit->plan->machine, unit->id);
  const int32_t amount = host_cell(unit, what->amount);
  return amount > 0 && semaphore_read(crew_semaphore(&at)) < (uint32_t)amount;
}

host_status crew_test(host_unit *unit, const host_crew_op *what, const ir_op *op) {
  crew_element at;
  if (!crew_find(unit, what->sync, op, &at)) return HOST_FAILED;
  sync_result result = wait_for_barrier(unit, &at);
  tell(unit->member->crew, &at, (choice_touch){.kind = CHOICE_TEST});
  *unit->slot[what->out] = result.state == SYNC_READY;
  return result.state == SYNC_BLOCKED ? HOST_YIELDED : follow(unit, result, &at, op);
}

/* ---- words ---- */

/* Who looks at a word again and finds it as it was waits for others. */
host_status crew_hand_over(host_unit *unit, const void *at, uint64_t before, ir_order order) {
  crew_member *member = unit->member;
  const bool again = member->saw_at == at && member->saw == before;
  if (order == IR_ORDER_RELEASE) {
    member->crew->idle = 0;
    return HOST_RUNNING;
  }
  member->saw_at = at;
  member->saw = before;
  return again ? HOST_YIELDED : HOST_RUNNING;
}

/* ---- semaphores ---- */

/* The unit that has the same place on another device. */
static unit_id on_device(const machine *m, unit_id unit, uint32_t device) {
  const uint32_t depth = unit_depth(m, unit), each = m->count[depth] / m->count[DEPTH_GPU_DEVICE];
  return unit_at(m, depth, device * each + unit_ordinal(m, unit) % each);
}

/* The same semaphore on the device that is meant. */
static host_status find_on_device(host_unit *unit, const host_crew_op *what, const ir_op *op, crew_element *at) {
  const machine *m = &unit->plan->machine;
  if (!crew_find(unit, what->sync, op, at)) return HOST_FAILED;
  if (what->device == HOST_NONE) return HOST_RUNNING;
  const uint32_t root = unit->plan->boxes[what->sync].root;
  alloc_key key = unit->block[root]->item.key;
  const int32_t device = host_cell(unit, what->device);
  if (device < 0 || (uint32_t)device >= m->count[DEPTH_GPU_DEVICE])
    return crew_report_outside(unit, root, op), HOST_FAILED;
  key.owner = on_device(m, key.owner, (uint32_t)device);
  const alloc_block *block = alloc_find(unit->heap, key);
  if (!block) return crew_stand(unit, &unit->member->crew->for_memory, op), HOST_BLOCKED;
  at->sync = block->client;
  crew_tell(unit->member->crew, (choice_touch){.kind = CHOICE_NEED, .object = crew_block_name(block)});
  return HOST_RUNNING;
}

host_status crew_signal(host_unit *unit, const host_crew_op *what, const ir_op *op) {
  crew_element at;
  host_status found = find_on_device(unit, what, op, &at);
  if (found != HOST_RUNNING) return found;
  int32_t amount = host_cell(unit, what->amount);
  crew *c = unit->member->crew;
  semaphore_span given;
  sync_result result = semaphore_signal(crew_semaphore(&at), (uint32_t)amount, &given);
  if (result.state == SYNC_READY)
    tell(c, &at, (choice_touch){.kind = CHOICE_SIGNAL, .begin = given.begin, .end = given.end});
  if (c->race && result.state == SYNC_READY) race_signal(c->race, &crew_spot_of(&at)->semaphore, given, unit->id);
  if (c->plan->trace && result.state == SYNC_READY) trace_signalled(c->plan->trace, &at, given);
  crew_wake(unit->member->crew, &crew_spot_of(&at)->line);
  return follow(unit, result, &at, op);
}

host_status crew_count(host_unit *unit, const host_crew_op *what, const ir_op *op) {
  crew_element at;
  if (!crew_find(unit, what->sync, op, &at)) return HOST_FAILED;
  tell(unit->member->crew, &at, (choice_touch){.kind = CHOICE_COUNT});
  host_set_cell(unit, what->out, (int32_t)semaphore_read(crew_semaphore(&at)));
  return HOST_YIELDED;
}
