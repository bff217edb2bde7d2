/* The recorder of traces: events, clocks, and the steps of units as they are run. */
#include <string.h>

#include "host/trace/trace_inner.h"

host_trace *host_trace_create(mem m) {
  host_trace *trace = mem_calloc(m, 1, sizeof *trace);
  if (!trace) return NULL;
  trace->mem = m;
  trace->actor = TRACE_NONE;
  arena_init(&trace->texts, m, 0);
  return trace;
}

/* Back to an empty one. */
static void empty(host_trace *trace) {
  const mem m = trace->mem;
  for (trace_unit *next; trace->units; trace->units = next) {
    next = trace->units->next;
    mem_free(m, trace->units, sizeof *trace->units);
  }
  mem_free(m, trace->events, trace->capacity * sizeof *trace->events);
  mem_free(m, trace->signals, trace->signal_count * sizeof *trace->signals);
  arena_finish(&trace->texts);
  *trace = (host_trace){.mem = m, .actor = TRACE_NONE};
  arena_init(&trace->texts, m, 0);
}

void host_trace_destroy(host_trace *trace) {
  if (!trace) return;
  empty(trace);
  mem_free(trace->mem, trace, sizeof *trace);
}

void host_trace_attach(kiln_host_plan *plan, host_trace *trace) {
  empty(trace);
  trace->plan = plan;
  trace->told = kiln_diag_count(plan->context);
  plan->trace = trace;
}

void host_trace_explored(host_trace *trace, kiln_host_plan *plan, const kiln_array *arrays, size_t array_count,
                         const kiln_exploration *explored) {
  const size_t before = kiln_diag_count(plan->context);
  const kiln_str choices = explored->found_count > 0 ? explored->found[0].choices : STR("-");
  kiln_schedule shown;
  host_trace_attach(plan, trace);
  kiln_host_replay(plan, arrays, array_count, choices, &shown);
  diag_sink_rewind(plan->context->diags, before);
}

/* ---- events ---- */

static bool make_room(host_trace *trace) {
  if (trace->count == TRACE_EVENTS) return false;
  trace_event *events = mem_grow(trace->mem, trace->events, &trace->capacity, trace->count + 1, sizeof *events);
  if (events) trace->events = events;
  return events;
}

uint32_t trace_add(host_trace *trace, const trace_event *event) {
  if (event->end > trace->end) trace->end = event->end;
  if (!make_room(trace)) {
    trace->dropped++;
    return TRACE_NONE;
  }
  trace->events[trace->count] = *event;
  return trace->count++;
}

/* More of the same work of a unit, straight behind it. */
static bool continues(const trace_event *before, const trace_event *event) {
  if (before->kind != event->kind || before->unit != event->unit) return false;
  if (event->op && event->op->code == IR_test && before->op == event->op) return true; /* it asks again and again */
  if (before->end != event->begin) return false;
  if (event->kind == TRACE_COMPUTE) return true;
  return (event->kind == TRACE_LOAD || event->kind == TRACE_STORE) && before->op == event->op &&
         before->root == event->root;
}

static void add_own(host_trace *trace, trace_unit *at, const trace_event *event) {
  trace_event *before = at->last == TRACE_NONE ? NULL : &trace->events[at->last];
  if (!before || !continues(before, event)) {
    at->last = trace_add(trace, event);
    return;
  }
  before->end = event->end;
  before->amount += event->amount;
  if (event->end > trace->end) trace->end = event->end;
}

/* ---- units ---- */

trace_unit *trace_unit_of(host_trace *trace, host_unit *unit) {
  if (unit->trace) return unit->trace;
  trace_unit *at = mem_calloc(trace->mem, 1, sizeof *at);
  if (!at) return NULL;
  *at = (trace_unit){.next = trace->units, .cause = TRACE_NONE, .last = TRACE_NONE};
  trace->units = at;
  return unit->trace = at;
}

void trace_open(host_trace *trace, host_unit *unit, trace_event frame) {
  trace_unit *at = unit->trace;
  if (at->open_count == sizeof at->open / sizeof *at->open) return;
  frame.unit = unit->id;
  frame.begin = frame.end = at->now;
  frame.cause = TRACE_NONE;
  frame.depth = at->open_count;
  at->open[at->open_count++] = trace_add(trace, &frame);
  at->last = TRACE_NONE;
}

void trace_close(host_trace *trace, host_unit *unit) {
  trace_unit *at = unit->trace;
  if (at->open_count == 0) return;
  const uint32_t which = at->open[--at->open_count];
  if (which != TRACE_NONE) trace->events[which].end = at->now;
  at->last = TRACE_NONE;
}

void trace_start(host_trace *trace, host_unit *unit) {
  trace_unit *at = trace_unit_of(trace, unit);
  if (!at) return;
  at->last = TRACE_NONE;
  while (at->open_count > 0) trace_close(trace, unit);
  if (!unit->member && unit->plan->grid.rank > 0)
    trace_open(trace, unit, (trace_event){.kind = TRACE_POINT, .element = unit->step.flat});
}

void trace_meet(host_trace *trace, host_unit *const *units, uint32_t count) {
  uint64_t latest = 0;
  for (uint32_t i = 0; i < count; i++) {
    const trace_unit *at = trace_unit_of(trace, units[i]);
    if (at && at->now > latest) latest = at->now;
  }
  for (uint32_t i = 0; i < count; i++)
    if (units[i]->trace) units[i]->trace->now = latest;
}

/* ---- faults ---- */

void trace_add_mark(host_trace *trace, const trace_mark *mark) {
  if (trace->mark_count < TRACE_MARKS) trace->marks[trace->mark_count++] = *mark;
}

void trace_tell(host_trace *trace, trace_mark *mark, const kiln_diag *diag) {
  jmp_buf out;
  mark->name = str_from(diag->name);
  if (ARENA_GUARD(&trace->texts, out)) mark->message = str_copy(&trace->texts, diag->message);
  trace->texts.guard = NULL;
}

/* A deadlock is marked where a unit stands that waits. */
static uint32_t stuck_event(const host_trace *trace, const kiln_diag *diag) {
  if (diag->code != diag_code(DIAG_deadlock)) return TRACE_NONE;
  for (uint32_t i = trace->count; i-- > 0;)
    if (trace->events[i].kind == TRACE_STUCK) return i;
  return TRACE_NONE;
}

/* Faults that were told of since. */
static void look(host_trace *trace) {
  kiln_context *context = trace->plan->context;
  for (const size_t count = kiln_diag_count(context); trace->told < count; trace->told++) {
    const kiln_diag *diag = kiln_diag_get(context, trace->told);
    trace_mark mark = {
        .unit = UNIT_NONE, .at = trace->end, .first = TRACE_NONE, .event = TRACE_NONE, .race = TRACE_NONE};
    if (diag->severity != KILN_FAULT || diag->code == diag_code(DIAG_race)) continue;
    mark.event = stuck_event(trace, diag);
    if (trace->clock && diag->unit.size > 0) {
      mark.unit = trace->who;
      mark.at = trace->clock->now;
      mark.event = trace->clock->last;
    }
    if (mark.event != TRACE_NONE) mark.unit = trace->events[mark.event].unit;
    trace_tell(trace, &mark, diag);
    trace_add_mark(trace, &mark);
  }
}

/* ---- steps of the grid ---- */

/* Which of the plan's steps a loop walks; step_count: none. */
static uint32_t step_of(const kiln_host_plan *plan, const host_loop *loop) {
  uint32_t s = 0;
  while (s < plan->step_count && plan->steps[s].slot != loop->index) s++;
  return s;
}

/* A loop that the grid's sequential axis has become: where the instruction leads is what comes next. */
static void follow_loop(host_trace *trace, host_unit *unit, const host_instr *instr) {
  const host_loop *loop = instr->detail;
  const bool begins = instr->code == HOST_LOOP_BEGIN, jumped = unit->pc == instr->target;
  const uint32_t step = step_of(unit->plan, loop);
  if (step == unit->plan->step_count) return;
  if (!begins) trace_close(trace, unit);
  const trace_event frame = {.kind = TRACE_STEP, .amount = step, .element = (uint64_t)host_cell(unit, loop->index)};
  if (begins != jumped) trace_open(trace, unit, frame);
}

/* ---- instructions ---- */

static void record_wait(host_trace *trace, host_unit *unit, const host_instr *instr) {
  trace_unit *at = unit->trace;
  const bool waited = at->released > at->now;
  const uint64_t from = at->now;
  if (waited) at->now = at->released;
  at->now += trace_ticks(TRACE_COST_RELEASED, 0);
  const bool shown = instr->code == HOST_WAIT || instr->code == HOST_TEST || waited;
  trace_event event = {.kind = instr->code == HOST_TEST ? TRACE_HANDOFF : TRACE_WAIT,
                       .unit = unit->id,
                       .cause = at->cause,
                       .begin = from,
                       .end = at->now,
                       .amount = at->amount,
                       .op = instr->source,
                       .root = at->asked.sync ? at->asked.sync->root : NULL,
                       .element = at->asked.index};
  if (shown) at->last = trace_add(trace, &event);
}

static void record_work(host_trace *trace, host_unit *unit, const host_instr *instr) {
  trace_unit *at = unit->trace;
  const trace_work work = trace_work_of(unit, instr);
  const trace_event event = {.kind = work.kind,
                             .unit = unit->id,
                             .cause = TRACE_NONE,
                             .begin = at->now,
                             .end = at->now + work.ticks,
                             .amount = work.amount,
                             .op = instr->source,
                             .root = work.root};
  at->now = event.end;
  if (work.kind != TRACE_KINDS) add_own(trace, at, &event);
}

static void record(host_trace *trace, host_unit *unit, const host_instr *instr) {
  trace_unit *at = unit->trace;
  if (instr->code == HOST_LOOP_BEGIN || instr->code == HOST_LOOP_NEXT) follow_loop(trace, unit, instr);
  const bool acted = trace->actor != TRACE_NONE && trace->events[trace->actor].lane == TRACE_OWN;
  if (at->released > 0)
    record_wait(trace, unit, instr);
  else if (!acted) /* what has handed something over has its event already */
    record_work(trace, unit, instr);
}

host_status trace_step(host_unit *unit, uint64_t budget) {
  host_trace *trace = unit->plan->trace;
  trace_unit *at = trace_unit_of(trace, unit);
  host_status status = HOST_RUNNING;
  for (; budget > 0 && status == HOST_RUNNING; budget--) {
    const host_instr *instr = &unit->plan->code[unit->pc];
    trace->running = unit;
    trace->clock = at;
    trace->who = unit->id;
    trace->actor = TRACE_NONE;
    if (at) at->released = 0, at->cause = TRACE_NONE, at->asked.sync = NULL;
    status = host_unit_step(unit, 1);
    if (at && status != HOST_BLOCKED) record(trace, unit, instr);
    if (unit->member && unit->member->crew->race) trace_races(trace, unit->member->crew->race);
    look(trace);
    while (at && status == HOST_DONE && at->open_count > 0) trace_close(trace, unit);
  }
  return status;
}

void trace_finish(host_trace *trace) {
  kiln_host_plan *plan = (kiln_host_plan *)(uintptr_t)trace->plan;
  look(trace);
  for (uint32_t w = 0; w < plan->worker_count; w++) plan->workers[w]->trace = NULL;
  plan->trace = NULL;
}
