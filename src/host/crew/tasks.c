/* Tasks: copies and products that go on beside the units which issued them, and tell their end by an arrival or are
 * awaited. When they move on is the crew's to choose, as it is the hardware's: at once, late, or at any time between.
 */
#include <string.h>

#include "host/crew/crew.h"

/* ---- sides ---- */

crew_side crew_side_of(const host_unit *unit, uint32_t box, alloc_block *block) {
  const kiln_host_plan *plan = unit->plan;
  const uint32_t root = plan->boxes[box].root;
  crew_side side = {
      .box = unit->box[box], .info = plan->boxes[box], .root = &plan->roots[root], .block = unit->block[root]};
  if (!block) return side;
  side.block = block;
  side.box.root = block->bytes;
  return side;
}

ir_space crew_side_space(const crew_side *side) {
  return side->block ? space_info_of(side->block->item.key.space)->named : IR_SPACE_REGS;
}

uint64_t crew_side_bytes(const crew_side *side) {
  return (uint64_t)host_box_count(&side->info) * ir_dtype_bytes(side->info.dtype);
}

/* ---- stages ---- */

static const struct {
  uint64_t (*bytes)(const crew_task *task);
  void (*read)(const crew_task *task, crew_part *part, uint8_t *data);
  void (*write)(const crew_task *task, const crew_part *part, uint8_t *data);
} kinds[CREW_TASKS] = {
#define CREW_TASK(id, bytes, read, write, ...) [CREW_##id] = {bytes, read, write},
#include "host/crew/task_kinds.def"
};

uint64_t crew_task_bytes(const crew_task *task) { return kinds[task->kind].bytes ? kinds[task->kind].bytes(task) : 0; }

static void read_part(const crew_task *task, crew_part *part, uint8_t *data) {
  if (kinds[task->kind].read) kinds[task->kind].read(task, part, data);
}

static void write_part(const crew_task *task, const crew_part *part, uint8_t *data) {
  if (kinds[task->kind].write) kinds[task->kind].write(task, part, data);
}

static void arrive(crew *c, const crew_task *task, const crew_part *part) {
  if (c->plan->trace) trace_act(c->plan->trace, task->event);
  sync_result result = crew_arrive_in_parts(c, &part->arrival, task->unit->id, task->race, task->whole);
  if (result.state == SYNC_FAULT && !crew_report_fault(c, task->unit, result, &part->arrival, task->op))
    c->launch->stop = true;
}

choice_who crew_task_who(const crew_task *task) {
  return task->lane == UNIT_NONE ? task->name : CHOICE_LANE | task->lane;
}

/* What others may learn from a task that moves on. */
static void tell(crew *c, const crew_task *task) {
  const bool combines = task->kind == CREW_COPY && task->op->attrs->combine != IR_COMBINE_SET;
  crew_tell(c, (choice_touch){.kind = CHOICE_NEED, .object = task->name});
  if (task->lane != UNIT_NONE) {
    const uint64_t next = crew_object(task->lane, CHOICE_NEED);
    crew_tell(c, (choice_touch){.kind = CHOICE_NEED, .object = next});
    crew_tell(c, (choice_touch){.kind = CHOICE_MAKE, .object = next});
  }
  if (combines) crew_tell(c, (choice_touch){.kind = CHOICE_ATOMIC, .object = crew_block_name(task->one.to.block)});
}

static void advance(crew *c, crew_task *task) {
  const uint64_t each = task->bytes / task->part_count;
  for (uint32_t i = 0; i < task->part_count; i++) {
    crew_part *part = &task->parts[i];
    uint8_t *data = task->data ? task->data + i * each : NULL;
    if (task->stage == COPY_STARTED)
      read_part(task, part, data);
    else
      write_part(task, part, data);
  }
  task->stage = task->stage == COPY_STARTED ? COPY_READ : COPY_WRITTEN;
  if (c->by) tell(c, task);
  if (task->queue) copy_advance(task->queue, task->id, task->stage);
  for (uint32_t i = 0; task->stage == COPY_WRITTEN && i < task->part_count; i++)
    if (task->parts[i].arrives) arrive(c, task, &task->parts[i]);
  if (task->stage == COPY_WRITTEN && !task->queue && c->race) race_end(c->race, task->race);
}

/* ---- the list ---- */

static void free_task(crew *c, crew_task *task) {
  mem_free(c->mem, task->data, (size_t)task->bytes);
  if (task->parts != &task->one) mem_free(c->mem, task->parts, crew_parts_bytes(task));
  mem_free(c->mem, task, sizeof *task);
}

static void take_out(crew *c, const crew_task *task) {
  crew_task *before = NULL;
  for (crew_task *at = c->tasks; at != task; at = at->next) before = at;
  *(before ? &before->next : &c->tasks) = task->next;
  if (c->last_task == task) c->last_task = before;
}

static void advance_listed(crew *c, crew_task *task) {
  c->idle = 0;
  if (task->stage == COPY_READ) take_out(c, task); /* first: it may be asked for by those whom it wakes */
  advance(c, task);
  if (task->stage == COPY_WRITTEN) free_task(c, task);
}

unit_id crew_tensor_lane(const host_unit *unit) {
  return unit_above(&unit->plan->machine, unit->id, DEPTH_GPU_CLUSTER);
}

/* The task that has to move on before this one can. */
static crew_task *head_of(const crew *c, crew_task *task) {
  if (task->lane == UNIT_NONE) return task;
  crew_task *head = c->tasks;
  while (head->lane != task->lane) head = head->next;
  return head;
}

void crew_finish(crew *c, crew_task *task, copy_stage stage) {
  for (bool done = false; !done;) {
    crew_task *head = head_of(c, task);
    done = head == task && task->stage + 1u >= stage;
    advance_listed(c, head);
  }
}

bool crew_advance_any(crew *c) {
  uint64_t count = 0;
  if (!c->tasks) return false;
  for (const crew_task *task = c->tasks; task; task = task->next) count++;
  uint64_t which = c->timing == KILN_TIMING_RANDOM ? sched_random(&c->queue.state) % count : 0;
  crew_task *task = c->tasks;
  while (which-- > 0) task = task->next;
  advance_listed(c, head_of(c, task));
  return true;
}

void crew_pass_time(crew *c) {
  if (c->timing == KILN_TIMING_RANDOM && c->tasks && sched_random(&c->queue.state) % 4 == 0) crew_advance_any(c);
}

void crew_finish_task(crew *c, copy_queue *queue, uint64_t id, copy_stage stage) {
  for (crew_task *task = c->tasks; task; task = task->next)
    if (task->queue == queue && task->id == id) {
      crew_finish(c, task, stage);
      return;
    }
}

static bool works_on(const crew_task *task, const alloc_block *block) {
  for (uint32_t i = 0; i < task->part_count * (1 + task->more); i++) {
    const crew_part *part = &task->parts[i];
    const bool arrives = part->arrives && part->arrival.sync == block->client;
    if (part->from.block == block || part->to.block == block || part->right.block == block || arrives) return true;
  }
  return false;
}

/* Finishes the unit's tasks; where none is given, those that work on the block. */
static void finish_all(crew *c, const host_unit *unit, const alloc_block *block) {
  for (crew_task *task = c->tasks, *next; task; task = next) {
    next = task->next;
    if (unit ? task->unit != unit : !works_on(task, block)) continue;
    crew_finish(c, task, COPY_WRITTEN);
    next = c->tasks;
  }
}

void crew_finish_unit(crew *c, const host_unit *unit) { finish_all(c, unit, NULL); }
void crew_finish_block(crew *c, const alloc_block *block) { finish_all(c, NULL, block); }

void crew_free_tasks(crew *c) {
  for (crew_task *next; c->tasks; c->tasks = next) {
    next = c->tasks->next;
    free_task(c, c->tasks);
  }
  mem_free(c->mem, c->room, (size_t)c->room_bytes);
}

/* ---- issue ---- */

static bool run_at_once(crew *c, crew_task *task) {
  if (task->bytes > c->room_bytes) {
    uint8_t *room = mem_resize(c->mem, c->room, (size_t)c->room_bytes, (size_t)task->bytes);
    if (!room) return false;
    c->room = room;
    c->room_bytes = task->bytes;
  }
  task->data = c->room;
  advance(c, task);
  advance(c, task);
  return true;
}

/* While a copy is in flight nobody should look at its destination: there is nothing to be seen there. */
static void poison(const crew_task *task) {
  const crew_side *to = &task->parts->to;
  if (task->kind != CREW_COPY || task->op->attrs->combine != IR_COMBINE_SET) return;
  host_fill(task->data, ir_fill_bits(to->info.dtype), (uint32_t)ir_dtype_bytes(to->info.dtype),
            host_box_count(&to->info));
  for (uint32_t i = 0; i < task->part_count; i++) host_box_move(&task->parts[i].to.box, &to->info, task->data, true);
}

/* A copy of the task, in flight. */
static bool list_task(crew *c, const crew_task *task) {
  crew_task *listed = mem_calloc(c->mem, 1, sizeof *listed);
  if (!listed) return false;
  *listed = *task;
  listed->next = NULL;
  listed->parts = task->parts == &task->one ? &listed->one : mem_alloc(c->mem, crew_parts_bytes(task));
  listed->data = mem_alloc(c->mem, (size_t)task->bytes);
  if (!listed->parts || (!listed->data && task->bytes > 0)) {
    free_task(c, listed);
    return false;
  }
  memcpy(listed->parts, task->parts, crew_parts_bytes(task));
  *(c->last_task ? &c->last_task->next : &c->tasks) = listed;
  c->last_task = listed;
  poison(listed);
  if (task->kind == CREW_PRODUCT && !task->parts->from.block) advance(c, listed); /* a tile changes with its unit */
  return true;
}

/* Tasks of a lane come in the order of their issue, the others by themselves. */
static void name_task(crew *c, crew_task *task) {
  if (!c->by) return;
  task->name = choice_task(task->unit->id, ++task->unit->member->issued);
  if (task->lane != UNIT_NONE)
    crew_tell(c, (choice_touch){.kind = CHOICE_QUEUE, .object = crew_object(task->lane, CHOICE_QUEUE)});
  crew_tell(c, (choice_touch){.kind = CHOICE_MAKE, .object = task->name});
}

bool crew_issue(host_unit *unit, crew_task *task, crew_queue_id queue, bool closes) {
  crew *c = unit->member->crew;
  task->unit = unit;
  task->stage = COPY_STARTED;
  name_task(c, task);
  task->queue = queue == CREW_QUEUES ? NULL : &unit->member->queues[queue];
  crew_race_issue(c, task);
  if (c->plan->trace) task->event = trace_issue(c->plan->trace, task);
  const copy_desc desc = {.commit = closes, .client = task->race, .site = task->op, .event = task->event};
  if (task->queue && copy_start(task->queue, &desc, &task->id).state != SYNC_READY) return false;
  return c->timing == KILN_TIMING_EAGER ? run_at_once(c, task) : list_task(c, task);
}

void crew_awaited(void *user, const copy *awaited, bool read_only, bool forgotten) {
  host_unit *unit = user;
  crew_race_awaited(unit, awaited, read_only, forgotten);
  if (unit->plan->trace) trace_awaited(unit->plan->trace, unit, awaited->desc.event, read_only);
}
