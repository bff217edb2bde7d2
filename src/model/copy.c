/* Copies and the queue of those that a unit has in flight. */
#include "model/copy.h"

#include <string.h>

void copy_queue_init(copy_queue *q, mem m) { *q = (copy_queue){.mem = m}; }

void copy_queue_free(copy_queue *q) {
  mem_free(q->mem, q->pending, q->capacity * sizeof *q->pending);
  *q = (copy_queue){0};
}

static bool push(copy_queue *q, const copy *c) {
  copy *pending = mem_grow(q->mem, q->pending, &q->capacity, q->count + 1, sizeof *pending);
  if (!pending) return false;
  q->pending = pending;
  q->pending[q->count++] = *c;
  return true;
}

sync_result copy_start(copy_queue *q, const copy_desc *desc, uint64_t *id) {
  if (!push(q, &(copy){.id = q->started, .group = q->group, .desc = *desc}))
    return sync_fault(SYNC_MEMORY, UNIT_NONE, 0, 0);
  *id = q->started++;
  if (desc->commit) copy_commit(q);
  return sync_ready();
}

void copy_commit(copy_queue *q) { q->group++; }

static copy *find(const copy_queue *q, uint64_t id) {
  for (uint32_t i = 0; i < q->count; i++)
    if (q->pending[i].id == id) return &q->pending[i];
  return NULL;
}

const copy *copy_find(const copy_queue *q, uint64_t id) { return find(q, id); }

/* Somebody other than the starting unit is told of the end, so nobody needs to wait through the queue. */
static bool told_elsewhere(const copy *c) { return c->desc.destination || c->desc.arrival; }

static void forget(copy_queue *q, uint32_t at) {
  memmove(&q->pending[at], &q->pending[at + 1], (q->count - at - 1) * sizeof *q->pending);
  q->count--;
}

static sync_result tell(const copy *c) {
  if (c->stage == COPY_READ)
    return c->desc.source ? semaphore_signal(c->desc.source, c->desc.bytes, NULL) : sync_ready();
  sync_result result = sync_ready();
  if (c->desc.destination) result = semaphore_signal(c->desc.destination, c->desc.bytes, NULL);
  if (c->desc.arrival && result.state == SYNC_READY) result = barrier_arrive(c->desc.arrival);
  return result;
}

sync_result copy_advance(copy_queue *q, uint64_t id, copy_stage to) {
  copy *c = find(q, id);
  if (!c) return sync_fault(SYNC_COPY_UNKNOWN, UNIT_NONE, id, q->started);
  if (to != c->stage + 1u) return sync_fault(SYNC_COPY_ORDER, UNIT_NONE, c->stage, to);
  c->stage = to;
  sync_result result = tell(c);
  if (to == COPY_WRITTEN && told_elsewhere(c)) forget(q, (uint32_t)(c - q->pending));
  return result;
}

static copy_stage stage_of(const copy *c) { return c->origin ? find(c->origin, c->id)->stage : c->stage; }
static bool waits_here(const copy *c, copy_stage stage) { return !told_elsewhere(c) && stage_of(c) < stage; }

/* Drops those of the first `end` places whose writes have been waited for. */
static void settle(copy_queue *q, uint32_t end, bool read_only) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < q->count; i++) {
    copy *c = &q->pending[i];
    const bool awaited = i < end && !told_elsewhere(c), forgotten = awaited && !read_only;
    if (awaited) c->read_awaited = true;
    if (awaited && q->awaited) q->awaited(q->user, c, read_only, forgotten);
    if (!forgotten) q->pending[kept++] = *c;
  }
  q->count = kept;
}

/* Waits for the first `end` places of the queue. */
static sync_result wait_until(copy_queue *q, uint32_t end, bool read_only, uint64_t *next) {
  copy_stage stage = read_only ? COPY_READ : COPY_WRITTEN;
  for (uint32_t i = 0; i < end; i++) {
    if (!waits_here(&q->pending[i], stage)) continue;
    if (next) *next = q->pending[i].id;
    return sync_blocked(q->pending[i].stage, stage);
  }
  settle(q, end, read_only);
  return sync_ready();
}

sync_result copy_wait_groups(copy_queue *q, uint64_t groups, bool read_only, uint64_t *next) {
  uint64_t before = q->group > groups ? q->group - groups : 0; /* groups below this one must be done */
  uint32_t end = 0;
  while (end < q->count && q->pending[end].group < before) end++;
  return wait_until(q, end, read_only, next);
}

sync_result copy_wait_copies(copy_queue *q, uint64_t copies, bool read_only, uint64_t *next) {
  uint64_t before = q->started > copies ? q->started - copies : 0;
  uint32_t end = 0;
  while (end < q->count && q->pending[end].id < before) end++;
  return wait_until(q, end, read_only, next);
}

/* ---- parts of a unit ---- */

bool copy_queue_fork(copy_queue *part, copy_queue *whole) {
  part->started = part->forked = whole->started;
  part->group = part->forked_group = whole->group;
  for (uint32_t i = 0; i < whole->count; i++) {
    copy inherited = whole->pending[i];
    if (!inherited.origin) inherited.origin = whole;
    if (!push(part, &inherited)) return false;
  }
  return true;
}

/* What the part waited for of what the whole had started: the whole need not, but other parts may still. */
static void note_waits(copy_queue *whole, const copy_queue *part) {
  for (uint32_t i = 0; i < whole->count && whole->pending[i].id < part->forked; i++) {
    const copy *left = find(part, whole->pending[i].id);
    whole->pending[i].awaited |= !left;
    whole->pending[i].read_awaited |= !left || left->read_awaited;
  }
}

bool copy_queue_join(copy_queue *whole, copy_queue *part, copy_moved_fn moved, void *user) {
  const uint64_t group = whole->group;
  bool fits = true;
  note_waits(whole, part);
  for (uint32_t i = 0; i < part->count && fits; i++) {
    copy c = part->pending[i];
    const uint64_t from = c.id;
    if (c.origin) continue;
    c.id = whole->started++;
    c.group = group + (c.group - part->forked_group);
    fits = push(whole, &c);
    moved(user, from, c.id);
  }
  whole->group = group + (part->group - part->forked_group);
  part->count = 0;
  return fits;
}

void copy_queue_joined(copy_queue *whole) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < whole->count; i++) {
    copy *c = &whole->pending[i];
    if (c->awaited && whole->awaited) whole->awaited(whole->user, c, false, true);
    if (!c->awaited) whole->pending[kept++] = *c;
  }
  whole->count = kept;
}

sync_result copy_finish(const copy_queue *q, const copy **left) {
  for (uint32_t i = 0; i < q->count; i++) {
    if (q->pending[i].read_awaited) continue;
    if (left) *left = &q->pending[i];
    return sync_fault(SYNC_COPY_NOT_AWAITED, UNIT_NONE, q->pending[i].stage, COPY_WRITTEN);
  }
  return sync_ready();
}
