/* Finds the loops in an order of pieces: what repeats itself, with trips that grow evenly, is a loop around its first
 * round. Short repetitions first, so that inner loops are there when the outer ones are looked for.
 *
 *   load(0) use(0) load(1) use(1) load(2) use(2) store     becomes     3 x { load(r) use(r) } store */
#include "pass/roles/roll.h"

enum { TRIES_MOST = 4, PERIOD_MOST = 4096 };

/* ---- nodes that may be rounds of one loop ---- */

static bool same_rows(const roll_row *a, const roll_row *b, uint32_t depth) {
  for (; a && b; a = a->inner, b = b->inner)
    for (uint32_t d = 0; d < depth; d++)
      if (a->by[d] != b->by[d]) return false;
  return a == b;
}

static bool same_shape(const roll_node *a, const roll_node *b) {
  if (a->hash != b->hash || a->count != b->count) return false;
  if (a->count == 0) return a->unit == b->unit && a->piece == b->piece && same_rows(a->rows, b->rows, a->depth);
  for (size_t i = 0; i < a->body_count && a->body_count == b->body_count; i++)
    if (!same_shape(&a->body[i], &b->body[i])) return false;
  return a->body_count == b->body_count;
}

/* By how much the trips of b are ahead of those of a; with `check`, whether it is as much as `by` says. */
static bool measure(const roll_node *a, const roll_node *b, int64_t *by, size_t *at, bool check) {
  for (size_t i = 0; i < a->body_count; i++)
    if (!measure(&a->body[i], &b->body[i], by, at, check)) return false;
  for (uint32_t d = 0; a->count == 0 && d < a->depth; d++, ++*at) {
    const int64_t ahead = b->base[d] - a->base[d];
    if (check && by[*at] != ahead) return false;
    by[*at] = ahead;
  }
  return true;
}

static size_t width_of(const roll_node *nodes, size_t count) {
  size_t width = 0;
  for (size_t i = 0; i < count; i++) width += nodes[i].width;
  return width;
}

static bool is_next_round(const roll_node *before, const roll_node *after, size_t period, int64_t *by, bool check) {
  size_t at = 0;
  for (size_t i = 0; i < period; i++)
    if (!same_shape(&before[i], &after[i])) return false;
  for (size_t i = 0; i < period; i++)
    if (!measure(&before[i], &after[i], by, &at, check)) return false;
  return true;
}

/* How many rounds of `period` nodes follow one another; 1: they do not repeat. */
static size_t rounds_of(const roll_node *nodes, size_t left, size_t period, int64_t *by) {
  size_t rounds = 1;
  while ((rounds + 1) * period <= left &&
         is_next_round(nodes + (rounds - 1) * period, nodes + rounds * period, period, by, rounds > 1))
    rounds++;
  return rounds;
}

/* ---- making loops ---- */

static uint64_t mix(uint64_t hash, uint64_t with) { return hash_bytes(&with, sizeof with, hash); }

/* The new loop's row goes in front: it is around all others. */
static void add_row(arena *a, roll_node *node, const int64_t *by, size_t *at) {
  for (size_t i = 0; i < node->body_count; i++) {
    add_row(a, &node->body[i], by, at);
    node->hash = mix(node->hash, node->body[i].hash);
  }
  if (node->count > 0) return;
  roll_row *row = ARENA_NEW(a, roll_row);
  *row = (roll_row){by + *at, node->rows};
  for (uint32_t d = 0; d < node->depth; d++) node->hash = mix(node->hash, (uint64_t)by[*at + d]);
  *at += node->depth;
  node->rows = row;
}

static roll_node make_loop(arena *a, roll_node *nodes, size_t period, size_t rounds, const int64_t *by) {
  roll_node loop = {.count = (int64_t)rounds, .hash = mix(rounds, period), .body = nodes, .body_count = period};
  const size_t width = width_of(nodes, period);
  const int64_t *kept = arena_copy(a, by, (width + 1) * sizeof *by);
  size_t at = 0;
  loop.width = (uint32_t)width;
  for (size_t i = 0; i < period; i++) {
    add_row(a, &nodes[i], kept, &at);
    loop.hash = mix(loop.hash, nodes[i].hash);
  }
  return loop;
}

/* ---- finding them ---- */

/* For each node the next one of the same hash; the list's end where there is none. */
static size_t *find_next(arena *a, const roll_list *list) {
  size_t slots = 16;
  while (slots < 2 * list->count) slots *= 2;
  size_t *last = ARENA_ARRAY(a, size_t, slots), *next = ARENA_ARRAY(a, size_t, list->count + 1);
  for (size_t i = list->count; i-- > 0;) {
    size_t slot = list->nodes[i].hash & (slots - 1);
    while (last[slot] && list->nodes[last[slot] - 1].hash != list->nodes[i].hash) slot = (slot + 1) & (slots - 1);
    next[i] = last[slot] ? last[slot] - 1 : list->count;
    last[slot] = i + 1;
  }
  return next;
}

/* The shortest period that repeats itself from node `at` on, in `*rounds`; 0: none. */
static size_t find_period(const roll_list *list, const size_t *next, size_t at, int64_t *by, size_t *rounds) {
  const roll_node *nodes = list->nodes + at;
  size_t end = next[at];
  for (uint32_t tries = 0; tries < TRIES_MOST && end < list->count; tries++, end = next[end]) {
    const size_t period = end - at;
    if (period > PERIOD_MOST) return 0;
    *rounds = rounds_of(nodes, list->count - at, period, by);
    if (*rounds > 1) return period;
  }
  return 0;
}

static bool roll_once(arena *a, roll_list *list, int64_t *by) {
  const size_t *next = find_next(a, list);
  roll_list out = {ARENA_ARRAY(a, roll_node, list->count + 1), 0};
  for (size_t at = 0; at < list->count;) {
    size_t rounds = 1, period = find_period(list, next, at, by, &rounds);
    const bool found = period > 0;
    out.nodes[out.count++] = found ? make_loop(a, list->nodes + at, period, rounds, by) : list->nodes[at];
    at += found ? period * rounds : 1;
  }
  const bool changed = out.count < list->count;
  *list = out;
  return changed;
}

roll_list roll_up(const roles *r) {
  roll_list list = {ARENA_ARRAY(r->arena, roll_node, r->order.count + 1), r->order.count};
  for (size_t i = 0; i < list.count; i++) {
    const roles_run *run = &r->order.data[i];
    const uint32_t depth = r->pieces.data[run->piece].depth;
    list.nodes[i] = (roll_node){.unit = run->unit, .piece = run->piece, .depth = depth, .width = depth};
    list.nodes[i].base = run->trips;
    list.nodes[i].hash = mix(mix(1, run->unit), run->piece);
  }
  int64_t *by = ARENA_ARRAY(r->arena, int64_t, width_of(list.nodes, list.count) + 1);
  while (roll_once(r->arena, &list, by)) continue;
  return list;
}

uint64_t roll_size(const roles *r, const roll_list *list) {
  uint64_t size = 0;
  for (size_t i = 0; i < list->count; i++) {
    const roll_node *node = &list->nodes[i];
    const roll_list body = {node->body, node->body_count};
    size += node->count > 0 ? roll_size(r, &body) : r->pieces.data[node->piece].size;
  }
  return size;
}
