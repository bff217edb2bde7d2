/* Splitting a unit into its parts: they begin as it is, run on their own, and it goes on when all have ended. */
#include <string.h>

#include "host/crew/crew.h"

static bool make_parts(crew *c, crew_member *member, uint32_t count) {
  if (member->parts) return true;
  member->parts = mem_calloc(c->mem, count, sizeof *member->parts);
  if (!member->parts) return false;
  member->part_count = count;
  for (uint32_t i = 0; i < count; i++)
    if (!(member->parts[i] = crew_new_member(c))) return false;
  return true;
}

static void become_part(host_unit *part, host_unit *whole, uint32_t index, uint32_t begin, uint32_t cell) {
  const kiln_host_plan *plan = whole->plan;
  part->id = unit_child(&plan->machine, whole->id, index);
  part->pc = begin;
  part->step = whole->step;
  part->faults = whole->faults;
  part->serials = key_fork(&whole->serials);
  part->member->whole = whole;
  part->member->cluster = whole->member->cluster;
  memcpy(part->frame, whole->frame, (size_t)plan->strips_offset);
  memcpy(part->box, whole->box, plan->box_count * sizeof *part->box);
  memcpy(part->block, whole->block, plan->root_count * sizeof(alloc_block *));
  host_set_cell(part, cell, (int32_t)index);
  for (uint32_t q = 0; q < CREW_QUEUES; q++)
    if (!copy_queue_fork(&part->member->queues[q], &whole->member->queues[q]))
      launch_run_out(whole->member->crew->launch);
  if (part->member->crew->race) race_fork(part->member->crew->race, whole->id, part->id);
  if (plan->trace) trace_fork(plan->trace, whole, part, plan->code[whole->pc].source);
  crew_begin(part);
}

host_status crew_split(host_unit *unit, uint32_t begin, const host_instr *instr) {
  crew_member *member = unit->member;
  const host_crew_op *what = instr->detail;
  const uint32_t count = unit->plan->machine.size[DEPTH_GPU_WARP];
  if (member->split) {
    crew_tell(member->crew, (choice_touch){.kind = CHOICE_NEED, .object = crew_object(unit->id, CHOICE_MAKE)});
    return member->split = false, HOST_RUNNING;
  }
  if (!make_parts(member->crew, member, count)) return launch_run_out(member->crew->launch), HOST_FAILED;
  member->split = true;
  crew_tell(member->crew, (choice_touch){.kind = CHOICE_MAKE, .object = crew_object(unit->id, CHOICE_NEED)});
  member->parts_left = count;
  member->waits_at = instr->source;
  for (uint32_t i = 0; i < count; i++) become_part(member->parts[i], unit, i, begin, what->out);
  return HOST_BLOCKED;
}

/* What a part leaves in flight is the whole's to await. */
typedef struct heir {
  crew *crew;
  const copy_queue *from;
  copy_queue *to;
} heir;

static void hand_task(void *user, uint64_t from, uint64_t to) {
  const heir *h = user;
  for (crew_task *task = h->crew->tasks; task; task = task->next)
    if (task->queue == h->from && task->id == from) {
      task->queue = h->to;
      task->id = to;
      return;
    }
}

static void hand_over(crew *c, copy_queue *from, copy_queue *to) {
  if (!copy_queue_join(to, from, hand_task, &(heir){c, from, to})) launch_run_out(c->launch);
}

void crew_join(host_unit *part) {
  host_unit *whole = part->member->whole;
  crew *c = part->member->crew;
  crew_tell(c, (choice_touch){.kind = CHOICE_MAKE, .object = crew_object(whole->id, CHOICE_MAKE)});
  for (uint32_t q = 0; q < CREW_QUEUES; q++) hand_over(c, &part->member->queues[q], &whole->member->queues[q]);
  for (crew_task *task = c->tasks; task; task = task->next)
    if (task->unit == part) task->unit = whole;
  if (c->race) race_join(c->race, whole->id, part->id);
  key_join(&whole->serials, &part->serials);
  whole->member->parts_left--;
  if (c->plan->trace) trace_join(c->plan->trace, whole, part);
  if (whole->member->parts_left > 0) return;
  for (uint32_t q = 0; q < CREW_QUEUES; q++) copy_queue_joined(&whole->member->queues[q]);
  crew_begin(whole);
}
