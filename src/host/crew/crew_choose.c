/* A crew whose every step is chosen from outside.
 *
 * A step of a unit is one instruction by which others may learn of it, then all up to the next such one, which nobody
 * sees. A step of what is in flight is all that is left of one copy or product, where it tells somebody its end; what
 * nobody is told of is done when its unit awaits it. Waits that would block are no choice. */
#include "host/crew/crew.h"
#include "host/trace/trace.h"

enum {
  SETTLE_MOST = 1 << 16, /* instructions that nobody sees, in one step */
  ASKED_MOST = 2,        /* times that a unit may ask in vain while nobody else moves on */
  IDLE_TURNS = 1 << 14   /* so often all who are left may ask in vain */
};

/* ---- what a step touches ---- */

uint64_t crew_object(uint64_t a, uint64_t b) {
  uint64_t state = a * UINT64_C(0x9e3779b97f4a7c15) + b;
  return sched_random(&state);
}

uint64_t crew_block_name(const alloc_block *block) { return key_hash(block->item.key); }

uint64_t crew_element_name(const crew_element *at) {
  return crew_object(at->sync->name, at->block * at->sync->count + at->index + CHOICE_KINDS);
}

/* Who looks again and again touches nothing new. */
static bool is_told(const crew *c, const choice_touch *touch) {
  const choice_touch *last = c->touch_count > 0 ? &c->touches[c->touch_count - 1] : NULL;
  return last && last->kind == touch->kind && last->object == touch->object && last->begin == touch->begin;
}

void crew_tell(crew *c, choice_touch touch) {
  if (!c->by || is_told(c, &touch)) return;
  choice_touch *touches = mem_grow(c->mem, c->touches, &c->touch_capacity, c->touch_count + 1, sizeof touch);
  if (!touches) {
    launch_run_out(c->launch);
    return;
  }
  c->touches = touches;
  touches[c->touch_count++] = touch;
}

/* ---- what is seen ---- */

static bool is_copy_seen(const ir_op *op) {
  return op->attrs->arrives || op->attrs->across || op->attrs->combine != IR_COMBINE_SET ||
         op->operands[1]->type.space == IR_SPACE_TMEM;
}

/* Whether others may learn of the unit's next instruction. */
static bool is_seen(const crew *c, const host_unit *unit) {
  const host_instr *instr = &c->plan->code[unit->pc];
  switch (instr->code) {
    case HOST_ARRIVE:
    case HOST_WAIT:
    case HOST_TEST:
    case HOST_SIGNAL:
    case HOST_COUNT:
    case HOST_PEER:
    case HOST_SPLIT:
    case HOST_CLAIM:
    case HOST_END: return true;
    case HOST_COPY: return is_copy_seen(instr->source);
    case HOST_MMA: return instr->source->operands[0]->type.space == IR_SPACE_TMEM;
    case HOST_COMMIT: return instr->source->attrs->what == IR_WHAT_MMA;
    case HOST_AWAIT: return instr->source->code == IR_await && instr->source->attrs->what == IR_WHAT_COPIES;
    case HOST_INDEXED: return instr->source->code == IR_atomic;
    case HOST_RELEASE: return c->tasks != NULL; /* it ends what works on the memory */
    default: return false;
  }
}

static bool is_task_seen(const crew_task *task) {
  return !task->queue || (task->kind == CREW_COPY && task->op->attrs->combine != IR_COMBINE_SET);
}

/* Whoever asks again and again can be put off until somebody else has moved on: it would hear the same. */
static bool asked_in_vain(const crew *c, const host_unit *unit) {
  return unit->member->asked_at == c->moves + 1 && unit->member->asked >= ASKED_MOST;
}

static bool is_polling(const crew *c, const host_unit *unit) { return unit->member->asked_at == c->moves + 1; }

static bool is_ready(const crew *c, const host_unit *unit) {
  const host_instr *instr = &c->plan->code[unit->pc];
  return instr->code != HOST_WAIT || !crew_would_wait(unit, instr);
}

/* ---- steps ---- */

static void count_vain(crew *c, host_unit *unit) {
  crew_member *member = unit->member;
  if (member->asked_at != c->moves + 1) member->asked = 0;
  member->asked_at = c->moves + 1;
  member->asked++;
  if (!sched_put(&c->queue, unit, false)) launch_run_out(c->launch);
}

static host_status run_instruction(crew *c, host_unit *unit) {
  const uint64_t before = unit->steps;
  const host_status status = host_unit_go(unit, 1);
  return launch_count_steps(c->launch, unit, unit->steps - before) ? HOST_FAILED : status;
}

/* The unit is not in the queue. */
static void follow(crew *c, host_unit *unit, host_status status) {
  if (status == HOST_YIELDED)
    count_vain(c, unit);
  else
    crew_follow(c, unit, status);
}

/* Up to what others see. Who does not get there polls memory. */
static void settle(crew *c, host_unit *unit) {
  host_status status = HOST_RUNNING;
  uint32_t count = 0;
  while (status == HOST_RUNNING && !is_seen(c, unit) && count++ < SETTLE_MOST) status = run_instruction(c, unit);
  follow(c, unit, count > SETTLE_MOST ? HOST_YIELDED : status);
}

static void settle_all(crew *c) {
  for (uint32_t i = 0; i < c->queue.count && !c->launch->stop;) {
    host_unit *unit = sched_at(&c->queue, i);
    if (is_seen(c, unit) || is_polling(c, unit)) {
      i++;
      continue;
    }
    sched_take_at(&c->queue, i);
    settle(c, unit);
    i = 0;
  }
}

static void tell_unit(crew *c, const host_unit *unit) {
  const host_instr *instr = &c->plan->code[unit->pc];
  const host_unit *whole = unit->member->whole;
  if (whole) crew_tell(c, (choice_touch){.kind = CHOICE_NEED, .object = crew_object(whole->id, CHOICE_NEED)});
  if (instr->code != HOST_INDEXED) return;
  const host_indexed *access = instr->detail;
  const alloc_block *block = unit->block[c->plan->boxes[access->from].root];
  crew_tell(c, (choice_touch){.kind = CHOICE_ATOMIC, .object = crew_block_name(block)});
}

static void run_unit(crew *c, uint32_t index) {
  host_unit *unit = sched_take_at(&c->queue, index);
  if (!is_seen(c, unit)) {
    settle(c, unit);
    return;
  }
  tell_unit(c, unit);
  const host_status status = run_instruction(c, unit);
  if (status != HOST_YIELDED) c->moves++;
  follow(c, unit, status);
}

/* ---- choices ---- */

static crew_task *task_of(const crew *c, choice_who who) {
  crew_task *task = c->tasks;
  while (task && (crew_task_who(task) != who || !is_task_seen(task))) task = task->next;
  return task;
}

static uint32_t unit_of(const crew *c, choice_who who) {
  uint32_t index = 0;
  while (index < c->queue.count && ((const host_unit *)sched_at(&c->queue, index))->id != who) index++;
  return index;
}

typedef struct choice_set {
  choice_who *who;
  uint32_t count, room;
} choice_set;

static void add_who(choice_set *set, choice_who who) {
  uint32_t at = set->count;
  for (uint32_t i = 0; i < set->count; i++)
    if (set->who[i] == who) return;
  for (; at > 0 && set->who[at - 1] > who; at--) set->who[at] = set->who[at - 1]; /* in order */
  set->who[at] = who;
  set->count++;
}

/* Where all that could go on ask in vain, the one that asked longest ago; behind the last: there is none. */
static uint32_t find_idle(const crew *c) {
  uint32_t index = 0;
  while (index < c->queue.count && !is_ready(c, sched_at(&c->queue, index))) index++;
  return index;
}

/* Nobody else is there to be chosen: they ask until one is told something, or for ever. */
static void run_idle(crew *c) {
  const uint64_t moves = c->moves;
  for (uint32_t turn = 0; moves == c->moves && !c->launch->stop; turn++) {
    const uint32_t index = find_idle(c);
    if (index == c->queue.count) return;
    const host_unit *unit = sched_at(&c->queue, index);
    if (turn < IDLE_TURNS)
      run_unit(c, index);
    else
      launch_stop_livelock(c->launch, unit, unit->steps);
  }
}

static bool is_anybody_awake(const crew *c) {
  for (const crew_task *task = c->tasks; task; task = task->next)
    if (is_task_seen(task)) return true;
  for (uint32_t i = 0; i < c->queue.count; i++) {
    const host_unit *unit = sched_at(&c->queue, i);
    if (is_ready(c, unit) && !asked_in_vain(c, unit)) return true;
  }
  return false;
}

static choice_set choices(crew *c) {
  choice_set set = {.room = c->queue.count + 1};
  for (const crew_task *task = c->tasks; task; task = task->next) set.room++;
  set.who = mem_alloc(c->mem, set.room * sizeof *set.who);
  if (!set.who) return launch_run_out(c->launch), set;
  for (const crew_task *task = c->tasks; task; task = task->next)
    if (is_task_seen(task)) add_who(&set, crew_task_who(task));
  for (uint32_t i = 0; i < c->queue.count; i++) {
    const host_unit *unit = sched_at(&c->queue, i);
    if (is_ready(c, unit) && !asked_in_vain(c, unit)) add_who(&set, unit->id);
  }
  return set;
}

static choice_who choose(crew *c) {
  choice_set set = choices(c);
  const choice_who who = set.count > 0 ? c->by->choose(c->by->user, set.who, set.count) : CHOICE_NONE;
  if (set.count > 0 && who == CHOICE_NONE) c->launch->stop = true;
  mem_free(c->mem, set.who, set.room * sizeof *set.who);
  return who;
}

/* Those who wait for a count, and would have found it had others not taken it. */
static void tell_stuck(crew *c) {
  for (uint32_t i = 0; i < c->queue.count; i++) {
    const host_unit *unit = sched_at(&c->queue, i);
    const host_instr *instr = &c->plan->code[unit->pc];
    crew_element at;
    if (instr->code != HOST_WAIT || is_ready(c, unit)) continue;
    if (!crew_locate(unit, ((const host_crew_op *)instr->detail)->sync, &at) || at.sync->root->kind == IR_BARRIER)
      continue;
    const choice_touch wish = {.kind = CHOICE_TAKE, .object = crew_element_name(&at), .end = UINT64_MAX};
    c->by->stuck(c->by->user, &(choice_step){unit->id, &wish, 1, instr->source});
  }
}

/* They stand where they wait, so that it can be told. */
static void block_all(crew *c) {
  while (c->queue.count > 0 && !c->launch->stop) {
    host_unit *unit = sched_take_at(&c->queue, 0);
    const host_status status = run_instruction(c, unit);
    if (status != HOST_BLOCKED) follow(c, unit, status);
  }
}

static bool is_faulty(const crew *c) {
  return c->launch->faulty || c->launch->stop || (c->launch->faults && host_faults_count(c->launch->faults) > 0) ||
         (c->race && race_report_count(c->race) > 0);
}

/* One step; what it executes. */
static const ir_op *make_step(crew *c, choice_who who) {
  crew_task *task = task_of(c, who);
  const uint32_t index = task ? 0 : unit_of(c, who);
  const host_instr *instr = task ? NULL : &c->plan->code[((const host_unit *)sched_at(&c->queue, index))->pc];
  const bool ends = instr && (instr->code == HOST_END || instr->code == HOST_RELEASE);
  const ir_op *op = task ? task->op : ends ? NULL : instr->source;
  if (task) {
    c->moves++;
    crew_finish(c, task, COPY_WRITTEN);
  } else {
    run_unit(c, index);
  }
  return op;
}

/* What needs no choice. */
static void pass_unseen(crew *c) {
  settle_all(c);
  while (!c->launch->stop && !is_anybody_awake(c) && find_idle(c) < c->queue.count) {
    run_idle(c);
    settle_all(c);
  }
}

void crew_run_chosen(crew *c) {
  pass_unseen(c);
  for (choice_who who; !c->launch->stop && (who = choose(c)) != CHOICE_NONE;) {
    c->touch_count = 0;
    const ir_op *op = make_step(c, who);
    pass_unseen(c);
    c->by->made(c->by->user, &(choice_step){who, c->touches, c->touch_count, op}, is_faulty(c));
  }
  tell_stuck(c);
  block_all(c);
}
