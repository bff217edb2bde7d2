/* The detector as a whole, and its units. */
#include "race/inner.h"

race *race_create(mem m, uint32_t units) {
  race *r = mem_calloc(m, 1, sizeof *r);
  if (!r) return NULL;
  r->room.mem = m;
  r->unit_count = units;
  r->sweep_at = RACE_SWEEP_LEAST;
  r->units = mem_calloc(m, units ? units : 1, sizeof *r->units);
  if (r->units && race_states_init(r)) return r;
  race_destroy(r);
  return NULL;
}

void race_destroy(race *r) {
  if (!r) return;
  mem m = r->room.mem;
  race_room_finish(&r->room);
  mem_free(m, r->units, (r->unit_count ? r->unit_count : 1) * sizeof *r->units);
  mem_free(m, r, sizeof *r);
}

bool race_failed(const race *r) { return r->failed; }

/* Nobody knows more of a unit than it does itself. */
static void count_events(race *r, race_unit *u, unit_id unit) {
  race_counts_raise(r, &u->views.generic.own, race_slot_done(unit), ++u->now);
}

race_unit *race_unit_of(race *r, unit_id unit) {
  race_unit *u = &r->units[unit];
  if (u->now == 0) count_events(r, u, unit);
  return u;
}

void race_unit_turn(race *r, unit_id unit) { count_events(r, &r->units[unit], unit); }

void race_fence(race *r, unit_id unit) {
  race_unit *u = race_unit_of(r, unit);
  race_clock_join(r, &u->views.async, &u->views.generic);
  race_unit_turn(r, unit);
}

/* All that `from` knows, and what it has in flight. */
static void hand_over(race *r, unit_id from, unit_id to) {
  race_unit *giver = race_unit_of(r, from), *taker = race_unit_of(r, to);
  race_views_join(r, &taker->views, &giver->views);
  race_ops_add_all(r, &taker->tasks, &giver->tasks, &taker->views);
  race_ops_add_all(r, &taker->issued, &giver->issued, &taker->views);
  race_ops_add_all(r, &taker->loads, &giver->loads, &taker->views);
  race_ops_add_all(r, &taker->stores, &giver->stores, &taker->views);
  race_unit_turn(r, from);
}

void race_fork(race *r, unit_id whole, unit_id part) { hand_over(r, whole, part); }

/* `drop` is race_ops_clear or race_ops_free. */
static void drop_ops(race *r, race_unit *u, void (*drop)(race *r, race_ops *list)) {
  drop(r, &u->tasks);
  drop(r, &u->issued);
  drop(r, &u->products);
  drop(r, &u->loads);
  drop(r, &u->stores);
}

void race_join(race *r, unit_id whole, unit_id part) {
  hand_over(r, part, whole);
  drop_ops(r, &r->units[part], race_ops_clear); /* parts come again: the room stays */
}

void race_retire(race *r, unit_id unit) {
  race_unit *u = race_unit_of(r, unit);
  drop_ops(r, u, race_ops_free);
  race_views_free(r, &u->views);
}
