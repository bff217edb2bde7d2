/* Asynchronous operations: who knows that one is over, and which ones follow each other without being awaited.
 *
 * An operation has no clock slot of its own, so there are never too many of them and none is taken for another. Who
 * awaits one counts an observation and leaves a cover on it; from then on the observer's clock carries the news. */
#include "race/inner.h"

/* ---- lists of operations that may still be passed on ---- */

static void hold(race_op *op) { op->holders++; }

static void free_lineage(race *r, race_lineage *node) {
  while (node && --node->refs == 0) {
    race_lineage *next = node->next;
    race_op_unref(r, node->op);
    race_room_give(r, node, sizeof *node);
    node = next;
  }
}

static void free_op(race *r, race_op *op) {
  if (op->holders > 0 || op->refs > 0) return;
  race_room_give(r, op->covers, op->cover_capacity * sizeof *op->covers);
  race_room_give(r, op, sizeof *op);
}

/* Without holders nobody can observe the operation any more, or follow it. */
static void release(race *r, race_op *op) {
  if (--op->holders > 0) return;
  race_views_free(r, &op->views);
  race_room_give(r, op->pipe, sizeof *op->pipe);
  op->pipe = NULL;
  race_lineage *before = op->before;
  op->before = NULL;
  free_lineage(r, before);
  free_op(r, op);
}

void race_op_ref(race_op *op) {
  if (op) op->refs++;
}

void race_op_unref(race *r, race_op *op) {
  if (!op) return;
  op->refs--;
  free_op(r, op);
}

static bool contains(const race_ops *list, const race_op *op) {
  for (uint32_t i = 0; i < list->count; i++)
    if (list->data[i] == op) return true;
  return false;
}

void race_ops_push(race *r, race_ops *list, race_op *op) {
  void *data = list->data;
  if (!race_room_grow(r, &data, &list->capacity, list->count + 1, sizeof(race_op *))) return;
  list->data = data;
  list->data[list->count++] = op;
  hold(op);
}

void race_ops_add_all(race *r, race_ops *list, const race_ops *from, const race_views *views) {
  for (uint32_t i = 0; i < from->count; i++)
    if (!race_op_known(from->data[i], views, false) && !contains(list, from->data[i]))
      race_ops_push(r, list, from->data[i]);
}

static void remove_at(race *r, race_ops *list, uint32_t place) {
  race_op *op = list->data[place];
  list->count--;
  for (uint32_t i = place; i < list->count; i++) list->data[i] = list->data[i + 1];
  release(r, op);
}

void race_ops_settle(race *r, race_ops *list, const race_views *views) {
  for (uint32_t i = list->count; i-- > 0;)
    if (race_op_known(list->data[i], views, false)) remove_at(r, list, i);
}

void race_ops_clear(race *r, race_ops *list) {
  while (list->count > 0) remove_at(r, list, list->count - 1);
}

void race_ops_free(race *r, race_ops *list) {
  race_ops_clear(r, list);
  race_room_give(r, list->data, list->capacity * sizeof *list->data);
  *list = (race_ops){0};
}

/* ---- knowing ---- */

bool race_op_known(const race_op *op, const race_views *views, bool read_only) {
  for (uint32_t i = op->cover_count; i-- > 0;) {
    race_cover cover = op->covers[i];
    if ((read_only || !cover.read_only) &&
        race_clock_at(&views->generic, race_slot_observed(cover.unit)) >= cover.count)
      return true;
  }
  return false;
}

bool race_op_follows(const race_op *op, const race_op *earlier) {
  for (const race_lineage *node = op->before; node; node = node->next)
    if (node->op == earlier) return true;
  return false;
}

static void add_cover(race *r, race_op *op, race_cover cover) {
  void *covers = op->covers;
  if (!race_room_grow(r, &covers, &op->cover_capacity, op->cover_count + 1, sizeof cover)) return;
  op->covers = covers;
  op->covers[op->cover_count++] = cover;
}

void race_op_observe(race *r, unit_id unit, race_op *op, bool read_only) {
  race_unit *observer = race_unit_of(r, unit);
  if (race_op_known(op, &observer->views, read_only)) return;
  race_views_join(r, &observer->views, &op->views);
  race_cover cover = {.unit = unit, .count = ++observer->observations & INT32_MAX, .read_only = read_only};
  add_cover(r, op, cover);
  for (const race_lineage *node = op->before; node && !read_only; node = node->next)
    if (!race_op_known(node->op, &observer->views, false)) add_cover(r, node->op, cover);
  race_clock_raise(r, &observer->views.generic, race_slot_observed(unit), cover.count);
}

/* ---- issue ---- */

static bool same_area(const race_area *a, const race_area *b) {
  if (a->offset != b->offset || a->width != b->width || a->rank != b->rank) return false;
  for (uint32_t d = 0; d < a->rank; d++)
    if (a->extents[d] != b->extents[d] || a->strides[d] != b->strides[d]) return false;
  return true;
}

/* Whether `op` follows the task `earlier` by the order of the tensor core. */
static bool follows_task(const race_op *op, const race_op *earlier) {
  if (op->task == RACE_TASK_COMMIT || op->task == RACE_TASK_WGMMA) return true;
  if (op->task != RACE_TASK_MMA || op->across != earlier->across) return false;
  if (earlier->task == RACE_TASK_COPY_TMEM) return true;
  const race_pipe *a = op->pipe, *b = earlier->pipe;
  return a && b && a->buffer == b->buffer && a->type == b->type && same_area(&a->area, &b->area);
}

static race_lineage *put_before(race *r, race_lineage *rest, race_op *op) {
  race_lineage *node = race_room(r, sizeof *node);
  if (!node) return rest;
  *node = (race_lineage){.op = op, .next = rest, .refs = 1};
  race_op_ref(op);
  return node;
}

static bool any_known(const race_lineage *node, const race_views *views) {
  for (; node; node = node->next)
    if (race_op_known(node->op, views, false)) return true;
  return false;
}

/* Adds an operation and all that it follows. A first one's whole lineage can be shared. What `earlier` was issued after
 * is known already: who knows of a task knows what its issuer knew. */
static void follow(race *r, race_op *op, race_op *earlier) {
  if (race_op_follows(op, earlier)) return;
  if (!op->before && !any_known(earlier->before, &op->views)) {
    op->before = earlier->before;
    if (op->before) op->before->refs++;
  } else {
    for (const race_lineage *node = earlier->before; node; node = node->next)
      if (!race_op_known(node->op, &op->views, false) && !race_op_follows(op, node->op))
        op->before = put_before(r, op->before, node->op);
  }
  op->before = put_before(r, op->before, earlier);
}

/* Those that an operation of the unit may follow. */
static const race_ops *tasks_before(const race_unit *u, race_task task) {
  if (task == RACE_TASK_COMMIT) return &u->issued;
  return task == RACE_TASK_WGMMA ? &u->products : &u->tasks;
}

static void follow_tasks(race *r, race_op *op, const race_ops *tasks) {
  for (uint32_t i = tasks->count; i-- > 0;)
    if (follows_task(op, tasks->data[i])) follow(r, op, tasks->data[i]);
}

/* Drops those that `op` follows and stands for from now on: in `tasks` a copy stays, for other accumulators' sake. */
static void replace(race *r, race_ops *list, const race_op *op, bool copies) {
  for (uint32_t i = list->count; i-- > 0;)
    if ((copies || list->data[i]->task == RACE_TASK_MMA) && race_op_follows(op, list->data[i])) remove_at(r, list, i);
}

/* Where its unit keeps an operation until it is awaited. */
static void enlist(race *r, race_unit *u, race_op *op) {
  if (race_op_is_task(op)) {
    replace(r, &u->tasks, op, false);
    replace(r, &u->issued, op, true);
    race_ops_push(r, &u->tasks, op);
    race_ops_push(r, &u->issued, op);
  } else if (op->task == RACE_TASK_WGMMA) {
    race_ops_clear(r, &u->products);
    race_ops_push(r, &u->products, op);
  } else if (op->task == RACE_TASK_TMEM_LOAD) {
    race_ops_push(r, &u->loads, op);
  } else if (op->task == RACE_TASK_TMEM_STORE) {
    race_ops_push(r, &u->stores, op);
  }
}

static race_op *new_op(race *r, unit_id unit, race_task task, const void *site, const race_pipe *pipe) {
  race_op *op = race_room(r, sizeof *op);
  if (!op) return NULL;
  op->unit = unit;
  op->task = task;
  op->site = site;
  op->serial = r->op_serial++;
  op->across = pipe ? pipe->across : 0;
  op->pipe = pipe && task == RACE_TASK_MMA ? race_room(r, sizeof *pipe) : NULL;
  if (op->pipe) *op->pipe = *pipe;
  hold(op);
  race_views_list(r, &op->views);
  return op;
}

race_op *race_issue(race *r, unit_id unit, race_task task, const void *site, const race_pipe *pipe) {
  race_unit *u = race_unit_of(r, unit);
  race_op *op = new_op(r, unit, task, site, pipe);
  if (!op) return NULL;
  race_ops_settle(r, &u->tasks, &u->views);
  race_ops_settle(r, &u->issued, &u->views);
  race_ops_settle(r, &u->products, &u->views);
  race_views_join(r, &op->views, &u->views);
  op->issued = u->now;
  follow_tasks(r, op, tasks_before(u, task));
  race_ops_add_all(r, &op->tasks, &u->tasks, &u->views);
  enlist(r, u, op);
  race_unit_turn(r, unit);
  return op;
}

void race_end(race *r, race_op *op) {
  if (!op) return;
  race_ops_free(r, &op->tasks);
  release(r, op);
}

/* ---- waits of the unit itself ---- */

void race_await(race *r, unit_id unit, race_op *op, bool read_only) {
  if (op && !r->failed) race_op_observe(r, unit, op, read_only);
}

static void await_all(race *r, unit_id unit, race_ops *list) {
  for (uint32_t i = 0; i < list->count; i++) race_await(r, unit, list->data[i], false);
  race_ops_clear(r, list);
}

void race_await_tmem(race *r, unit_id unit) { await_all(r, unit, &race_unit_of(r, unit)->loads); }

void race_commit_tmem(race *r, unit_id unit) { await_all(r, unit, &race_unit_of(r, unit)->stores); }
