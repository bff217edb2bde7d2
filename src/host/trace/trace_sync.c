/* Traces across units: who releases whom and when, and what goes on beside them. */
#include "host/trace/trace_inner.h"

/* ---- who hands over ---- */

/* The event that a hand-off comes from: the running unit's own, which is made here, or a task's. */
static uint32_t acting(host_trace *trace, const host_root *root, uint64_t element, uint64_t amount) {
  host_unit *unit = trace->running;
  if (trace->actor != TRACE_NONE || !unit || !unit->trace) return trace->actor;
  trace_unit *at = unit->trace;
  const uint64_t from = at->now;
  at->now += trace_ticks(TRACE_COST_HANDOFF, 0);
  const trace_event event = {.kind = TRACE_HANDOFF,
                             .unit = unit->id,
                             .cause = TRACE_NONE,
                             .begin = from,
                             .end = at->now,
                             .amount = amount,
                             .op = unit->plan->code[unit->pc].source,
                             .root = root,
                             .element = element};
  at->last = trace_add(trace, &event);
  return trace->actor = at->last;
}

void trace_act(host_trace *trace, uint32_t event) { trace->actor = event; }

static uint64_t end_of(const host_trace *trace, uint32_t event) {
  return event == TRACE_NONE ? 0 : trace->events[event].end;
}

/* ---- barriers ---- */

void trace_arrived(host_trace *trace, const crew_element *at, uint64_t phase) {
  trace_spot *spot = &crew_spot_of(at)->trace;
  const uint32_t by = acting(trace, at->sync->root, at->index, phase);
  if (end_of(trace, by) < spot->latest) return;
  spot->latest = end_of(trace, by);
  spot->latest_by = by + 1;
}

void trace_completed(const crew_element *at) {
  trace_spot *spot = &crew_spot_of(at)->trace;
  spot->complete = spot->latest;
  spot->complete_by = spot->latest_by;
  spot->latest = spot->latest_by = 0;
}

/* The present instruction of the unit goes on at `when`, thanks to an event. */
static void release(host_unit *unit, uint64_t when, uint32_t by) {
  trace_unit *at = unit->trace;
  if (!at || when < at->released) return;
  at->released = when > 0 ? when : 1;
  at->cause = by;
}

static void asked(host_unit *unit, const crew_element *what, uint64_t amount) {
  if (!unit->trace) return;
  unit->trace->asked = *what;
  unit->trace->amount = amount;
}

void trace_observed(host_unit *unit, const crew_element *at) {
  const trace_spot *spot = &crew_spot_of(at)->trace;
  release(unit, spot->complete, spot->complete_by - 1);
  asked(unit, at, crew_barrier(at)->phase - 1);
}

/* ---- semaphores ---- */

/* A free place among the signals; TRACE_NONE when memory is out. */
static uint32_t new_signal(host_trace *trace) {
  const uint32_t old = trace->signal_count, count = old ? old * 2 : 64;
  if (trace->free_signal == 0) {
    trace_signal *signals = mem_resize(trace->mem, trace->signals, old * sizeof *signals, count * sizeof *signals);
    if (!signals) return TRACE_NONE;
    trace->signals = signals;
    trace->signal_count = count;
    for (uint32_t i = old; i < count; i++) {
      signals[i].next = trace->free_signal;
      trace->free_signal = i + 1;
    }
  }
  const uint32_t taken = trace->free_signal - 1;
  trace->free_signal = trace->signals[taken].next;
  return taken;
}

void trace_signalled(host_trace *trace, const crew_element *at, semaphore_span given) {
  trace_spot *spot = &crew_spot_of(at)->trace;
  const uint32_t by = acting(trace, at->sync->root, at->index, given.end - given.begin), which = new_signal(trace);
  if (which == TRACE_NONE) return;
  trace->signals[which] = (trace_signal){.end = given.end, .at = end_of(trace, by), .by = by};
  *(spot->last_signal ? &trace->signals[spot->last_signal - 1].next : &spot->first_signal) = which + 1;
  spot->last_signal = which + 1;
}

void trace_took(host_trace *trace, host_unit *unit, const crew_element *at, semaphore_span taken, bool keep) {
  trace_spot *spot = &crew_spot_of(at)->trace;
  uint64_t before = 0;
  asked(unit, at, taken.end - taken.begin);
  release(unit, 0, TRACE_NONE);
  for (uint32_t i = spot->first_signal, next; i && before < taken.end; i = next) {
    trace_signal *signal = &trace->signals[i - 1];
    next = signal->next;
    before = signal->end;
    release(unit, signal->at, signal->by);
    if (keep || signal->end > taken.end) continue;
    spot->first_signal = next;
    if (!next) spot->last_signal = 0;
    signal->next = trace->free_signal;
    trace->free_signal = i;
  }
}

/* ---- tasks ---- */

static const host_root *root_of(const crew_task *task, const crew_side *side) {
  return side->block ? &task->unit->plan->roots[side->info.root] : NULL;
}

static void time_copy(trace_event *event, trace_unit *at, const crew_task *task) {
  const uint64_t begin = at->free_at[TRACE_COPIES] > at->now ? at->free_at[TRACE_COPIES] : at->now;
  event->kind = TRACE_COPY;
  event->lane = TRACE_COPIES;
  event->amount = crew_side_bytes(&task->parts->to) * task->part_count;
  event->read = at->free_at[TRACE_COPIES] = begin + trace_ticks(TRACE_COST_TRANSFER, event->amount);
  event->end = event->read + trace_ticks(TRACE_COST_DELAY, 0);
  event->root = root_of(task, &task->parts->from);
  event->other = root_of(task, &task->parts->to);
}

static uint64_t multiply_adds(const crew_task *task) {
  const host_box_info *sum = &task->parts->to.info;
  const int64_t k = task->parts->right.info.dims[0];
  return (uint64_t)(sum->dims[0] * sum->dims[1]) * (uint64_t)k * task->part_count;
}

/* Products of a unit follow one another, and so do what commits them and copies to their memory. */
static void time_product(trace_event *event, trace_unit *at, const crew_task *task) {
  if (at->free_at[TRACE_PRODUCTS] > event->begin) event->begin = at->free_at[TRACE_PRODUCTS];
  event->kind = task->kind == CREW_PRODUCT ? TRACE_PRODUCT : task->kind == CREW_COPY ? TRACE_COPY : TRACE_HANDOFF;
  event->lane = TRACE_PRODUCTS;
  if (task->kind == CREW_PRODUCT) event->amount = multiply_adds(task);
  if (task->kind == CREW_COPY) event->amount = crew_side_bytes(&task->parts->to);
  if (task->kind != CREW_ARRIVAL) event->root = root_of(task, &task->parts->to);
  const trace_cost cost = task->kind == CREW_PRODUCT ? TRACE_COST_MMA
                          : task->kind == CREW_COPY  ? TRACE_COST_SHARED
                                                     : TRACE_COST_HANDOFF;
  event->read = event->end = at->free_at[TRACE_PRODUCTS] = event->begin + trace_ticks(cost, event->amount);
}

uint32_t trace_issue(host_trace *trace, const crew_task *task) {
  trace_unit *at = task->unit->trace;
  if (!at) return TRACE_NONE;
  trace_event event = {.unit = task->unit->id, .cause = TRACE_NONE, .begin = at->now, .op = task->op};
  (task->lane == UNIT_NONE ? time_copy : time_product)(&event, at, task);
  return trace_add(trace, &event);
}

void trace_awaited(host_trace *trace, host_unit *unit, uint32_t event, bool read_only) {
  if (event == TRACE_NONE) return;
  const trace_event *task = &trace->events[event];
  release(unit, read_only ? task->read : task->end, event);
}

/* ---- parts of units ---- */

void trace_fork(host_trace *trace, host_unit *whole, host_unit *part, const ir_op *op) {
  trace_unit *at = trace_unit_of(trace, part);
  if (!at || !whole->trace) return;
  if (unit_index(&whole->plan->machine, part->id) == 0)
    trace_open(trace, whole, (trace_event){.kind = TRACE_STEP, .op = op});
  at->now = whole->trace->now;
  at->last = TRACE_NONE;
}

void trace_join(host_trace *trace, host_unit *whole, const host_unit *part) {
  if (!whole->trace || !part->trace) return;
  if (part->trace->now > whole->trace->now) whole->trace->now = part->trace->now;
  if (whole->member->parts_left == 0) trace_close(trace, whole);
}

/* ---- the end ---- */

static void record_stuck(host_trace *trace, const host_unit *unit, uint64_t end) {
  const crew_member *member = unit->member;
  if (!member->waits_at || !unit->trace) return;
  for (uint32_t i = 0; member->split && i < member->part_count; i++) record_stuck(trace, member->parts[i], end);
  const crew_element *at = &member->waits_for;
  const bool phased = at->sync && at->sync->root->kind == IR_BARRIER;
  trace_add(trace, &(trace_event){.kind = TRACE_STUCK,
                                  .unit = unit->id,
                                  .cause = TRACE_NONE,
                                  .begin = unit->trace->now,
                                  .end = end,
                                  .amount = phased ? crew_barrier(at)->phase : 0,
                                  .op = member->waits_at,
                                  .root = at->sync ? at->sync->root : NULL,
                                  .element = at->index});
}

void trace_stuck(crew *c) {
  const uint64_t end = c->plan->trace->end + trace_ticks(TRACE_COST_DELAY, 0);
  for (uint32_t p = 0; p < c->places; p++)
    for (uint32_t i = 0; i < c->cluster_units; i++)
      if (c->place[p]->units[i] && c->place[p]->left > 0) record_stuck(c->plan->trace, c->place[p]->units[i], end);
}

/* ---- races ---- */

/* The latest event of a unit at a place in the text; of a task where the place starts one. */
static uint32_t find_event(const host_trace *trace, const race_side *side) {
  const ir_op *op = side->site;
  for (uint32_t i = trace->count; i-- > 0;) {
    const trace_event *event = &trace->events[i];
    const bool task = op->code == IR_copy || op->code == IR_mma || op->code == IR_claim;
    if (event->op == op && event->unit == side->unit && (event->lane != TRACE_OWN) == task) return i;
  }
  return TRACE_NONE;
}

void trace_races(host_trace *trace, const race *r) {
  for (; trace->races < race_report_count(r); trace->races++) {
    const race_report *found = race_report_at(r, trace->races);
    trace_mark mark = {.unit = found->second.unit, .race = trace->races, .at = trace->end};
    mark.first = find_event(trace, &found->first);
    mark.event = find_event(trace, &found->second);
    if (mark.event != TRACE_NONE) mark.at = trace->events[mark.event].begin;
    trace_add_mark(trace, &mark);
  }
}

void trace_race_told(host_trace *trace, uint32_t which) {
  const size_t count = kiln_diag_count(trace->plan->context);
  const kiln_diag *last = count > 0 ? kiln_diag_get(trace->plan->context, count - 1) : NULL;
  for (uint32_t i = 0; last && i < trace->mark_count; i++)
    if (trace->marks[i].race == which) trace_tell(trace, &trace->marks[i], last);
}
