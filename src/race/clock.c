/* Clocks. What a barrier teaches is the same for all who leave it: it becomes one list that their clocks share, and
 * each has beside it the few counts that go beyond. So a barrier among many units costs one list a phase, not one for
 * each of them. A shared list does not change; where two of them meet, what comes of it is noted, for whoever joins
 * the same two next. */
#include "race/inner.h"

/* ---- shared lists ---- */

static race_common *take(race_common *common) {
  if (common) common->refs++;
  return common;
}

/* It changes, or ends: what was noted of it holds no longer. */
static void forget(race *r, const race_common *common) {
  for (uint32_t i = 0; i < RACE_JOINS; i++) {
    const race_joined *note = &r->joins[i];
    if (note->mine == common || note->other == common || note->result == common) r->joins[i] = (race_joined){0};
  }
}

static void give(race *r, race_common *common) {
  if (!common || --common->refs > 0) return;
  forget(r, common);
  *common->link = common->next;
  if (common->next) common->next->link = common->link;
  race_counts_free(r, &common->counts);
  race_room_give(r, common, sizeof *common);
}

static race_common *new_common(race *r) {
  race_common *common = race_room(r, sizeof *common);
  if (!common) return NULL;
  *common = (race_common){.refs = 1, .next = r->commons, .link = &r->commons};
  if (common->next) common->next->link = &common->next;
  return r->commons = common;
}

/* A list with all of `mine`, whose reference goes over to it, and of the other. What nobody else shares is changed. */
static race_common *merged(race *r, race_common *mine, const race_counts *other) {
  race_common *into = mine;
  if (mine && mine->refs == 1)
    forget(r, mine);
  else
    into = new_common(r);
  if (into && mine && into != mine) race_counts_join(r, &into->counts, &mine->counts);
  if (into) race_counts_join(r, &into->counts, other);
  if (into != mine) give(r, mine);
  return into;
}

static race_joined *note_of(race *r, const race_common *mine, const race_common *other) {
  const uint64_t hash = ((uintptr_t)mine * 31 + (uintptr_t)other) * 0x9e3779b97f4a7c15u;
  return &r->joins[(hash >> 32) % RACE_JOINS];
}

/* What a join of the two comes to, if that is there already; NULL: it is not. */
static race_common *find_joined(race *r, race_common *mine, race_common *other) {
  race_joined *note = note_of(r, mine, other);
  if (note->mine == mine && note->other == other) return note->result;
  const bool more = race_counts_cover(&other->counts, &mine->counts);
  if (!more && !race_counts_cover(&mine->counts, &other->counts)) return NULL;
  *note = (race_joined){.mine = mine, .other = other, .result = more ? other : mine};
  return note->result;
}

static race_common *join_common(race *r, race_common *mine, race_common *other) {
  race_common *joined = find_joined(r, mine, other);
  if (joined) {
    take(joined);
    give(r, mine);
    return joined;
  }
  const bool is_shared = mine->refs > 1;
  joined = merged(r, mine, &other->counts);
  if (is_shared) *note_of(r, mine, other) = (race_joined){.mine = mine, .other = other, .result = joined};
  return joined;
}

/* ---- clocks ---- */

/* Others are about to join it: what it has of its own becomes shared, when that is much. */
static void share(race *r, race_clock *clock) {
  if (clock->own.count <= RACE_MOST_OWN) return;
  clock->common = merged(r, clock->common, &clock->own);
  clock->own.count = 0;
}

void race_clock_join_shared(race *r, race_clock *into, race_clock *from) {
  share(r, from);
  if (from->common && from->common != into->common) {
    into->common = into->common ? join_common(r, into->common, from->common) : take(from->common);
    if (into->common) race_counts_drop_covered(&into->own, &into->common->counts);
  }
  const race_counts *own = &from->own; /* few: it has just shared many */
  for (uint32_t i = 0; i < own->count; i++) race_clock_raise(r, into, own->slots[i], own->counts[i]);
}

static void clear_clock(race *r, race_clock *clock) {
  give(r, clock->common);
  clock->common = NULL;
  clock->own.count = 0;
}

void race_clock_free(race *r, race_clock *clock) {
  give(r, clock->common);
  race_counts_free(r, &clock->own);
  *clock = (race_clock){0};
}

/* ---- views ---- */

void race_views_join(race *r, race_views *into, race_views *from) {
  race_clock_join(r, &into->generic, &from->generic);
  race_clock_join(r, &into->async, &from->async);
}

void race_views_clear(race *r, race_views *views) {
  clear_clock(r, &views->generic);
  clear_clock(r, &views->async);
}

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
