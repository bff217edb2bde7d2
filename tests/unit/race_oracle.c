/* The oracle of the race detector: see race_oracle.h. */
#include "race_oracle.h"

#include <stdlib.h>

oracle *oracle_new(void) {
  oracle *o = calloc(1, sizeof *o);
  o->known = calloc(ORACLE_NODES, sizeof *o->known);
  o->nodes = 1;
  return o;
}

void oracle_free(oracle *o) {
  free(o->known);
  free(o);
}

bool oracle_full(const oracle *o) {
  return o->nodes > ORACLE_NODES - 700 || o->op_count > ORACLE_OPS - 4 || o->log_count > ORACLE_LOG - 4;
}

/* ---- the graph ---- */

static bool knows(const oracle *o, uint32_t node, uint32_t fact) {
  return o->known[node].bits[fact / 64] >> (fact % 64) & 1;
}

static void add_edge(oracle *o, uint32_t to, uint32_t from) {
  for (uint32_t i = 0; i < ORACLE_NODES / 64; i++) o->known[to].bits[i] |= o->known[from].bits[i];
}

static uint32_t add_node(oracle *o, uint32_t from, uint32_t also) {
  uint32_t node = o->nodes++;
  o->known[node].bits[node / 64] |= 1ull << (node % 64);
  add_edge(o, node, from);
  add_edge(o, node, also);
  return node;
}

static void learn(oracle *o, oracle_view *view, oracle_view from) {
  view->generic = add_node(o, view->generic, from.generic);
  view->async = add_node(o, view->async, from.async);
}

static void add_all(oracle_ops *to, const oracle_ops *from) {
  for (uint32_t i = 0; i < ORACLE_OPS; i++) to->has[i] |= from->has[i];
}

/* ---- units ---- */

void oracle_fence(oracle *o, unit_id unit) {
  oracle_view *view = &o->units[unit].view;
  view->async = add_node(o, view->async, view->generic);
}

static void hand_over(oracle *o, unit_id from, unit_id to) {
  oracle_unit *giver = &o->units[from], *taker = &o->units[to];
  learn(o, &taker->view, giver->view);
  add_all(&taker->tasks, &giver->tasks);
  add_all(&taker->issued, &giver->issued);
  add_all(&taker->loads, &giver->loads);
  add_all(&taker->stores, &giver->stores);
}

void oracle_fork(oracle *o, unit_id whole, unit_id part) { hand_over(o, whole, part); }

void oracle_join(oracle *o, unit_id whole, unit_id part) {
  hand_over(o, part, whole);
  oracle_view view = o->units[part].view;
  o->units[part] = (oracle_unit){.view = view};
}

/* ---- operations ---- */

static bool follows(const oracle *o, const oracle_op *op, const oracle_op *earlier) {
  (void)o;
  if (op->task == RACE_TASK_COMMIT || op->task == RACE_TASK_WGMMA) return true;
  if (op->task != RACE_TASK_MMA || op->across != earlier->across) return false;
  return earlier->task == RACE_TASK_COPY_TMEM || earlier->pipe == op->pipe;
}

static void follow_all(oracle *o, oracle_op *op, const oracle_ops *candidates) {
  op->observed = add_node(o, op->done, op->read);
  for (uint32_t i = 0; i < o->op_count; i++) {
    const oracle_op *earlier = &o->ops[i];
    if (!candidates->has[i] || !follows(o, op, earlier)) continue;
    op->before.has[i] = true;
    learn(o, &op->view, earlier->view);
    learn(o, &op->view, (oracle_view){earlier->observed, earlier->observed});
    op->observed = add_node(o, op->observed, earlier->observed);
  }
}

static const oracle_ops *tasks_before(const oracle_unit *u, race_task task) {
  if (task == RACE_TASK_COMMIT) return &u->issued;
  return task == RACE_TASK_WGMMA ? &u->products : &u->tasks;
}

uint32_t oracle_issue(oracle *o, unit_id unit, race_task task, uint32_t pipe, uint32_t across) {
  uint32_t number = o->op_count;
  oracle_op *op = &o->ops[number];
  oracle_unit *u = &o->units[unit];
  *op = (oracle_op){.task = task, .pipe = pipe, .across = across, .view = u->view, .unit = unit};
  op->read = add_node(o, 0, 0);
  op->done = add_node(o, op->read, 0);
  follow_all(o, op, tasks_before(u, task));
  if (task == RACE_TASK_MMA || task == RACE_TASK_COPY_TMEM) u->tasks.has[number] = u->issued.has[number] = true;
  if (task == RACE_TASK_WGMMA) u->products.has[number] = true;
  if (task == RACE_TASK_TMEM_LOAD) u->loads.has[number] = true;
  if (task == RACE_TASK_TMEM_STORE) u->stores.has[number] = true;
  op->tasks = u->tasks;
  return o->op_count++;
}

void oracle_await(oracle *o, unit_id unit, uint32_t op, bool read_only) {
  const oracle_op *x = &o->ops[op];
  oracle_view *view = &o->units[unit].view;
  uint32_t fact = read_only ? x->read : x->observed;
  learn(o, view, x->view);
  learn(o, view, (oracle_view){fact, fact});
}

static void await_all(oracle *o, unit_id unit, oracle_ops *list) {
  for (uint32_t i = 0; i < o->op_count; i++)
    if (list->has[i]) oracle_await(o, unit, i, false);
  *list = (oracle_ops){0};
}

void oracle_await_tmem(oracle *o, unit_id unit) { await_all(o, unit, &o->units[unit].loads); }
void oracle_commit_tmem(oracle *o, unit_id unit) { await_all(o, unit, &o->units[unit].stores); }

/* ---- hand-offs ---- */

void oracle_clear_place(oracle *o, uint32_t place) { o->places[place] = (oracle_place){0}; }

void oracle_put(oracle *o, uint32_t place, unit_id unit) {
  learn(o, &o->places[place].view, o->units[unit].view);
  add_all(&o->places[place].tasks, &o->units[unit].tasks);
}

void oracle_put_op(oracle *o, uint32_t place, uint32_t op) {
  learn(o, &o->places[place].view, o->ops[op].view);
  add_all(&o->places[place].tasks, &o->ops[op].tasks);
  o->places[place].done.has[op] = true;
}

void oracle_take(oracle *o, uint32_t place, unit_id unit) {
  const oracle_place *p = &o->places[place];
  learn(o, &o->units[unit].view, p->view);
  add_all(&o->units[unit].tasks, &p->tasks);
  for (uint32_t i = 0; i < o->op_count; i++)
    if (p->done.has[i]) oracle_await(o, unit, i, false);
}

/* ---- accesses ---- */

uint32_t oracle_touch(oracle *o, unit_id unit, int op, race_kind kind, uint32_t buffer) {
  oracle_access *a = &o->log[o->log_count];
  oracle_view *view = &o->units[unit].view;
  *a = (oracle_access){.unit = unit, .op = op, .kind = kind, .buffer = buffer};
  if (op < 0) {
    a->view = *view;
    a->source = add_node(o, 0, 0);
    view->generic = add_node(o, view->generic, a->source);
  } else {
    a->view = o->ops[op].view;
    a->source = race_kind_writes(kind) ? o->ops[op].done : o->ops[op].read;
  }
  return o->log_count++;
}

static bool is_update(race_kind kind) { return kind == RACE_ATOMIC || kind == RACE_COPY_OUT_UPDATE; }

static bool conflict(const oracle_access *a, const oracle_access *b) {
  if (is_update(a->kind) && is_update(b->kind)) return false;
  return race_kind_writes(a->kind) || race_kind_writes(b->kind);
}

static bool overlap(const oracle_access *a, const oracle_access *b, int element) {
  if (a->buffer != b->buffer) return false;
  if (element >= 0) return a->touches[element] && b->touches[element];
  for (uint32_t i = 0; i < ORACLE_ELEMENTS; i++)
    if (a->touches[i] && b->touches[i]) return true;
  return false;
}

static uint32_t checked_view(const oracle_access *a) {
  return race_kind_is_async(a->kind) ? a->view.async : a->view.generic;
}

bool oracle_races(const oracle *o, uint32_t first, uint32_t second, int element) {
  const oracle_access *a = &o->log[first < second ? first : second], *b = &o->log[first < second ? second : first];
  if (!conflict(a, b) || !overlap(a, b, element)) return false;
  if (a->op >= 0 && a->op == b->op) return false;
  return !knows(o, checked_view(b), a->source);
}

bool oracle_lacks_fence(const oracle *o, uint32_t first, uint32_t second) {
  const oracle_access *a = &o->log[first < second ? first : second], *b = &o->log[first < second ? second : first];
  return race_kind_is_async(b->kind) && knows(o, b->view.generic, a->source);
}
