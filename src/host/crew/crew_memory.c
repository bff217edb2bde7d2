/* Memory that units share: whose scratch it is, who takes part in it, and the barriers and semaphores that live with
 * it. */
#include <string.h>

#include "host/crew/crew.h"

/* ---- owners ---- */

/* Counts that all clusters share; one for each device. */
static bool is_global(const host_root *root) {
  return root->kind == IR_SEMAPHORE && space_info_of(root->space)->storage == SPACE_BUFFER;
}

/* The level of which each unit has one: a scratch in global memory is a block's all the same, and what a warp asks for
 * in registers is its own. */
static uint32_t owner_depth(const host_unit *unit, const host_root *root) {
  const uint32_t depth = space_info_of(root->space)->depth;
  if (is_global(root)) return depth;
  if (root->kind == IR_BARRIER && root->made_by->attrs->across) return DEPTH_GPU_CLUSTER;
  if (depth == DEPTH_GPU_THREAD) return unit_depth(&unit->plan->machine, unit->id);
  return depth < DEPTH_GPU_BLOCK ? DEPTH_GPU_BLOCK : depth;
}

static alloc_key take_key(host_unit *unit, const host_root *root, uint32_t depth) {
  const uint32_t which = (uint32_t)(root - unit->plan->roots);
  alloc_key key = {root->space, unit_above(&unit->plan->machine, unit->id, depth), 0};
  key.serial = is_global(root) ? UINT32_MAX - which : unit->serials.next[depth]++;
  return key;
}

/* ---- barriers and semaphores ---- */

static bool make_barriers(crew *c, crew_sync *sync) {
  const cluster_barrier_desc desc = team_barrier(c->plan->kernel, sync->root->made_by);
  if (cluster_barrier_init(&sync->barriers, c->mem, &desc).state != SYNC_READY) return false;
  sync->blocks = (uint32_t)sync->barriers.blocks;
  return true;
}

static void free_sync(crew *c, crew_sync *sync) {
  for (crew_sync **at = &c->syncs; *at; at = &(*at)->next)
    if (*at == sync) {
      *at = sync->next;
      break;
    }
  for (uint64_t i = 0; c->race && sync->spots && i < sync->count * sync->blocks; i++) {
    race_barrier_free(c->race, &sync->spots[i].barrier);
    race_semaphore_free(c->race, &sync->spots[i].semaphore);
  }
  if (sync->barriers.of_block) cluster_barrier_free(&sync->barriers);
  if (sync->semaphores.elements) semaphore_array_free(&sync->semaphores);
  mem_free(c->mem, sync->spots, sync->count * sync->blocks * sizeof *sync->spots);
  mem_free(c->mem, sync, sizeof *sync);
}

static crew_sync *make_sync(crew *c, const host_root *root, const alloc_block *block) {
  crew_sync *sync = mem_calloc(c->mem, 1, sizeof *sync);
  if (!sync) return NULL;
  *sync = (crew_sync){.next = c->syncs,
                      .name = crew_block_name(block),
                      .root = root,
                      .count = root->bytes / CREW_SYNC_BYTES,
                      .blocks = 1};
  c->syncs = sync;
  const int64_t dims[] = {(int64_t)sync->count};
  bool made = root->kind == IR_BARRIER ? make_barriers(c, sync)
                                       : semaphore_array_init(&sync->semaphores, c->mem, 1, dims).state == SYNC_READY;
  sync->spots = made ? mem_calloc(c->mem, sync->count * sync->blocks, sizeof *sync->spots) : NULL;
  if (sync->spots || sync->count == 0) return sync;
  free_sync(c, sync);
  return NULL;
}

/* What the end of their lives finds. */
static void finish_sync(crew *c, const crew_sync *sync) {
  if (sync->root->made_by->attrs->open) return;
  const bool last = is_global(sync->root) || ir_lives_to_end(c->plan->kernel, sync->root->made_by);
  for (uint32_t block = 0; block < sync->blocks; block++)
    for (uint64_t i = 0; i < sync->count; i++) {
      const crew_element at = {(crew_sync *)(uintptr_t)sync, block, i};
      sync_result end = sync->root->kind == IR_BARRIER ? barrier_finish(crew_barrier(&at), false)
                                                       : semaphore_finish(crew_semaphore(&at), last);
      if (end.state == SYNC_FAULT) crew_report_fault(c, NULL, end, &at, sync->root->made_by);
    }
}

void crew_free_syncs(crew *c, bool finish) {
  while (c->syncs) {
    if (finish) finish_sync(c, c->syncs);
    free_sync(c, c->syncs);
  }
}

/* ---- taking and giving back ---- */

/* What the first sharer finds: accumulators are zero. */
static bool furnish(crew *c, alloc_block *block, const host_root *root) {
  crew_race_begin(c, block, root);
  if (root->kind != IR_REF) return (block->client = make_sync(c, root, block)) != NULL;
  if (space_info_of(root->space)->named == IR_SPACE_ACC && root->bytes > 0)
    memset(block->bytes, 0, (size_t)root->bytes);
  return true;
}

/* Whether others of a cluster may still look at it after the unit has left its region, the whole kernel. */
static bool outlives_unit(const crew *c, const host_root *root) {
  return ir_team_axes_of(c->plan->kernel, IR_TEAM_CLUSTER).count > 0 && ir_lives_to_end(c->plan->kernel, root->made_by);
}

static void let_go(host_unit *unit, uint32_t which) {
  crew *c = unit->member->crew;
  const host_root *root = &c->plan->roots[which];
  alloc_block *block = unit->block[which];
  unit->block[which] = NULL;
  if (alloc_ends(block)) crew_finish_block(c, block);
  crew_race_release(unit, block, root);
  crew_sync *sync = alloc_ends(block) && root->kind != IR_REF ? block->client : NULL;
  if (sync) {
    finish_sync(c, sync);
    free_sync(c, sync);
  }
  alloc_release(c->heap, block);
}

host_status crew_acquire(host_unit *unit, uint32_t which) {
  crew *c = unit->member->crew;
  if (unit->block[which]) let_go(unit, which); /* of the step before */
  const machine *m = &c->plan->machine;
  const host_root *root = &c->plan->roots[which];
  alloc_request request = {.name = root->name, .size = root->bytes, .dtype = root->dtype, .site = which};
  alloc_block *block;
  request.key = take_key(unit, root, owner_depth(unit, root));
  request.sharers = is_global(root) ? UINT32_MAX : unit_below(m, request.key.owner, unit_depth(m, unit->id)).count;
  request.written = root->kind != IR_REF || space_info_of(root->space)->named == IR_SPACE_ACC;
  alloc_result result = alloc_acquire(c->heap, &request, &block);
  if (result == ALLOC_DIVERGED) return crew_report_diverged(unit, which), HOST_FAILED;
  if (result == ALLOC_OVER_TOTAL) return launch_pass_limit(c->launch, root->made_by->loc, NULL), HOST_FAILED;
  if (result != ALLOC_OK || (block->acquired == 1 && !furnish(c, block, root)))
    return launch_run_out(c->launch), HOST_FAILED;
  if (block->acquired == 1) {
    crew_tell(c, (choice_touch){.kind = CHOICE_MAKE, .object = crew_block_name(block)});
    crew_wake(c, &c->for_memory);
  }
  host_bind_root(unit, which, block);
  return HOST_RUNNING;
}

void crew_release(host_unit *unit, uint32_t which) {
  const crew *c = unit->member->crew;
  const host_root *root = &c->plan->roots[which];
  if (is_global(root)) unit->block[which] = NULL;
  if (unit->block[which] && !outlives_unit(c, root)) let_go(unit, which);
}

void crew_release_all(host_unit *unit) {
  const kiln_host_plan *plan = unit->plan;
  for (uint32_t which = plan->kernel->param_count; which < plan->root_count; which++)
    if (unit->block[which]) let_go(unit, which);
}

/* ---- blocks of a cluster ---- */

uint32_t crew_block_index(const host_unit *unit) {
  return unit_index(&unit->plan->machine, unit_above(&unit->plan->machine, unit->id, DEPTH_GPU_BLOCK));
}

bool crew_same_but(const crew *c, uint32_t block, uint32_t other, uint32_t axes) {
  const ir_team_axes cluster = ir_team_axes_of(c->plan->kernel, IR_TEAM_CLUSTER);
  for (uint32_t i = cluster.count; i-- > 0;) {
    const uint32_t extent = (uint32_t)cluster.at[i].extent->value;
    if (!(axes >> i & 1) && block % extent != other % extent) return false;
    block /= extent;
    other /= extent;
  }
  return true;
}

uint32_t crew_first_along(const crew *c, uint32_t block, uint32_t axes) {
  uint32_t first = 0;
  while (!crew_same_but(c, block, first, axes)) first++;
  return first;
}

uint32_t crew_count_along(const crew *c, uint32_t block, uint32_t axes, uint32_t end) {
  uint32_t count = 0;
  for (uint32_t other = 0; other < end; other++) count += crew_same_but(c, block, other, axes);
  return count;
}

alloc_block *crew_peer_block(const host_unit *unit, uint32_t root, uint32_t block) {
  const machine *m = &unit->plan->machine;
  if (!unit->block[root] || block == crew_block_index(unit)) return unit->block[root];
  alloc_key key = unit->block[root]->item.key;
  if (unit_depth(m, key.owner) != DEPTH_GPU_BLOCK) return unit->block[root];
  key.owner = unit_child(m, unit_parent(m, key.owner), block);
  alloc_block *there = alloc_find(unit->heap, key);
  if (there) crew_tell(unit->member->crew, (choice_touch){.kind = CHOICE_NEED, .object = crew_block_name(there)});
  return there;
}

/* Whoever asked for it may have given it back already: no other will come. */
static bool has_left(const host_unit *unit, alloc_key key, uint32_t block) {
  const machine *m = &unit->plan->machine;
  const uint32_t threads = m->size[DEPTH_GPU_THREAD];
  host_unit *const *of_block = &unit->member->cluster->units[block * threads];
  for (uint32_t i = 0; i < threads; i++)
    if (of_block[i]->serials.next[unit_depth(m, key.owner)] > key.serial) return true;
  return false;
}

host_status crew_await_memory(host_unit *unit, uint32_t root, uint32_t block, const ir_op *op) {
  if (!crew_peer_block(unit, root, block) && has_left(unit, unit->block[root]->item.key, block))
    return crew_report_left(unit, root, op), HOST_FAILED;
  return crew_stand(unit, &unit->member->crew->for_memory, op), HOST_BLOCKED;
}

/* The block with those coordinates; UINT32_MAX outside the cluster. */
static uint32_t block_at(const host_unit *unit, const host_crew_op *what) {
  const ir_team_axes axes = ir_team_axes_of(unit->plan->kernel, IR_TEAM_CLUSTER);
  int64_t place[KILN_MAX_RANK];
  for (uint32_t i = 0; i < axes.count; i++) place[i] = host_cell(unit, what->at[i]);
  return ir_team_number(axes, place);
}

/* The peer's memory lives until this unit leaves the region. */
host_status crew_peer(host_unit *unit, const host_crew_op *what, const ir_op *op) {
  const kiln_host_plan *plan = unit->plan;
  const uint32_t from = plan->boxes[what->from].root, to = plan->boxes[what->to].root;
  const uint32_t which = block_at(unit, what);
  if (which == UINT32_MAX) return crew_report_outside(unit, from, op), HOST_FAILED;
  alloc_block *block = crew_peer_block(unit, from, which);
  if (!block) return crew_await_memory(unit, from, which, op);
  alloc_hold(block);
  if (unit->block[to]) let_go(unit, to);
  unit->block[to] = block;
  unit->box[what->to] = unit->box[what->from];
  unit->box[what->to].root = block->bytes;
  return HOST_RUNNING;
}

/* ---- finding ---- */

bool crew_locate(const host_unit *unit, uint32_t box, crew_element *out) {
  const host_box *at = &unit->box[box];
  const uint32_t root = unit->plan->boxes[box].root;
  if (!at->inside || !unit->block[root]) return false;
  out->sync = unit->block[root]->client;
  out->index = (uint64_t)at->offset / CREW_SYNC_BYTES;
  out->block = out->sync->blocks == 1 ? 0 : crew_block_index(unit);
  return true;
}

bool crew_find(host_unit *unit, uint32_t box, const ir_op *op, crew_element *out) {
  if (crew_locate(unit, box, out)) return true;
  crew_report_outside(unit, unit->plan->boxes[box].root, op);
  return false;
}
