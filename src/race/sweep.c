/* Sweeping: states that nobody can tell apart any more become one, so that shadow memory does not grow with the events
 * of a run.
 *
 * A mark of a unit at its event c is told from one at another event only by who knows of the one and not of the other.
 * All that anybody will ever know of the past is in the clocks that there are now. So c stands for every event after
 * the largest count below c that is in some clock; the first of them takes its place. */
#include <stdlib.h>

#include "race/inner.h"

/* What some clock knows of a unit. */
typedef struct known {
  uint32_t slot, count;
} known;

typedef struct book {
  known *known; /* in order */
  size_t count, capacity;
} book;

/* ---- what is known ---- */

static void add_room(book *all, const race_counts *list) { all->capacity += list->count; }

static void add_counts(book *all, const race_counts *list) {
  for (uint32_t i = 0; i < list->count; i++) all->known[all->count++] = (known){list->slots[i], list->counts[i]};
}

typedef void count_adder(book *all, const race_counts *list);

static void add_views(book *all, const race_views *views, count_adder *add) {
  add(all, &views->generic.own);
  add(all, &views->async.own);
}

/* Every list of counts that there is. */
static void add_all(const race *r, book *all, count_adder *add) {
  for (uint32_t u = 0; u < r->unit_count; u++) add_views(all, &r->units[u].views, add);
  for (const race_views *views = r->views; views; views = views->next) add_views(all, views, add);
  for (const race_common *common = r->commons; common; common = common->next) add(all, &common->counts);
}

static int compare(const void *left, const void *right) {
  const known *a = left, *b = right;
  if (a->slot != b->slot) return a->slot < b->slot ? -1 : 1;
  return (a->count > b->count) - (a->count < b->count);
}

static bool gather(race *r, book *all) {
  add_all(r, all, add_room);
  all->known = race_room(r, (all->capacity + 1) * sizeof *all->known);
  if (!all->known) return false;
  add_all(r, all, add_counts);
  qsort(all->known, all->count, sizeof *all->known, compare);
  return true;
}

/* The largest count below `count` that some clock has in that slot; units that have not begun know 0. */
static uint32_t largest_below(const book *all, uint32_t slot, uint32_t count) {
  const known wanted = {slot, count};
  size_t low = 0, high = all->count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (compare(&all->known[middle], &wanted) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low > 0 && all->known[low - 1].slot == slot ? all->known[low - 1].count : 0;
}

/* ---- states ---- */

static void lower_mark(const book *all, race_mark *mark) {
  if (!mark->op && mark->kind != RACE_KINDS)
    mark->count = largest_below(all, race_slot_done(mark->unit), mark->count) + 1;
}

/* Lists that several states share are lowered again and again: that changes nothing. */
static void lower_states(race *r, const book *all) {
  for (race_state_id id = 1; id < r->states.count; id++) {
    race_state *s = race_state_of(r, id);
    if (s->refs == 0) continue;
    lower_mark(all, &s->write);
    for (uint32_t i = 0; i < s->mark_count; i++) lower_mark(all, &s->marks->data[i]);
  }
}

/* Which state stands for each from now on. It takes over the references, but for those of parts that become one. */
static void find_names(race *r, race_state_id *names) {
  race_state_book *states = &r->states;
  for (uint32_t i = 0; i < states->bucket_count; i++) states->buckets[i] = 0;
  for (race_state_id id = 1; id < states->count; id++) {
    race_state *s = race_state_of(r, id);
    if (s->refs == 0) continue;
    names[id] = race_state_enter(r, id);
    if (names[id] == id) continue;
    race_state_of(r, names[id])->refs += s->refs;
    s->refs = 0;
    race_state_drop(r, id);
  }
}

/* Not before as many states have come as make up for looking at all that there is. */
static void put_off(race *r, uint64_t known_count) {
  enum { PAGES_EACH = 4 };
  uint64_t at = RACE_SWEEP_LEAST, pages = 0;
  for (const race_buffer *b = r->buffers; b; b = b->next) pages += b->pages;
  if (at < 2 * (uint64_t)r->states.live) at = 2 * (uint64_t)r->states.live;
  if (at < known_count) at = known_count;
  if (at < pages / PAGES_EACH) at = pages / PAGES_EACH;
  r->sweep_at = at < UINT32_MAX ? (uint32_t)at : UINT32_MAX;
}

void race_sweep(race *r) {
  book all = {0};
  const size_t names_size = r->states.count * sizeof(race_state_id);
  race_state_id *names = race_room(r, names_size);
  if (names && gather(r, &all)) {
    lower_states(r, &all);
    find_names(r, names);
    for (race_buffer *b = r->buffers; b; b = b->next) race_shadow_rename(r, b, names);
  }
  race_room_give(r, all.known, (all.capacity + 1) * sizeof *all.known);
  race_room_give(r, names, names_size);
  put_off(r, all.count);
}
