/* Detector and oracle side by side: see race_play.h. */
#include "race_play.h"

#include <stdio.h>
#include <string.h>

#include "race/inner.h"

/* The oracle's places: two for each barrier, the rest for units of count. */
#define FIRST_SIGNAL (2 * PLAY_BARRIERS)
#define SIGNALS 24

void play_start(play *p, mem m) {
  memset(p, 0, sizeof *p);
  p->o = oracle_new();
  p->r = race_create(m, ORACLE_UNITS);
  for (uint32_t i = 0; i < ORACLE_BUFFERS; i++) p->buffers[i] = race_buffer_new(p->r, &p->buffers[i], ORACLE_ELEMENTS);
  for (uint32_t i = 0; i < PLAY_BARRIERS; i++) p->barriers[i].expected = i < PLAY_BARRIERS - 2 ? 1 : 2;
}

void play_finish(play *p) {
  race_destroy(p->r);
  oracle_free(p->o);
}

/* ---- units and operations ---- */

void play_fence(play *p, unit_id unit) {
  race_fence(p->r, unit);
  oracle_fence(p->o, unit);
}

void play_fork(play *p, unit_id whole, unit_id part) {
  race_fork(p->r, whole, part);
  oracle_fork(p->o, whole, part);
}

void play_join(play *p, unit_id whole, unit_id part) {
  race_join(p->r, whole, part);
  oracle_join(p->o, whole, part);
}

uint32_t play_issue(play *p, unit_id unit, race_task task, uint32_t pipe, uint32_t across) {
  uint32_t op = oracle_issue(p->o, unit, task, pipe, across);
  race_pipe whole = {.buffer = p->buffers[0], .area = {.offset = pipe, .rank = 1, .extents = {4}, .strides = {1}}};
  whole.across = across;
  p->ops[op] = race_issue(p->r, unit, task, &p->ops[op], &whole);
  return op;
}

void play_end(play *p, uint32_t op) {
  race_end(p->r, p->ops[op]);
  p->ops[op] = NULL;
}

void play_await(play *p, unit_id unit, uint32_t op, bool read_only) {
  race_await(p->r, unit, p->ops[op], read_only);
  oracle_await(p->o, unit, op, read_only);
}

void play_await_tmem(play *p, unit_id unit) {
  race_await_tmem(p->r, unit);
  oracle_await_tmem(p->o, unit);
}

void play_commit_tmem(play *p, unit_id unit) {
  race_commit_tmem(p->r, unit);
  oracle_commit_tmem(p->o, unit);
}

/* ---- barriers ---- */

/* The oracle's place of a phase, new at the phase's first arrival. */
static uint32_t phase_place(play *p, uint32_t barrier) {
  const play_barrier *b = &p->barriers[barrier];
  uint32_t place = 2 * barrier + (b->phase & 1);
  if (b->arrived == 0) oracle_clear_place(p->o, place);
  return place;
}

static void count_arrival(play_barrier *b) {
  if (++b->arrived < b->expected) return;
  b->arrived = 0;
  b->phase++;
}

void play_arrive(play *p, uint32_t barrier, unit_id unit) {
  play_barrier *b = &p->barriers[barrier];
  oracle_put(p->o, phase_place(p, barrier), unit);
  race_arrive(p->r, &b->barrier, b->phase, unit);
  count_arrival(b);
}

void play_arrive_op(play *p, uint32_t barrier, uint32_t op) {
  play_barrier *b = &p->barriers[barrier];
  oracle_put_op(p->o, phase_place(p, barrier), op);
  race_arrive_op(p->r, &b->barrier, b->phase, p->ops[op]);
  count_arrival(b);
}

bool play_wait(play *p, uint32_t barrier, unit_id unit) {
  play_barrier *b = &p->barriers[barrier];
  if (b->phase == 0) return false;
  race_observe(p->r, &b->barrier, b->phase - 1, unit);
  oracle_take(p->o, 2 * barrier + ((b->phase - 1) & 1), unit);
  return true;
}

/* ---- semaphores ---- */

void play_signal(play *p, uint32_t number, unit_id unit, int op, uint32_t amount) {
  play_semaphore *s = &p->semaphores[number];
  uint32_t place = FIRST_SIGNAL + number * SIGNALS + s->places;
  if (s->model.signalled + amount > SIGNALS || s->places == SIGNALS) return;
  s->places++;
  semaphore_span given;
  semaphore_signal(&s->model, amount, &given);
  for (uint64_t i = given.begin; i < given.end; i++) s->place_of[i] = place;
  if (op >= 0) {
    race_signal_op(p->r, &s->race, given, p->ops[op]);
    oracle_put_op(p->o, place, (uint32_t)op);
  } else {
    race_signal(p->r, &s->race, given, unit);
    oracle_put(p->o, place, unit);
  }
}

bool play_take(play *p, uint32_t number, unit_id unit, uint32_t amount, bool keep) {
  play_semaphore *s = &p->semaphores[number];
  semaphore_span taken;
  if (semaphore_wait(&s->model, amount, keep, &taken).state != SYNC_READY) return false;
  race_take(p->r, &s->race, taken, keep, unit);
  for (uint64_t i = taken.begin; i < taken.end; i++) oracle_take(p->o, s->place_of[i], unit);
  return true;
}

/* ---- accesses ---- */

static void mark_elements(oracle_access *a, const race_area *area, uint32_t dim, int64_t offset) {
  if (dim == area->rank) {
    for (uint32_t i = 0; i < (area->width ? area->width : 1); i++)
      if (offset + i >= 0 && offset + i < ORACLE_ELEMENTS) a->touches[offset + i] = true;
    return;
  }
  for (int64_t i = 0; i < area->extents[dim]; i++) mark_elements(a, area, dim + 1, offset + i * area->strides[dim]);
}

void play_touch(play *p, unit_id unit, int op, race_kind kind, uint32_t buffer, race_area area) {
  uint32_t number = oracle_touch(p->o, unit, op, kind, buffer);
  mark_elements(&p->o->log[number], &area, 0, area.offset);
  if (number % 3 == 0) race_sweep(p->r); /* much more often than it would by itself */
  race_access access = {p->buffers[buffer], unit, op < 0 ? NULL : p->ops[op], kind, &p->sites[number]};
  if (area.rank != 1 || area.width > 1 || number % 2) {
    race_touch(p->r, &access, &area);
    return;
  }
  race_touch_begin(p->r, &access);
  race_touch_row(p->r, area.offset, area.strides[0], (uint64_t)area.extents[0]);
  race_touch_end(p->r);
}

/* ---- comparing ---- */

static uint32_t number_of(const play *p, const race_side *side) {
  return (uint32_t)((const char *)side->site - p->sites);
}

/* Every report is a race, with its element and its edge. */
static bool reports_hold(const play *p) {
  for (uint32_t i = 0; i < race_report_count(p->r); i++) {
    const race_report *report = race_report_at(p->r, i);
    uint32_t a = number_of(p, &report->first), b = number_of(p, &report->second);
    if (!oracle_races(p->o, a, b, (int)report->element)) {
      printf("false alarm: accesses %u and %u, element %u\n", a, b, (unsigned)report->element);
      return false;
    }
    bool fence = report->edge == RACE_EDGE_FENCE;
    if (fence != (p->o->log[a < b ? a : b].op < 0 && oracle_lacks_fence(p->o, a, b))) {
      printf("wrong edge %u: accesses %u and %u\n", report->edge, a, b);
      return false;
    }
  }
  return true;
}

/* Whether some report is of `later` and an access that races with it on the element. */
static bool is_reported(const play *p, uint32_t later, int element) {
  for (uint32_t i = 0; i < race_report_count(p->r); i++) {
    const race_report *report = race_report_at(p->r, i);
    uint32_t a = number_of(p, &report->first), b = number_of(p, &report->second);
    if ((a == later || b == later) && a + b >= later && oracle_races(p->o, a, b, element)) return true;
  }
  return false;
}

/* The first access in time that races with an earlier one on the element; -1: none. */
static int first_race(const oracle *o, uint32_t buffer, int element) {
  for (uint32_t b = 0; b < o->log_count; b++) {
    if (o->log[b].buffer != buffer || !o->log[b].touches[element]) continue;
    for (uint32_t a = 0; a < b; a++)
      if (oracle_races(o, a, b, element)) return (int)b;
  }
  return -1;
}

int play_compare(const play *p) {
  int racy = 0;
  if (!reports_hold(p)) return -1;
  for (uint32_t buffer = 0; buffer < ORACLE_BUFFERS; buffer++) {
    for (int element = 0; element < ORACLE_ELEMENTS; element++) {
      int later = first_race(p->o, buffer, element);
      if (later < 0) continue;
      racy++;
      if (is_reported(p, (uint32_t)later, element)) continue;
      printf("missed: access %d, buffer %u, element %d\n", later, buffer, element);
      return -1;
    }
  }
  return racy;
}
