/* The compiler's client of the allocator: offsets for items whose lifetimes are known.
 *
 * Each copy of a space is packed on its own. One packing puts items down in some order, each into the lowest gap left
 * by the items that it meets in time. Three orders are tried (large first, then long-lived-and-large, then by time);
 * then the best is improved by moving items that reach the top to the front, for a bounded number of rounds. It stops
 * as soon as the peak equals the bytes alive at once, below which nothing can go. */
#include <stdlib.h>
#include <string.h>

#include "model/alloc.h"

enum {
  IMPROVE_ROUNDS = 48,
  IMPROVE_PAIRS = 1 << 18, /* pairs of items that rounds may look at: about a millisecond */
  PACK_MAX_ITEMS = 2048,
  STREAM_ALIVE = 1024
};

typedef struct packing {
  alloc_item *items;
  uint32_t *order; /* indices into items, as put down */
  uint32_t count;
  uint64_t peak;
} packing;

/* The room an item occupies; items with no bytes meet nobody. */
static uint64_t end_of(const alloc_item *item) { return item->offset + item->size; }

static uint64_t align_up(uint64_t value, uint32_t align) { return (value + align - 1) & ~(uint64_t)(align - 1); }

/* Puts one item into the lowest gap between the placed items that it meets, which `near` lists by offset. */
static void put(alloc_item *items, uint32_t which, const uint32_t *near, uint32_t near_count) {
  alloc_item *item = &items[which];
  item->offset = 0;
  item->above = ALLOC_NONE;
  for (uint32_t i = 0; i < near_count; i++) {
    const alloc_item *other = &items[near[i]];
    if (item->offset + item->size <= other->offset) return;
    if (end_of(other) <= item->offset) continue;
    item->offset = align_up(end_of(other), item->align);
    item->above = near[i];
  }
}

/* Inserts into the list kept by offset. */
static void keep_sorted(const alloc_item *items, uint32_t *sorted, uint32_t count, uint32_t which) {
  uint32_t at = count;
  for (; at > 0 && items[sorted[at - 1]].offset > items[which].offset; at--) sorted[at] = sorted[at - 1];
  sorted[at] = which;
}

static void pack(packing *p, uint32_t *sorted, uint32_t *near) {
  p->peak = 0;
  uint32_t placed = 0;
  for (uint32_t i = 0; i < p->count; i++) {
    uint32_t which = p->order[i], near_count = 0;
    for (uint32_t j = 0; j < placed; j++)
      if (alloc_meet(&p->items[sorted[j]], &p->items[which])) near[near_count++] = sorted[j];
    put(p->items, which, near, near_count);
    if (p->items[which].size == 0) continue;
    keep_sorted(p->items, sorted, placed++, which);
    if (end_of(&p->items[which]) > p->peak) p->peak = end_of(&p->items[which]);
  }
}

/* ---- orders ---- */

typedef struct ranked {
  uint64_t rank[3]; /* larger first, one after the other */
  uint32_t which;
} ranked;

static int compare_ranked(const void *left, const void *right) {
  const ranked *a = left, *b = right;
  for (uint32_t i = 0; i < 3; i++)
    if (a->rank[i] != b->rank[i]) return a->rank[i] > b->rank[i] ? -1 : 1;
  return a->which < b->which ? -1 : 1;
}

typedef enum order_kind { BY_SIZE, BY_AREA, BY_TIME, ORDER_KINDS } order_kind;

static ranked rank_item(const alloc_item *item, uint32_t which, order_kind kind) {
  uint64_t span = (uint64_t)item->last - item->first + 1, area;
  if (__builtin_mul_overflow(span, item->size, &area)) area = UINT64_MAX;
  uint64_t early = UINT32_MAX - item->first;
  switch (kind) {
    case BY_AREA: return (ranked){{area, item->size, early}, which};
    case BY_TIME: return (ranked){{early, span, item->size}, which};
    default: return (ranked){{item->size, span, early}, which};
  }
}

static void sort_order(packing *p, ranked *scratch, const uint32_t *members, order_kind kind) {
  for (uint32_t i = 0; i < p->count; i++) scratch[i] = rank_item(&p->items[members[i]], members[i], kind);
  qsort(scratch, p->count, sizeof *scratch, compare_ranked);
  for (uint32_t i = 0; i < p->count; i++) p->order[i] = scratch[i].which;
}

/* The item that ends at the peak goes first in the next try. False when it is first already. */
static bool promote_topmost(packing *p) {
  uint32_t top = 0;
  for (uint32_t i = 0; i < p->count; i++)
    if (p->items[p->order[i]].size && end_of(&p->items[p->order[i]]) == p->peak) top = i;
  if (top == 0) return false;
  uint32_t which = p->order[top];
  memmove(&p->order[1], &p->order[0], top * sizeof *p->order);
  p->order[0] = which;
  return true;
}

/* ---- one copy of a space ---- */

typedef struct group {
  arena *arena;
  alloc_item *items;
  const uint32_t *members;
  uint32_t count;
} group;

/* ranks[i] by the beginning of each lifetime, early first. */
static void sort_by_time(const group *g, ranked *ranks) {
  for (uint32_t i = 0; i < g->count; i++) ranks[i] = rank_item(&g->items[g->members[i]], g->members[i], BY_TIME);
  qsort(ranks, g->count, sizeof *ranks, compare_ranked);
}

static int compare_ends(const void *left, const void *right) {
  const ranked *a = left, *b = right;
  return a->rank[0] < b->rank[0] ? -1 : a->rank[0] > b->rank[0];
}

/* Most bytes alive at once: lifetimes begin in order, and those that ended before have been taken off. */
static void measure_live(const group *g, const ranked *by_time, alloc_use *use) {
  ranked *ends = ARENA_ARRAY(g->arena, ranked, g->count);
  for (uint32_t i = 0; i < g->count; i++) ends[i] = (ranked){{g->items[g->members[i]].last}, g->members[i]};
  qsort(ends, g->count, sizeof *ends, compare_ends);
  uint64_t live = 0;
  uint32_t ended = 0;
  use->live_at = g->items[by_time[0].which].first;
  for (uint32_t i = 0; i < g->count; i++) {
    const alloc_item *item = &g->items[by_time[i].which];
    while (g->items[ends[ended].which].last < item->first) live -= g->items[ends[ended++].which].size;
    live += item->size;
    if (live > use->live) use->live = live, use->live_at = item->first;
  }
}

/* ---- very many items ---- */

typedef struct stream {
  alloc_item *items;
  uint32_t alive[STREAM_ALIVE]; /* by offset */
  uint32_t count;
  uint64_t ceiling, top; /* stacked items begin at the ceiling; everything ends at the top */
} stream;

static void retire(stream *s, uint32_t now) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < s->count; i++)
    if (s->items[s->alive[i]].last >= now) s->alive[kept++] = s->alive[i];
  s->count = kept;
}

static void put_in_stream(stream *s, uint32_t which) {
  alloc_item *item = &s->items[which];
  retire(s, item->first);
  put(s->items, which, s->alive, s->count);
  if (s->count < STREAM_ALIVE && end_of(item) <= s->ceiling) {
    keep_sorted(s->items, s->alive, s->count++, which);
  } else {
    item->offset = align_up(s->top, item->align);
    item->above = ALLOC_NONE;
    if (item->offset < s->ceiling) s->ceiling = item->offset;
  }
  if (end_of(item) > s->top) s->top = end_of(item);
}

static uint64_t pack_stream(const group *g, const ranked *by_time) {
  stream *s = ARENA_NEW(g->arena, stream);
  s->items = g->items;
  s->ceiling = UINT64_MAX;
  for (uint32_t i = 0; i < g->count; i++) {
    g->items[by_time[i].which].offset = 0;
    g->items[by_time[i].which].above = ALLOC_NONE;
    if (g->items[by_time[i].which].size) put_in_stream(s, by_time[i].which);
  }
  return s->top;
}

/* ---- few enough to try orders ---- */

static void pack_orders(const group *g, ranked *ranks, alloc_use *use) {
  packing now = {.items = g->items, .order = ARENA_ARRAY(g->arena, uint32_t, g->count), .count = g->count};
  uint32_t *sorted = ARENA_ARRAY(g->arena, uint32_t, g->count), *near = ARENA_ARRAY(g->arena, uint32_t, g->count);
  uint32_t *best = ARENA_ARRAY(g->arena, uint32_t, g->count);
  use->peak = UINT64_MAX;
  const uint32_t affordable = IMPROVE_PAIRS / (g->count * g->count);
  const uint32_t rounds = affordable < IMPROVE_ROUNDS ? affordable : IMPROVE_ROUNDS;
  for (uint32_t kind = 0; kind < ORDER_KINDS && use->peak > use->live; kind++) {
    sort_order(&now, ranks, g->members, (order_kind)kind);
    for (uint32_t round = 0; round <= rounds && use->peak > use->live; round++) {
      if (round > 0 && !promote_topmost(&now)) break;
      pack(&now, sorted, near);
      if (now.peak >= use->peak) continue;
      use->peak = now.peak;
      memcpy(best, now.order, g->count * sizeof *best);
    }
  }
  memcpy(now.order, best, g->count * sizeof *best);
  pack(&now, sorted, near);
}

static void pack_group(const group *g, alloc_use *use) {
  ranked *ranks = ARENA_ARRAY(g->arena, ranked, g->count);
  sort_by_time(g, ranks);
  measure_live(g, ranks, use);
  if (g->count <= PACK_MAX_ITEMS)
    pack_orders(g, ranks, use);
  else
    use->peak = pack_stream(g, ranks);
}

/* ---- entry ---- */

/* Item indices by space, owner and place in the argument. */
static uint32_t *sort_members(arena *a, const alloc_item *items, uint32_t count) {
  ranked *keys = ARENA_ARRAY(a, ranked, count);
  uint32_t *members = ARENA_ARRAY(a, uint32_t, count);
  for (uint32_t i = 0; i < count; i++)
    keys[i] = (ranked){{UINT64_MAX - items[i].key.space, UINT64_MAX - items[i].key.owner}, i};
  qsort(keys, count, sizeof *keys, compare_ranked);
  for (uint32_t i = 0; i < count; i++) members[i] = keys[i].which;
  return members;
}

/* Checks that all sizes, rounded up to their alignment, can be added: then no offset can overflow. */
static bool settle_items(alloc_item *items, uint32_t count, uint32_t *culprit) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < count; i++) {
    alloc_item *item = &items[i];
    if (item->align == 0) item->align = space_info_of(item->key.space)->align;
    *culprit = i;
    if ((item->align & (item->align - 1)) != 0 || item->first > item->last) return false;
    if (__builtin_add_overflow(sum, item->size, &sum) || __builtin_add_overflow(sum, item->align, &sum)) return false;
  }
  *culprit = ALLOC_NONE;
  return true;
}

bool alloc_place(arena *a, const machine *m, alloc_item *items, uint32_t count, alloc_report *out, uint32_t *culprit) {
  *out = (alloc_report){.items = items, .item_count = count};
  if (!settle_items(items, count, culprit)) return false;
  if (count == 0) return true;
  uint32_t *members = sort_members(a, items, count);
  alloc_use *uses = ARENA_ARRAY(a, alloc_use, count);
  for (uint32_t begin = 0, end; begin < count; begin = end) {
    alloc_key key = items[members[begin]].key;
    alloc_use *use = &uses[out->use_count++];
    *use = (alloc_use){.space = key.space, .owner = key.owner, .limit = m->limit[key.space]};
    for (end = begin; end < count; end++) {
      const alloc_item *item = &items[members[end]];
      if (item->key.space != key.space || item->key.owner != key.owner) break;
      use->total += item->size;
      use->items++;
    }
    group g = {a, items, members + begin, end - begin};
    pack_group(&g, use);
  }
  out->uses = uses;
  return true;
}

bool alloc_fits(const alloc_use *use) { return use->limit == 0 || use->peak <= use->limit; }

void alloc_explain(const alloc_item *items, uint32_t which, text *out) {
  const alloc_item *item = &items[which];
  text_format(out, "at %llu", (unsigned long long)item->offset);
  if (item->above == ALLOC_NONE)
    text_add(out, STR(", at the bottom"));
  else
    text_format(out, ", behind %.*s", STR_FMT(items[item->above].name));
  text_format(out, ", alive %u..%u", item->first, item->last);
}
