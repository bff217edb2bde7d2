/* Clocks: slots in order, and their counts. Units of one cluster soon know of the same slots: where two clocks have the
 * same ones in a row, a join is one loop over the counts. */
#include <string.h>

#include "race/inner.h"

/* ---- finding ---- */

/* The first place from `at` on whose slot is not below `slot`. Mostly near: the steps grow. */
static uint32_t skip(const race_clock *clock, uint32_t at, uint32_t slot) {
  uint32_t low = at, step = 1;
  while (low + step <= clock->count && clock->slots[low + step - 1] < slot) low += step, step *= 2;
  for (; step > 0; step /= 2)
    if (low + step <= clock->count && clock->slots[low + step - 1] < slot) low += step;
  return low;
}

static bool has(const race_clock *clock, uint32_t place, uint32_t slot) {
  return place < clock->count && clock->slots[place] == slot;
}

uint32_t race_clock_at(const race_clock *clock, uint32_t slot) {
  uint32_t place = skip(clock, 0, slot);
  return has(clock, place, slot) ? clock->counts[place] : 0;
}

/* ---- room ---- */

static bool reserve(race *r, race_clock *clock, uint32_t count) {
  uint32_t capacity = clock->capacity ? clock->capacity : 4;
  if (count <= clock->capacity) return true;
  while (capacity < count) capacity *= 2;
  uint32_t *slots = race_room(r, 2 * sizeof *slots * capacity);
  if (!slots) return false;
  const race_clock before = *clock;
  *clock = (race_clock){.slots = slots, .counts = slots + capacity, .count = before.count, .capacity = capacity};
  if (before.count > 0) {
    memcpy(clock->slots, before.slots, before.count * sizeof *slots);
    memcpy(clock->counts, before.counts, before.count * sizeof *slots);
  }
  race_room_give(r, before.slots, 2 * sizeof *slots * before.capacity);
  return true;
}

void race_clock_free(race *r, race_clock *clock) {
  race_room_give(r, clock->slots, 2 * sizeof *clock->slots * clock->capacity);
  *clock = (race_clock){0};
}

/* ---- raising ---- */

static void put(race_clock *clock, uint32_t place, uint32_t slot, uint32_t count) {
  clock->slots[place] = slot;
  clock->counts[place] = count;
}

void race_clock_raise(race *r, race_clock *clock, uint32_t slot, uint32_t count) {
  uint32_t place = skip(clock, 0, slot);
  if (has(clock, place, slot)) {
    if (clock->counts[place] < count) clock->counts[place] = count;
    return;
  }
  if (!reserve(r, clock, clock->count + 1)) return;
  const size_t behind = (clock->count++ - place) * sizeof *clock->slots;
  memmove(clock->slots + place + 1, clock->slots + place, behind);
  memmove(clock->counts + place + 1, clock->counts + place, behind);
  put(clock, place, slot, count);
}

/* How many slots two clocks have alike from two places on. */
static uint32_t run_of(const race_clock *a, uint32_t i, const race_clock *b, uint32_t j) {
  enum { BLOCK = 16 };
  const uint32_t most = a->count - i < b->count - j ? a->count - i : b->count - j;
  const uint32_t *left = a->slots + i, *right = b->slots + j;
  uint32_t run = 0;
  while (run + BLOCK <= most && memcmp(left + run, right + run, BLOCK * sizeof *left) == 0) run += BLOCK;
  while (run < most && left[run] == right[run]) run++;
  return run;
}

static void raise_run(uint32_t *into, const uint32_t *from, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) into[i] = into[i] > from[i] ? into[i] : from[i];
}

/* Raises what both have; counts what only `from` has. */
static uint32_t raise_common(race_clock *into, const race_clock *from) {
  uint32_t missing = 0;
  for (uint32_t i = 0, j = 0; j < from->count;) {
    i = skip(into, i, from->slots[j]);
    if (i == into->count) return missing + from->count - j;
    const uint32_t run = run_of(into, i, from, j), next = run > 0 ? j + run : skip(from, j, into->slots[i]);
    raise_run(into->counts + i, from->counts + j, run);
    missing += next - j - run;
    i += run;
    j = next;
  }
  return missing;
}

/* Puts the missing ones in, from the back, so that nothing is overwritten before it moved. */
static void merge(race_clock *into, const race_clock *from, uint32_t missing) {
  uint32_t i = into->count, j = from->count, to = into->count += missing;
  while (to > i && i > 0) {
    const bool kept = j == 0 || into->slots[i - 1] >= from->slots[j - 1];
    if (kept && j > 0 && into->slots[i - 1] == from->slots[j - 1]) j--;
    to--;
    if (kept)
      i--, put(into, to, into->slots[i], into->counts[i]);
    else
      j--, put(into, to, from->slots[j], from->counts[j]);
  }
  if (to == 0 || i > 0) return;
  memcpy(into->slots, from->slots, to * sizeof *into->slots);
  memcpy(into->counts, from->counts, to * sizeof *into->counts);
}

void race_clock_join(race *r, race_clock *into, const race_clock *from) {
  uint32_t missing = raise_common(into, from);
  if (missing > 0 && reserve(r, into, into->count + missing)) merge(into, from, missing);
}

void race_views_join(race *r, race_views *into, const race_views *from) {
  race_clock_join(r, &into->generic, &from->generic);
  race_clock_join(r, &into->async, &from->async);
}

void race_views_clear(race_views *views) { views->generic.count = views->async.count = 0; }

void race_views_list(race *r, race_views *views) {
  views->next = r->views;
  views->link = &r->views;
  if (views->next) views->next->link = &views->next;
  r->views = views;
}

void race_views_free(race *r, race_views *views) {
  race_clock_free(r, &views->generic);
  race_clock_free(r, &views->async);
  if (!views->link) return;
  *views->link = views->next;
  if (views->next) views->next->link = views->link;
  views->link = NULL;
}
