/* Copies between memories: their issue, what they read and write, and how units close and await groups of them. */
#include <string.h>

#include "host/crew/crew.h"

/* ---- what a copy does ---- */

/* What does not exist reads as zero. */
void crew_copy_read(const crew_task *task, crew_part *part, uint8_t *data) {
  if (task->direct) return;
  if (task->op->attrs->combine != IR_COMBINE_SET)
    crew_check_written(task, &part->from);
  else if (part->from.block->shadow)
    part->unwritten = crew_note_unwritten(&part->from, data + crew_side_bytes(&part->from));
  if (!part->from.box.inside) memset(data, 0, (size_t)crew_side_bytes(&part->from));
  host_box_move(&part->from.box, &part->from.info, data, false);
}

void crew_side_combine(const crew_side *to, ir_code combine, uint8_t *data, uint8_t *spare) {
  const bool in_place = host_box_run(&to->box, &to->info) > 0;
  uint8_t *sum = in_place ? to->box.root + to->box.offset : spare;
  const void *const in[] = {sum, data, data};
  if (!in_place) host_box_move(&to->box, &to->info, spare, false);
  ir_lanes(combine, to->info.dtype)(sum, in, (size_t)host_box_count(&to->info));
  if (!in_place) host_box_move(&to->box, &to->info, spare, true);
}

void crew_copy_write(const crew_task *task, const crew_part *part, uint8_t *data) {
  const uint32_t combine = task->op->attrs->combine;
  if (task->direct)
    host_box_copy(&part->to.box, &part->to.info, &part->from.box, &part->from.info);
  else if (combine == IR_COMBINE_SET)
    host_box_move(&part->to.box, &part->to.info, data, true);
  else
    crew_side_combine(&part->to, (ir_code)(combine - 1), data, data + crew_side_bytes(&part->to));
  if (part->unwritten)
    crew_carry_unwritten(&part->to, data + crew_side_bytes(&part->to));
  else
    crew_mark_written(&part->to);
}

/* What is read; and behind it what was there before, or what of it was never written. */
uint64_t crew_copy_bytes(const crew_task *task) {
  const crew_part *part = task->parts;
  const bool twice = task->op->attrs->combine != IR_COMBINE_SET || part->from.block->shadow;
  return crew_side_bytes(&part->to) * (twice ? 2 : 1);
}

/* ---- issue ---- */

/* The source of the i-th block of those that share it out: along the dimension that is larger than the destination. */
static void take_share(crew_side *from, const host_box_info *to, uint32_t share) {
  for (uint32_t d = 0; d < to->rank; d++) {
    if (from->info.dims[d] == to->dims[d]) continue;
    const int64_t begin = share * to->dims[d];
    from->box.offset += begin * from->info.strides[d];
    from->box.low[d] = from->box.low[d] > begin ? from->box.low[d] - begin : 0;
    from->box.high[d] = from->box.high[d] - begin < to->dims[d] ? from->box.high[d] - begin : to->dims[d];
    from->info.dims[d] = to->dims[d];
  }
  from->info.run = host_run_bytes(&from->info);
}

/* Copies of a cluster are made by each of its blocks; where only the leader is told, all arrive there as one. */
static host_status share_copy(host_unit *unit, const host_crew_op *what, crew_task *task) {
  const crew *c = unit->member->crew;
  const ir_attrs *attrs = task->op->attrs;
  const uint32_t block = crew_block_index(unit);
  if (attrs->way == IR_WAY_ALL) return HOST_RUNNING;
  if (attrs->way == IR_WAY_SPLIT)
    take_share(&task->one.from, &task->one.to.info, crew_count_along(c, block, attrs->across, block));
  if (!task->one.arrives) return HOST_RUNNING;
  const uint32_t root = unit->plan->boxes[what->sync].root, first = crew_first_along(c, block, attrs->across);
  alloc_block *leader = crew_peer_block(unit, root, first);
  if (!leader) return crew_await_memory(unit, root, first, task->op);
  task->one.arrival.sync = leader->client;
  task->whole = crew_count_along(c, block, attrs->across, c->plan->machine.size[DEPTH_GPU_BLOCK]);
  return HOST_RUNNING;
}

static crew_queue_id queue_of(const crew_task *task) {
  const crew_part *part = &task->one;
  if (part->arrives || task->lane != UNIT_NONE) return CREW_QUEUES;
  return crew_side_space(&part->to) == IR_SPACE_SMEM ? CREW_LOADS : CREW_COPIES;
}

static bool is_direct(const crew *c, const crew_task *task) {
  const crew_part *part = task->parts;
  return c->timing == KILN_TIMING_EAGER && task->op->attrs->combine == IR_COMBINE_SET && part->from.box.inside &&
         part->to.box.inside && crew_all_written(&part->from);
}

host_status crew_copy(host_unit *unit, const host_crew_op *what, const ir_op *op) {
  crew_task task = {.kind = CREW_COPY, .op = op, .part_count = 1, .parts = &task.one};
  crew_part *part = &task.one;
  if (what->condition != HOST_NONE && *unit->slot[what->condition] == 0) return HOST_RUNNING;
  if (ir_copies_to_blocks(op)) return crew_copy_to_blocks(unit, what, op);
  part->from = crew_side_of(unit, what->from, NULL);
  part->to = crew_side_of(unit, what->to, NULL);
  part->arrives = what->sync != HOST_NONE;
  if (part->arrives && !crew_find(unit, what->sync, op, &part->arrival)) return HOST_FAILED;
  const host_status shared = op->attrs->across ? share_copy(unit, what, &task) : HOST_RUNNING;
  if (shared != HOST_RUNNING) return shared;
  /* Products read what copies bring to their memory: those go the same way, in order. */
  task.lane = crew_side_space(&part->to) == IR_SPACE_TMEM ? crew_tensor_lane(unit) : UNIT_NONE;
  task.direct = is_direct(unit->member->crew, &task);
  if (!task.direct) task.bytes = crew_copy_bytes(&task);
  if (crew_issue(unit, &task, queue_of(&task), !op->attrs->open)) return HOST_RUNNING;
  return launch_run_out(unit->member->crew->launch), HOST_FAILED;
}

/* ---- groups ---- */

host_status crew_commit(host_unit *unit, const host_crew_op *what, const ir_op *op) {
  if (op->attrs->what == IR_WHAT_MMA) return crew_commit_products(unit, what, op);
  race *r = unit->member->crew->race;
  if (op->attrs->what == IR_WHAT_COPIES) copy_commit(&unit->member->queues[CREW_COPIES]);
  if (op->attrs->what == IR_WHAT_SMEM && r) race_fence(r, unit->id);
  if (op->attrs->what == IR_WHAT_TMEM && r) race_commit_tmem(r, unit->id);
  return HOST_RUNNING;
}

static sync_result ask(copy_queue *queue, bool grouped, bool sources, uint64_t left, uint64_t *next) {
  return grouped ? copy_wait_groups(queue, left, sources, next) : copy_wait_copies(queue, left, sources, next);
}

static crew_queue_id awaited_queue(ir_what what) {
  if (what == IR_WHAT_COPIES) return CREW_COPIES;
  return what == IR_WHAT_LOADS ? CREW_LOADS : CREW_PRODUCTS;
}

/* A part awaits what its whole has started. */
static void finish_awaited(crew *c, copy_queue *queue, uint64_t id, copy_stage stage) {
  copy_queue *whole = copy_find(queue, id)->origin;
  crew_finish_task(c, whole ? whole : queue, id, stage);
}

/* Nobody else can do it: what is awaited is done now at the latest. */
host_status crew_await(host_unit *unit, const host_crew_op *what, const ir_op *op) {
  const bool sources = op->code == IR_await && op->attrs->sources;
  const int32_t left = what->amount == HOST_NONE ? 0 : host_cell(unit, what->amount);
  crew *c = unit->member->crew;
  if (what->what == IR_WHAT_TMEM) {
    if (c->race) race_await_tmem(c->race, unit->id);
    return HOST_RUNNING;
  }
  const crew_queue_id id = awaited_queue(what->what);
  copy_queue *queue = &unit->member->queues[id];
  uint64_t next = 0;
  while (ask(queue, id == CREW_COPIES, sources, left < 0 ? 0 : (uint64_t)left, &next).state == SYNC_BLOCKED)
    finish_awaited(c, queue, next, sources ? COPY_READ : COPY_WRITTEN);
  return HOST_RUNNING;
}
