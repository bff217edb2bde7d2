/* States: the past of elements. All elements with the same past have the same state, found again by its contents, so
 * that the shadow of whatever is touched as a whole stays one number per page, and goes back to that after it was
 * touched piece by piece. */
#include <string.h>

#include "race/inner.h"

static size_t marks_size(uint32_t capacity) { return sizeof(race_marks) + capacity * sizeof(race_mark); }

static uint32_t mix(uint32_t seed, uint64_t value) {
  uint64_t h = (seed ^ value) * 0x9e3779b97f4a7c15u;
  return (uint32_t)(h >> 32) ^ (uint32_t)h;
}

uint32_t race_mark_hash(uint32_t seed, const race_mark *mark) {
  uint32_t h = mix(seed, (uintptr_t)mark->site);
  h = mix(h, mark->op ? mark->op->serial : (uint64_t)mark->unit << 32 | mark->count);
  return mix(h, (uint64_t)mark->kind << 1 | (mark->op != NULL));
}

static bool same_mark(const race_mark *a, const race_mark *b) {
  return a->op == b->op && a->site == b->site && a->kind == b->kind && a->unit == b->unit && a->count == b->count;
}

/* ---- the table ---- */

#define FIRST_BUCKETS 64

static bool add_group(race *r) {
  race_state_book *book = &r->states;
  const uint32_t place = book->count / RACE_STATES_EACH;
  void *groups = book->groups;
  if (!race_room_grow(r, &groups, &book->group_capacity, place + 1, sizeof *book->groups)) return false;
  book->groups = groups;
  book->groups[place] = race_room(r, RACE_STATES_EACH * sizeof(race_state));
  return book->groups[place];
}

bool race_states_init(race *r) {
  race_state_book *book = &r->states;
  book->buckets = race_room(r, FIRST_BUCKETS * sizeof *book->buckets);
  book->bucket_count = FIRST_BUCKETS;
  if (!book->buckets || !add_group(r)) return false;
  book->groups[0][book->count++] = (race_state){.write = {.kind = RACE_KINDS}, .refs = 1};
  return true;
}

static void grow_buckets(race *r) {
  race_state_book *book = &r->states;
  uint32_t wider = book->bucket_count * 2;
  race_state_id *buckets = race_room(r, wider * sizeof *buckets);
  if (!buckets) return;
  for (uint32_t i = 0; i < book->bucket_count; i++) {
    for (race_state_id id = book->buckets[i], next; id; id = next) {
      race_state *s = race_state_of(r, id);
      next = s->next;
      s->next = buckets[s->hash & (wider - 1)];
      buckets[s->hash & (wider - 1)] = id;
    }
  }
  race_room_give(r, book->buckets, book->bucket_count * sizeof *buckets);
  book->buckets = buckets;
  book->bucket_count = wider;
}

static race_state_id take_id(race *r) {
  race_state_book *book = &r->states;
  race_state_id id = book->spare;
  if (id) {
    book->spare = race_state_of(r, id)->next;
    return id;
  }
  if (book->count % RACE_STATES_EACH == 0 && !add_group(r)) return 0;
  return book->count++;
}

static void unlink_state(race *r, race_state_id id) {
  race_state_book *book = &r->states;
  race_state_id *link = &book->buckets[race_state_of(r, id)->hash & (book->bucket_count - 1)];
  while (*link != id) link = &race_state_of(r, *link)->next;
  *link = race_state_of(r, id)->next;
}

/* ---- lists of marks ---- */

static void drop_marks(race *r, race_marks *marks) {
  if (!marks || --marks->refs > 0) return;
  for (uint32_t i = 0; i < marks->count; i++) race_op_unref(r, marks->data[i].op);
  r->shadow_bytes -= race_room_size(marks_size(marks->capacity));
  race_room_give(r, marks, marks_size(marks->capacity));
}

static void append(race_marks *marks, const race_mark *mark) {
  race_op_ref(mark->op);
  marks->data[marks->count++] = *mark;
}

static race_marks *new_marks(race *r, uint32_t capacity) {
  race_marks *marks = race_room(r, marks_size(capacity));
  if (!marks) return NULL;
  *marks = (race_marks){.refs = 1, .capacity = capacity};
  r->shadow_bytes += race_room_size(marks_size(capacity));
  return marks;
}

bool race_marks_extend(const race_marks *marks, uint32_t count) {
  return marks->count == count && count < marks->capacity;
}

/* The list of a new state: the old one when the new mark can go behind it. */
static race_marks *list_for(race *r, const race_next_state *next) {
  race_marks *marks = next->source;
  if (marks) {
    marks->refs++;
  } else {
    marks = new_marks(r, next->kept_count + 1 + next->spare);
    for (uint32_t i = 0; marks && i < next->kept_count; i++) append(marks, &next->kept[i]);
  }
  if (marks) append(marks, next->more);
  return marks;
}

/* ---- states ---- */

static bool is_state(const race_state *s, const race_next_state *next) {
  if (s->mark_count != next->kept_count + (next->more != NULL) || !same_mark(&s->write, next->write)) return false;
  if (next->more && !same_mark(&s->marks->data[next->kept_count], next->more)) return false;
  if (s->marks && s->marks == next->source) return true;
  for (uint32_t i = 0; i < next->kept_count; i++)
    if (!same_mark(&s->marks->data[i], &next->kept[i])) return false;
  return true;
}

static race_state_id add_state(race *r, const race_next_state *next, uint32_t marks_hash, uint32_t hash) {
  race_state_book *book = &r->states;
  race_state_id id = take_id(r);
  race_marks *marks = id && next->more ? list_for(r, next) : NULL;
  if (!id || (next->more && !marks)) return 0; /* out of memory: nothing is found from now on */
  *race_state_of(r, id) = (race_state){.write = *next->write,
                                       .marks = marks,
                                       .mark_count = next->kept_count + (next->more != NULL),
                                       .refs = 1,
                                       .hash = hash,
                                       .marks_hash = marks_hash,
                                       .updates = next->updates,
                                       .next = book->buckets[hash & (book->bucket_count - 1)]};
  book->buckets[hash & (book->bucket_count - 1)] = id;
  race_op_ref(next->write->op);
  r->shadow_bytes += sizeof(race_state);
  if (++book->live > book->bucket_count) grow_buckets(r);
  return id;
}

race_state_id race_state_make(race *r, const race_next_state *next) {
  race_state_book *book = &r->states;
  uint32_t marks_hash = next->more ? race_mark_hash(next->kept_hash, next->more) : next->kept_hash;
  uint32_t hash = race_mark_hash(marks_hash, next->write);
  for (race_state_id id = book->buckets[hash & (book->bucket_count - 1)]; id;) {
    race_state *s = race_state_of(r, id);
    if (s->hash == hash && is_state(s, next)) {
      s->refs++;
      return id;
    }
    id = s->next;
  }
  return add_state(r, next, marks_hash, hash);
}

void race_state_ref(race *r, race_state_id id, uint32_t times) { race_state_of(r, id)->refs += times; }

void race_state_unref(race *r, race_state_id id, uint32_t times) {
  if (id == 0 || (race_state_of(r, id)->refs -= times) > 0) return;
  unlink_state(r, id);
  race_state_drop(r, id);
}

void race_state_drop(race *r, race_state_id id) {
  race_state_book *book = &r->states;
  race_state *s = race_state_of(r, id);
  drop_marks(r, s->marks);
  race_op_unref(r, s->write.op);
  *s = (race_state){.next = book->spare};
  book->spare = id;
  book->live--;
  r->shadow_bytes -= sizeof(race_state);
}

/* ---- states that have changed ---- */

static bool same_state(const race_state *a, const race_state *b) {
  if (a->mark_count != b->mark_count || !same_mark(&a->write, &b->write)) return false;
  for (uint32_t i = 0; i < a->mark_count; i++)
    if (!same_mark(&a->marks->data[i], &b->marks->data[i])) return false;
  return true;
}

race_state_id race_state_enter(race *r, race_state_id id) {
  race_state_book *book = &r->states;
  race_state *s = race_state_of(r, id);
  s->marks_hash = 0;
  for (uint32_t i = 0; i < s->mark_count; i++) s->marks_hash = race_mark_hash(s->marks_hash, &s->marks->data[i]);
  s->hash = race_mark_hash(s->marks_hash, &s->write);
  race_state_id *bucket = &book->buckets[s->hash & (book->bucket_count - 1)];
  for (race_state_id other = *bucket; other; other = race_state_of(r, other)->next)
    if (race_state_of(r, other)->hash == s->hash && same_state(race_state_of(r, other), s)) return other;
  s->next = *bucket;
  return *bucket = id;
}
