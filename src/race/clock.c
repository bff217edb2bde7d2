/* Clocks: sorted lists of (slot, count). Units hear of few others, so they are short, and joins are merges. */
#include "race/inner.h"

/* The place of `slot`, or where it would be put. */
static uint32_t place_of(const race_clock *clock, uint32_t slot) {
  uint32_t low = 0, high = clock->count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (clock->ticks[middle].slot < slot)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

uint32_t race_clock_at(const race_clock *clock, uint32_t slot) {
  uint32_t place = place_of(clock, slot);
  return place < clock->count && clock->ticks[place].slot == slot ? clock->ticks[place].count : 0;
}

static bool reserve(race *r, race_clock *clock, uint32_t count) {
  void *ticks = clock->ticks;
  if (!race_room_grow(r, &ticks, &clock->capacity, count, sizeof(race_tick))) return false;
  clock->ticks = ticks;
  return true;
}

void race_clock_raise(race *r, race_clock *clock, uint32_t slot, uint32_t count) {
  uint32_t place = place_of(clock, slot);
  if (place < clock->count && clock->ticks[place].slot == slot) {
    if (clock->ticks[place].count < count) clock->ticks[place].count = count;
    return;
  }
  if (!reserve(r, clock, clock->count + 1)) return;
  for (uint32_t i = clock->count++; i > place; i--) clock->ticks[i] = clock->ticks[i - 1];
  clock->ticks[place] = (race_tick){slot, count};
}

/* Raises what both have; counts what only `from` has. */
static uint32_t raise_common(race_clock *into, const race_clock *from) {
  uint32_t missing = 0, i = 0;
  for (uint32_t j = 0; j < from->count; j++) {
    while (i < into->count && into->ticks[i].slot < from->ticks[j].slot) i++;
    if (i == into->count || into->ticks[i].slot != from->ticks[j].slot)
      missing++;
    else if (into->ticks[i].count < from->ticks[j].count)
      into->ticks[i].count = from->ticks[j].count;
  }
  return missing;
}

void race_clock_join(race *r, race_clock *into, const race_clock *from) {
  uint32_t missing = raise_common(into, from);
  if (missing == 0 || !reserve(r, into, into->count + missing)) return;
  uint32_t i = into->count, to = into->count += missing;
  for (uint32_t j = from->count; j > 0; j--) { /* from the back, so that nothing is overwritten before it moved */
    race_tick tick = from->ticks[j - 1];
    while (i > 0 && into->ticks[i - 1].slot > tick.slot) into->ticks[--to] = into->ticks[--i];
    if (i > 0 && into->ticks[i - 1].slot == tick.slot) continue;
    into->ticks[--to] = tick;
  }
}

void race_clock_free(race *r, race_clock *clock) {
  race_room_give(r, clock->ticks, clock->capacity * sizeof(race_tick));
  *clock = (race_clock){0};
}

void race_views_join(race *r, race_views *into, const race_views *from) {
  race_clock_join(r, &into->generic, &from->generic);
  race_clock_join(r, &into->async, &from->async);
}

void race_views_clear(race_views *views) { views->generic.count = views->async.count = 0; }

void race_views_free(race *r, race_views *views) {
  race_clock_free(r, &views->generic);
  race_clock_free(r, &views->async);
}
