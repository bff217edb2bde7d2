/* Units and clusters of a crew, and the one loop that runs them. */
#include "host/crew/crew.h"

#include <string.h>

enum {
  RANDOM_SLICE = 16,  /* instructions between changes of unit when the order is random, by priority, or unfair */
  IDLE_MOST = 1 << 20 /* turns without any progress before the launch is given up */
};

/* ---- lines ---- */

void crew_stand(host_unit *unit, crew_line *line, const ir_op *op) {
  crew_member *member = unit->member;
  member->next = NULL;
  member->waits_at = op;
  if (line->last)
    line->last->member->next = unit;
  else
    line->first = unit;
  line->last = unit;
}

static void put(crew *c, host_unit *unit, bool late) {
  if (!sched_put(&c->queue, unit, late)) launch_run_out(c->launch);
}

void crew_begin(host_unit *unit) {
  crew_member *member = unit->member;
  member->waits_at = NULL;
  put(member->crew, unit, false);
}

void crew_wake(crew *c, crew_line *line) {
  c->idle = 0;
  for (host_unit *unit = line->first, *next; unit; unit = next) {
    next = unit->member->next;
    unit->member->waits_at = NULL;
    unit->member->waits_for.sync = NULL;
    put(c, unit, false);
  }
  *line = (crew_line){0};
}

/* ---- clusters ---- */

/* Every unit sees its own place. */
static void set_places(host_unit *unit) {
  uint32_t places[IR_MAX_TEAMS];
  team_places(unit->plan->kernel, &unit->plan->machine, unit->id, places);
  for (uint32_t i = 0; i < unit->plan->kernel->team_count; i++)
    host_set_cell(unit, unit->plan->team_slots[i], (int32_t)places[i]);
}

void crew_free_member(crew *c, host_unit *unit) {
  if (!unit) return;
  crew_member *member = unit->member;
  for (uint32_t q = 0; member && q < CREW_QUEUES; q++) copy_queue_free(&member->queues[q]);
  for (uint32_t i = 0; member && i < member->part_count; i++) crew_free_member(c, member->parts[i]);
  if (member) mem_free(c->mem, member->parts, member->part_count * sizeof *member->parts);
  mem_free(c->mem, member, sizeof *member);
  host_unit_destroy(unit);
}

static void open_queue(host_unit *unit, copy_queue *queue) {
  copy_queue_init(queue, unit->member->crew->mem);
  queue->awaited = crew_awaited;
  queue->user = unit;
}

host_unit *crew_new_member(crew *c) {
  host_unit *unit = host_unit_create(c->plan, c->heap);
  if (!unit) return NULL;
  unit->member = mem_calloc(c->mem, 1, sizeof *unit->member);
  if (!unit->member) {
    crew_free_member(c, unit);
    return NULL;
  }
  unit->member->crew = c;
  for (uint32_t q = 0; q < CREW_QUEUES; q++) open_queue(unit, &unit->member->queues[q]);
  return unit;
}

/* Which clusters there are left is what both those that end and those that claim one decide. */
static void tell_clusters(crew *c) {
  if (c->resident > 0) crew_tell(c, (choice_touch){.kind = CHOICE_ATOMIC, .object = crew_object(0, CHOICE_ATOMIC)});
}

static uint64_t next_cluster(const crew *c) { return sched_place(c->plan->seed, c->clusters, c->next); }

int32_t crew_take_cluster(crew *c, const host_unit *unit) {
  const machine *m = &c->plan->machine;
  const uint64_t own = unit_ordinal(m, unit_above(m, unit->id, DEPTH_GPU_CLUSTER)), points = c->plan->points;
  tell_clusters(c);
  if (c->resident == 0 || c->next == c->end || next_cluster(c) / points != own / points) return -1;
  const uint64_t which = next_cluster(c);
  c->next++;
  atomic_fetch_add(&c->launch->done, 1);
  return (int32_t)(which % points);
}

/* Puts the next cluster of the launch where another has ended, or where none was yet. */
static bool start_cluster(crew *c, crew_cluster *place) {
  const uint64_t which = next_cluster(c);
  tell_clusters(c);
  c->next++;
  const unit_id first = (unit_id)(which * c->cluster_units);
  place->left = c->cluster_units;
  c->alive += c->cluster_units;
  for (uint32_t i = 0; i < c->cluster_units; i++) {
    host_unit *unit = place->units[i];
    if (!unit) unit = place->units[i] = crew_new_member(c);
    if (!unit) return false;
    unit->member->cluster = place;
    unit->id = host_program_unit(c->plan, first + i);
    host_unit_start(unit, which % c->plan->points, c->launch->faults);
    set_places(unit);
    crew_begin(unit);
  }
  if (c->plan->trace) trace_meet(c->plan->trace, place->units, c->cluster_units);
  return true;
}

static uint64_t cluster_bytes(const crew *c) {
  return (c->plan->frame_bytes + c->plan->scratch_bytes) * c->cluster_units;
}

static crew_cluster *free_place(const crew *c) {
  for (uint32_t p = 0; p < c->places; p++)
    if (c->place[p]->left == 0) return c->place[p];
  return NULL;
}

static crew_cluster *new_place(crew *c) {
  crew_cluster *place = mem_calloc(c->mem, 1, sizeof *place), **places = NULL;
  if (place) places = mem_resize(c->mem, c->place, c->places * sizeof *places, (c->places + 1) * sizeof *places);
  if (!places) {
    mem_free(c->mem, place, sizeof *place);
    return NULL;
  }
  c->place = places;
  c->place[c->places++] = place;
  place->units = mem_calloc(c->mem, c->cluster_units, sizeof *place->units);
  return place->units ? place : NULL;
}

/* One cluster more side by side. False when there is none, or no memory for it. */
static bool join_cluster(crew *c) {
  if (c->next == c->end || c->launch->stop) return false;
  crew_cluster *place = free_place(c);
  if (!place && c->resident > 0 && c->places == c->resident) return false;
  if (!place && c->places > 0 && (c->places + 1) * cluster_bytes(c) > c->plan->memory_limit) return false;
  if (!place) place = new_place(c);
  if (place && start_cluster(c, place)) return true;
  launch_run_out(c->launch);
  return false;
}

/* Copies whose sources may still be read end with their unit's memory. */
static void empty_queues(crew *c, host_unit *unit) {
  for (uint32_t q = CREW_COPIES; c->plan->check && q <= CREW_LOADS; q++) {
    const copy *left = NULL;
    sync_result end = copy_finish(&unit->member->queues[q], &left);
    if (end.state == SYNC_FAULT) crew_report_unawaited(c, unit, end, left->desc.site, (crew_queue_id)q);
  }
  crew_finish_unit(c, unit);
  for (uint32_t q = 0; q < CREW_QUEUES; q++) {
    copy_queue *queue = &unit->member->queues[q];
    for (uint32_t i = 0; c->race && i < queue->count; i++) race_end(c->race, queue->pending[i].desc.client);
    copy_queue_free(queue);
    open_queue(unit, queue);
  }
}

static void end_unit(crew *c, host_unit *unit) {
  crew_cluster *place = unit->member->cluster;
  c->idle = 0;
  if (unit->member->whole) {
    crew_join(unit);
    return;
  }
  empty_queues(c, unit);
  c->alive--;
  if (--place->left > 0) return;
  for (uint32_t i = 0; i < c->cluster_units; i++) {
    crew_release_all(place->units[i]);
    if (c->race) race_retire(c->race, place->units[i]->id);
  }
  atomic_fetch_add(&c->launch->done, 1);
  if (c->tells) launch_tell_progress(c->launch);
  if (c->next < c->end && !start_cluster(c, place)) launch_run_out(c->launch);
}

/* ---- running ---- */

static uint64_t slice(crew *c) {
  const uint64_t most = launch_slice(c->launch, LAUNCH_SLICE);
  if (c->queue.order < KILN_ORDER_RANDOM) return most;
  return 1 + sched_random(&c->queue.state) % RANDOM_SLICE;
}

/* Who is put back without having moved on may wait for what only others can do. */
static void count_idle(crew *c, const host_unit *unit) {
  if (++c->idle > c->queue.count && (crew_advance_any(c) || join_cluster(c))) c->idle = 0;
  if (c->idle > IDLE_MOST) launch_stop_livelock(c->launch, unit, unit->steps);
}

void crew_follow(crew *c, host_unit *unit, host_status status) {
  switch (status) {
    case HOST_DONE: end_unit(c, unit); break;
    case HOST_FAILED: c->launch->stop = true; break;
    case HOST_YIELDED: count_idle(c, unit); /* fall through */
    case HOST_RUNNING: put(c, unit, status == HOST_YIELDED); break;
    case HOST_BLOCKED: break;
  }
}

static void run_unit(crew *c, host_unit *unit) {
  const uint64_t before = unit->steps;
  const host_status status = host_unit_go(unit, slice(c));
  if (!launch_count_steps(c->launch, unit, unit->steps - before)) crew_follow(c, unit, status);
}

static void run_queued(crew *c) {
  for (;;) {
    host_unit *unit = sched_take(&c->queue);
    if (unit)
      run_unit(c, unit);
    else if (!crew_advance_any(c) && !join_cluster(c))
      break;
    crew_pass_time(c);
    if (c->launch->stop) return;
  }
}

void crew_run_clusters(crew *c, uint64_t begin, uint64_t end, uint32_t at_first) {
  c->next = begin;
  c->end = end;
  for (uint32_t i = 0; i < at_first; i++) join_cluster(c);
  (c->by ? crew_run_chosen : run_queued)(c);
  if (c->alive == 0 || c->launch->stop) return;
  if (c->plan->trace) trace_stuck(c);
  crew_report_deadlock(c);
}
