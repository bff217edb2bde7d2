/* What units hand to each other: barriers by phase, semaphores by unit of count, words by ordered atomics. */
#include "race/inner.h"

static void clear_bundle(race *r, race_bundle *bundle) {
  race_views_clear(r, &bundle->views);
  race_ops_clear(r, &bundle->done);
  race_ops_clear(r, &bundle->tasks);
}

static void free_bundle(race *r, race_bundle *bundle) {
  race_views_free(r, &bundle->views);
  race_ops_free(r, &bundle->done);
  race_ops_free(r, &bundle->tasks);
}

static void put_unit(race *r, race_bundle *bundle, unit_id unit) {
  race_unit *u = race_unit_of(r, unit);
  race_views_join(r, &bundle->views, &u->views);
  race_ops_add_all(r, &bundle->tasks, &u->tasks, &u->views);
  race_unit_turn(r, unit);
}

/* What the operation knew comes with observing it. */
static void put_op(race *r, race_bundle *bundle, race_op *op) {
  race_ops_push(r, &bundle->done, op);
  race_ops_add_all(r, &bundle->tasks, &op->tasks, &op->views);
}

static void take_bundle(race *r, race_bundle *bundle, unit_id unit) {
  race_unit *u = race_unit_of(r, unit);
  race_views_join(r, &u->views, &bundle->views);
  for (uint32_t i = 0; i < bundle->done.count; i++) race_op_observe(r, unit, bundle->done.data[i], false);
  race_ops_add_all(r, &u->tasks, &bundle->tasks, &u->views);
}

/* ---- barriers ---- */

/* What is gathered for a phase: begun when it is another one than the place last held. */
static race_bundle *bundle_of(race *r, race_barrier *b, uint64_t phase) {
  race_bundle **bundle = &b->bundle[phase & 1];
  if (!*bundle && (*bundle = race_room(r, sizeof **bundle))) race_views_list(r, &(*bundle)->views);
  if (*bundle && b->phase[phase & 1] != phase) clear_bundle(r, *bundle);
  b->phase[phase & 1] = phase;
  return *bundle;
}

void race_arrive(race *r, race_barrier *b, uint64_t phase, unit_id unit) {
  race_bundle *bundle = bundle_of(r, b, phase);
  if (bundle) put_unit(r, bundle, unit);
}

void race_arrive_op(race *r, race_barrier *b, uint64_t phase, race_op *op) {
  race_bundle *bundle = op ? bundle_of(r, b, phase) : NULL;
  if (bundle) put_op(r, bundle, op);
}

void race_observe(race *r, race_barrier *b, uint64_t phase, unit_id unit) {
  race_bundle *bundle = b->bundle[phase & 1];
  if (bundle && b->phase[phase & 1] >= phase) take_bundle(r, bundle, unit);
}

void race_barrier_free(race *r, race_barrier *b) {
  for (uint32_t i = 0; i < 2; i++) {
    if (!b->bundle[i]) continue;
    free_bundle(r, b->bundle[i]);
    race_room_give(r, b->bundle[i], sizeof *b->bundle[i]);
  }
  *b = (race_barrier){0};
}

/* ---- semaphores ---- */

/* Signals come and go: what carried one is kept for another, with the room of its clocks. */
static race_signal_entry *new_entry(race *r) {
  race_signal_entry *entry = r->spare_entry;
  if (entry) {
    r->spare_entry = entry->next;
    entry->next = NULL;
    return entry;
  }
  entry = race_room(r, sizeof *entry);
  if (entry) race_views_list(r, &entry->bundle.views);
  return entry;
}

static race_signal_entry *add_entry(race *r, race_semaphore *s, semaphore_span span) {
  race_signal_entry *entry = span.begin < span.end ? new_entry(r) : NULL;
  if (!entry) return NULL;
  entry->span = span;
  entry->known_from = span.begin;
  entry->unit = UNIT_NONE;
  entry->prev = s->last;
  if (s->last)
    s->last->next = entry;
  else
    s->first = entry;
  s->last = entry;
  return entry;
}

static void remove_first(race *r, race_semaphore *s) {
  race_signal_entry *entry = s->first;
  s->first = entry->next;
  if (s->first)
    s->first->prev = NULL;
  else
    s->last = NULL;
  clear_bundle(r, &entry->bundle);
  entry->next = r->spare_entry;
  r->spare_entry = entry;
}

static bool knows(const race_unit *u, const race_signal_entry *entry) {
  return entry && entry->unit != UNIT_NONE &&
         race_clock_at(&u->views.generic, race_slot_done(entry->unit)) >= entry->event;
}

void race_signal(race *r, race_semaphore *s, semaphore_span given, unit_id unit) {
  const race_unit *u = race_unit_of(r, unit);
  race_signal_entry *entry = add_entry(r, s, given);
  if (!entry) return;
  entry->unit = unit;
  entry->event = u->now;
  if (knows(u, entry->prev)) entry->known_from = entry->prev->known_from;
  put_unit(r, &entry->bundle, unit);
}

void race_signal_op(race *r, race_semaphore *s, semaphore_span given, race_op *op) {
  race_signal_entry *entry = op ? add_entry(r, s, given) : NULL;
  if (entry) put_op(r, &entry->bundle, op);
}

/* The latest first: it stands for all that its unit knew of, so that waiting for the n-th signal of a chain does not
 * look at n of them. */
static void take_signals(race *r, race_semaphore *s, uint64_t end, unit_id unit) {
  race_signal_entry *entry = s->last;
  while (entry && entry->span.begin >= end) entry = entry->prev;
  while (entry) {
    const uint64_t known_from = entry->known_from;
    take_bundle(r, &entry->bundle, unit);
    if (known_from <= s->first->span.begin) return;
    while (entry && entry->span.begin >= known_from) entry = entry->prev;
  }
}

void race_take(race *r, race_semaphore *s, semaphore_span taken, bool keep, unit_id unit) {
  if (taken.begin == taken.end) return;
  take_signals(r, s, taken.end, unit);
  while (!keep && s->first && s->first->span.end <= taken.end) remove_first(r, s);
}

void race_semaphore_free(race *r, race_semaphore *s) {
  while (s->first) remove_first(r, s);
}

/* ---- words ---- */

static race_word *find_word(race *r, race_buffer *b, uint64_t element) {
  race_word *word = b->words;
  while (word && word->element != element) word = word->next;
  if (word || !(word = race_room(r, sizeof *word))) return word;
  word->element = element;
  word->next = b->words;
  return b->words = word;
}

void race_release(race *r, race_buffer *b, uint64_t element, unit_id unit) {
  race_word *word = b ? find_word(r, b, element) : NULL;
  if (word) race_arrive(r, &word->told, 0, unit);
}

void race_acquire(race *r, race_buffer *b, uint64_t element, unit_id unit) {
  race_word *word = b ? find_word(r, b, element) : NULL;
  if (word) race_observe(r, &word->told, 0, unit);
}

void race_words_free(race *r, race_buffer *b) {
  for (race_word *word = b->words, *next; word; word = next) {
    next = word->next;
    race_barrier_free(r, &word->told);
    race_room_give(r, word, sizeof *word);
  }
}
