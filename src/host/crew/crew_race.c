/* What the race detector is told of a crew, while checking: accesses of units, tasks and what they touch, and at the
 * end its reports. Places in the program are ops. */
#include "host/crew/crew.h"

/* ---- memory ---- */

/* Accumulators and registers are, where threads split. */
static bool is_shared(const crew *c, const host_root *root) {
  return root->kind == IR_REF && (c->splits || space_info_of(root->space)->depth < DEPTH_GPU_THREAD);
}

void crew_race_begin(crew *c, alloc_block *block, const host_root *root) {
  if (c->race && is_shared(c, root)) block->client = race_buffer_new(c->race, root, block->item.size / root->grain);
}

/* Memory of the outermost region ends with its units: what is in flight then does no harm. */
void crew_race_release(const host_unit *unit, alloc_block *block, const host_root *root) {
  const crew *c = unit->member->crew;
  if (!c->race || !is_shared(c, root)) return;
  const bool inner = !ir_lives_to_end(c->plan->kernel, root->made_by);
  race_buffer_release(c->race, block->client, unit->id);
  if (alloc_ends(block)) race_buffer_free(c->race, block->client, unit->id, inner ? root->made_by : NULL);
}

/* ---- accesses of units ---- */

/* The elements of a box that exist, in grains of their memory; false when there are none. */
static bool area_of(const host_box *box, const host_box_info *info, uint32_t grain, race_area *out) {
  int64_t offset = box->offset;
  *out = (race_area){.rank = info->rank, .width = (uint32_t)ir_dtype_bytes(info->dtype) / grain};
  for (uint32_t d = 0; d < info->rank; d++) {
    if (box->low[d] >= box->high[d]) return false;
    offset += box->low[d] * info->strides[d];
    out->extents[d] = box->high[d] - box->low[d];
    out->strides[d] = info->strides[d] / grain;
  }
  out->offset = offset / grain;
  return info->rank > 0 || box->inside;
}

static uint32_t grain_of(const host_unit *unit, uint32_t box) {
  return unit->plan->roots[unit->plan->boxes[box].root].grain;
}

/* Tells of all elements of a box that exist, as one row where they lie side by side. */
static void touch_box(race *r, const race_access *access, const host_box *box, const host_box_info *info,
                      uint32_t grain) {
  const uint64_t run = host_box_run(box, info);
  race_area area;
  if (run > 0) {
    race_touch_begin(r, access);
    race_touch_row(r, box->offset / grain, 1, run / grain);
    race_touch_end(r);
  } else if (area_of(box, info, grain, &area)) {
    race_touch(r, access, &area);
  }
}

static void touch_row(void *user, host_unit *unit, const host_access *access, const host_row *row) {
  race *r = user;
  const uint8_t *mask = unit->slot[access->mask] + row->at;
  const uint32_t grain = grain_of(unit, access->box);
  for (int64_t i = row->low; i < row->high; i++)
    if (mask[i]) race_touch_row(r, (host_row_element(row, i) - row->root) / grain, 1, row->bytes / grain);
}

/* Loads and stores of tmem are tasks of their own. */
static race_access begin_access(const host_unit *unit, uint32_t box, race_kind kind, const ir_op *op) {
  const crew *c = unit->member->crew;
  const uint32_t root = c->plan->boxes[box].root;
  race_access access = {.buffer = unit->block[root]->client, .unit = unit->id, .kind = kind, .site = op};
  if (space_info_of(c->plan->roots[root].space)->named != IR_SPACE_TMEM) return access;
  access.kind = kind == RACE_LOAD ? RACE_TMEM_LOAD : RACE_TMEM_STORE;
  access.op = race_issue(c->race, unit->id, kind == RACE_LOAD ? RACE_TASK_TMEM_LOAD : RACE_TASK_TMEM_STORE, op, NULL);
  return access;
}

static void end_access(race *r, const race_access *access) {
  if (access->op) race_end(r, access->op);
}

static bool is_watched(const host_unit *unit, uint32_t box) {
  const uint32_t root = unit->plan->boxes[box].root;
  if (!unit->member || !unit->member->crew->race || !unit->block[root]->client) return false;
  return is_shared(unit->member->crew, &unit->plan->roots[root]);
}

void crew_touch(host_unit *unit, const host_access *access, race_kind kind, const ir_op *op) {
  if (!is_watched(unit, access->box)) return;
  race *r = unit->member->crew->race;
  race_access touched = begin_access(unit, access->box, kind, op);
  if (access->mask != HOST_NONE) {
    race_touch_begin(r, &touched);
    host_each_row(unit, access, touch_row, r);
    race_touch_end(r);
  } else {
    touch_box(r, &touched, &unit->box[access->box], &unit->plan->boxes[access->box], grain_of(unit, access->box));
  }
  end_access(r, &touched);
}

void crew_touch_element(host_unit *unit, uint32_t box, uint64_t offset, race_kind kind, const ir_op *op) {
  if (!is_watched(unit, box)) return;
  const uint32_t grain = grain_of(unit, box);
  const race_area area = {.offset = (int64_t)(offset / grain),
                          .width = (uint32_t)ir_dtype_bytes(unit->plan->boxes[box].dtype) / grain};
  race_access touched = begin_access(unit, box, kind, op);
  race_touch(unit->member->crew->race, &touched, &area);
  end_access(unit->member->crew->race, &touched);
}

void crew_order_element(host_unit *unit, uint32_t box, uint64_t offset, ir_order order) {
  if (!is_watched(unit, box)) return;
  race_buffer *buffer = unit->block[unit->plan->boxes[box].root]->client;
  (order == IR_ORDER_RELEASE ? race_release : race_acquire)(unit->member->crew->race, buffer,
                                                            offset / grain_of(unit, box), unit->id);
}

/* ---- tasks ---- */

static void touch_side(race *r, const crew_task *task, const crew_side *side, race_kind kind) {
  if (!side->block || !side->block->client) return;
  const race_access access = {.buffer = side->block->client, .op = task->race, .kind = kind, .site = task->op};
  touch_box(r, &access, &side->box, &side->info, side->root->grain);
}

static void touch_copy(race *r, const crew_task *task, const crew_part *part) {
  const ir_space from = crew_side_space(&part->from), to = crew_side_space(&part->to);
  race_kind load = from == IR_SPACE_SMEM ? RACE_COPY_OUT_LOAD : RACE_COPY_IN_LOAD, store = RACE_COPY_OUT_STORE;
  if (to == IR_SPACE_TMEM) load = RACE_COPY_TMEM_LOAD, store = RACE_COPY_TMEM_STORE;
  if (to == IR_SPACE_SMEM) store = RACE_COPY_IN_STORE;
  if (task->op->attrs->combine != IR_COMBINE_SET) store = RACE_COPY_OUT_UPDATE;
  touch_side(r, task, &part->from, load);
  touch_side(r, task, &part->to, store);
}

static void touch_product(race *r, const crew_task *task, const crew_part *part) {
  const bool tensor = crew_side_space(&part->to) == IR_SPACE_TMEM, left = crew_side_space(&part->from) == IR_SPACE_TMEM;
  touch_side(r, task, &part->from, !tensor ? RACE_WGMMA_LOAD : left ? RACE_MMA_LOAD_TMEM : RACE_MMA_LOAD_SMEM);
  for (uint32_t i = 0; i < task->more; i++) touch_side(r, task, crew_more_of(task, part, i), RACE_MMA_LOAD_TMEM);
  touch_side(r, task, &part->right, tensor ? RACE_MMA_LOAD_SMEM : RACE_WGMMA_LOAD);
  touch_side(r, task, &part->to, tensor ? RACE_MMA_STORE : RACE_WGMMA_STORE);
}

static void touch_claim(race *r, const crew_task *task, const crew_part *part) {
  touch_side(r, task, &part->to, RACE_CLAIM_STORE);
}

static const struct {
  void (*touch)(race *r, const crew_task *task, const crew_part *part);
  race_task task, in_tmem;
} kinds[CREW_TASKS] = {
#define CREW_TASK(id, bytes, read, write, touch, race, in_tmem) \
  [CREW_##id] = {touch, RACE_TASK_##race, RACE_TASK_##in_tmem},
#include "host/crew/task_kinds.def"
};

static void touch_part(race *r, const crew_task *task, const crew_part *part) {
  if (kinds[task->kind].touch) kinds[task->kind].touch(r, task, part);
}

static race_task task_of(const crew_task *task) {
  const bool in_tmem = crew_side_space(&task->parts->to) == IR_SPACE_TMEM;
  return in_tmem ? kinds[task->kind].in_tmem : kinds[task->kind].task;
}

/* Accesses are judged by what orders them, not by when they are told: all of a task's are known at its issue. */
void crew_race_issue(crew *c, crew_task *task) {
  if (!c->race) return;
  const race_task kind = task_of(task);
  const crew_side *sum = &task->parts->to;
  race_pipe pipe = {.across = task->op->attrs->across, .type = (uint32_t)sum->info.dtype};
  if (kind == RACE_TASK_MMA) {
    pipe.buffer = sum->block->client;
    area_of(&sum->box, &sum->info, sum->root->grain, &pipe.area);
  }
  const bool piped = kind == RACE_TASK_MMA || kind == RACE_TASK_COPY_TMEM;
  task->race = race_issue(c->race, task->unit->id, kind, task->op, piped ? &pipe : NULL);
  for (uint32_t i = 0; i < task->part_count; i++) touch_part(c->race, task, &task->parts[i]);
}

void crew_race_awaited(host_unit *unit, const copy *awaited, bool read_only, bool forgotten) {
  race *r = unit->member->crew->race;
  if (!r) return;
  race_await(r, unit->id, awaited->desc.client, read_only);
  if (forgotten && !awaited->origin) race_end(r, awaited->desc.client); /* else it is the whole's to end */
}

/* ---- the launch ---- */

/* Arrays that no unit can write have no races. */
static bool may_change(const ir_kernel *k, uint32_t param) {
  bool changes = k->params[param].direction != KILN_IN;
  for (uint32_t p = 0; p < k->param_count; p++) changes = changes || k->params[p].alias == (int32_t)param;
  return changes;
}

static void watch_param(crew *c, uint32_t param) {
  alloc_block *const *block = c->plan->block;
  const int32_t alias = c->plan->kernel->params[param].alias;
  if (alias >= 0 && block[alias]->bytes == block[param]->bytes)
    block[param]->client = block[alias]->client;
  else if (may_change(c->plan->kernel, param))
    crew_race_begin(c, block[param], &c->plan->roots[param]);
}

static bool is_whole(void *user, ir_op *op) {
  (void)user;
  return op->code != IR_warps;
}

void crew_race_open(crew *c) {
  const kiln_host_plan *plan = c->plan;
  if (!plan->check) return;
  c->splits = !ir_walk(plan->kernel->body, is_whole, NULL);
  c->race = race_create(c->mem, plan->machine.units);
  if (!c->race) launch_run_out(c->launch);
  for (uint32_t p = 0; c->race && p < plan->kernel->param_count; p++) watch_param(c, p);
}

void crew_race_close(crew *c) {
  for (uint32_t i = 0; c->race && i < race_report_count(c->race); i++) {
    crew_report_race(c, race_report_at(c->race, i));
    if (c->plan->trace) trace_race_told(c->plan->trace, i);
  }
  if (c->race && race_failed(c->race)) launch_run_out(c->launch); /* it may have missed some */
  race_destroy(c->race);
  c->race = NULL;
  for (uint32_t p = 0; p < c->plan->kernel->param_count; p++) c->plan->block[p]->client = NULL;
}
