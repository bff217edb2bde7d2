/* Counts by slot: slots in order, and the count of each. Units of one cluster soon know of the same slots: where two
 * lists have the same ones in a row, a join is one loop over the counts. */
#include <string.h>

#include "race/inner.h"

/* ---- finding ---- */

/* The first place from `at` on whose slot is not below `slot`. Mostly near: the steps grow. */
static uint32_t skip(const race_counts *list, uint32_t at, uint32_t slot) {
  uint32_t low = at, step = 1;
  while (low + step <= list->count && list->slots[low + step - 1] < slot) low += step, step *= 2;
  for (; step > 0; step /= 2)
    if (low + step <= list->count && list->slots[low + step - 1] < slot) low += step;
  return low;
}

static bool has(const race_counts *list, uint32_t place, uint32_t slot) {
  return place < list->count && list->slots[place] == slot;
}

uint32_t race_counts_at(const race_counts *list, uint32_t slot) {
  uint32_t place = skip(list, 0, slot);
  return has(list, place, slot) ? list->counts[place] : 0;
}

/* ---- room ---- */

static bool reserve(race *r, race_counts *list, uint32_t count) {
  uint32_t capacity = list->capacity ? list->capacity : 4;
  if (count <= list->capacity) return true;
  while (capacity < count) capacity *= 2;
  uint32_t *slots = race_room(r, 2 * sizeof *slots * capacity);
  if (!slots) return false;
  const race_counts before = *list;
  *list = (race_counts){.slots = slots, .counts = slots + capacity, .count = before.count, .capacity = capacity};
  if (before.count > 0) {
    memcpy(list->slots, before.slots, before.count * sizeof *slots);
    memcpy(list->counts, before.counts, before.count * sizeof *slots);
  }
  race_room_give(r, before.slots, 2 * sizeof *slots * before.capacity);
  return true;
}

void race_counts_free(race *r, race_counts *list) {
  race_room_give(r, list->slots, 2 * sizeof *list->slots * list->capacity);
  *list = (race_counts){0};
}

/* ---- raising ---- */

static void put(race_counts *list, uint32_t place, uint32_t slot, uint32_t count) {
  list->slots[place] = slot;
  list->counts[place] = count;
}

void race_counts_raise(race *r, race_counts *list, uint32_t slot, uint32_t count) {
  uint32_t place = skip(list, 0, slot);
  if (has(list, place, slot)) {
    if (list->counts[place] < count) list->counts[place] = count;
    return;
  }
  if (!reserve(r, list, list->count + 1)) return;
  const size_t behind = (list->count++ - place) * sizeof *list->slots;
  memmove(list->slots + place + 1, list->slots + place, behind);
  memmove(list->counts + place + 1, list->counts + place, behind);
  put(list, place, slot, count);
}

/* ---- two lists ---- */

/* How many slots two lists have alike from two places on. */
static uint32_t run_of(const race_counts *a, uint32_t i, const race_counts *b, uint32_t j) {
  enum { BLOCK = 16 };
  const uint32_t most = a->count - i < b->count - j ? a->count - i : b->count - j;
  const uint32_t *left = a->slots + i, *right = b->slots + j;
  uint32_t run = 0;
  while (run + BLOCK <= most && memcmp(left + run, right + run, BLOCK * sizeof *left) == 0) run += BLOCK;
  while (run < most && left[run] == right[run]) run++;
  return run;
}

static bool covers_run(const uint32_t *counts, const uint32_t *others, uint32_t run) {
  bool below = false;
  for (uint32_t i = 0; i < run; i++) below |= counts[i] < others[i];
  return !below;
}

bool race_counts_cover(const race_counts *list, const race_counts *other) {
  for (uint32_t i = 0, j = 0; j < other->count;) {
    i = skip(list, i, other->slots[j]);
    const uint32_t run = run_of(list, i, other, j);
    if (run == 0 || !covers_run(list->counts + i, other->counts + j, run)) return false;
    i += run;
    j += run;
  }
  return true;
}

void race_counts_drop_covered(race_counts *list, const race_counts *by) {
  uint32_t kept = 0;
  for (uint32_t i = 0, at = 0; i < list->count; i++) {
    at = skip(by, at, list->slots[i]);
    if (has(by, at, list->slots[i]) && by->counts[at] >= list->counts[i]) continue;
    put(list, kept++, list->slots[i], list->counts[i]);
  }
  list->count = kept;
}

static void raise_run(uint32_t *into, const uint32_t *from, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) into[i] = into[i] > from[i] ? into[i] : from[i];
}

/* Raises what both have; counts what only `from` has. */
static uint32_t raise_common(race_counts *into, const race_counts *from) {
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
static void merge(race_counts *into, const race_counts *from, uint32_t missing) {
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

void race_counts_join(race *r, race_counts *into, const race_counts *from) {
  uint32_t missing = raise_common(into, from);
  if (missing > 0 && reserve(r, into, into->count + missing)) merge(into, from, missing);
}
