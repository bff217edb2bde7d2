/* Barriers, arrays of them, and barriers of a cluster. */
#include "model/barrier.h"

#include <string.h>

void barrier_init(barrier *b, uint32_t expected) { *b = (barrier){.expected = expected ? expected : 1}; }

void barrier_free(barrier *b, mem m) {
  mem_free(m, b->waiters, b->waiter_capacity * sizeof *b->waiters);
  *b = (barrier){0};
}

sync_result barrier_arrive(barrier *b) {
  if (++b->arrived < b->expected) return sync_ready();
  b->arrived = 0;
  b->phase++;
  if (b->open) return sync_ready();
  if (b->phase > 1 && b->waiter_count == 0) return sync_fault(SYNC_UNSEEN_PHASE, UNIT_NONE, 0, b->phase);
  for (uint32_t i = 0; i < b->waiter_count; i++)
    if (!b->waiters[i].split && b->waiters[i].observed + 1 < b->phase)
      return sync_fault(SYNC_OVER_ARRIVAL, b->waiters[i].unit, b->waiters[i].observed, b->phase);
  return sync_ready();
}

/* ---- who has observed what ---- */

static bool is_at(const barrier *b, uint32_t place, unit_id u) {
  return place < b->waiter_count && b->waiters[place].unit == u;
}

/* Where the unit is among the waiters, or would be. Mostly all units of a block wait: then its number tells. */
static uint32_t place_of(const barrier *b, unit_id u) {
  uint32_t low = 0, high = b->waiter_count;
  if (high > 0 && is_at(b, u - b->waiters[0].unit, u)) return u - b->waiters[0].unit;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (b->waiters[middle].unit < u)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static barrier_waiter *find_waiter(const barrier *b, unit_id u) {
  const uint32_t place = place_of(b, u);
  return is_at(b, place, u) ? &b->waiters[place] : NULL;
}

static barrier_waiter *add_waiter(barrier *b, mem m, const machine *on, unit_id u) {
  const uint32_t place = place_of(b, u);
  if (is_at(b, place, u)) return &b->waiters[place];
  barrier_waiter *waiters = mem_grow(m, b->waiters, &b->waiter_capacity, b->waiter_count + 1, sizeof *waiters);
  if (!waiters) return NULL;
  b->waiters = waiters;
  memmove(&waiters[place + 1], &waiters[place], (b->waiter_count++ - place) * sizeof *waiters);
  waiters[place] = (barrier_waiter){.unit = u};
  b->depths |= UINT32_C(1) << unit_depth(on, u);
  return &waiters[place];
}

static bool has_waiters_of(const barrier *b, uint32_t depth) { return b->depths >> depth & 1; }

/* How many parts of `u` to ask for; 0 while no unit of their level has waited. */
static uint32_t part_count(const barrier *b, const machine *on, unit_id u) {
  uint32_t depth = unit_depth(on, u);
  return depth + 1 < on->levels && has_waiters_of(b, depth + 1) ? on->size[depth + 1] : 0;
}

/* The waiter that `u` was split from; NULL when there is none. */
static barrier_waiter *whole_of(const barrier *b, const machine *on, unit_id u) {
  uint32_t depth = unit_depth(on, u);
  return depth > 0 && has_waiters_of(b, depth - 1) ? find_waiter(b, unit_parent(on, u)) : NULL;
}

/* The phases that the parts of `u` have observed, when any has: then all must have, equally. */
static sync_result observed_by_parts(const barrier *b, const machine *on, unit_id u, bool *any, uint64_t *observed) {
  uint32_t parts = part_count(b, on, u), seen = 0;
  *any = false;
  for (uint32_t i = 0; i < parts; i++) {
    const barrier_waiter *part = find_waiter(b, unit_child(on, u, i));
    if (!part) continue;
    if (seen++ > 0 && part->observed != *observed) return sync_fault(SYNC_SPLIT_WAIT, u, part->observed, *observed);
    *observed = part->observed;
  }
  *any = seen > 0;
  return seen == 0 || seen == parts ? sync_ready() : sync_fault(SYNC_SPLIT_WAIT, u, seen, parts);
}

/* The phases that `u` has observed: its parts' count, its own, or that of the unit it was split from. */
static sync_result observed_by(const barrier *b, const machine *on, unit_id u, bool *known, uint64_t *observed) {
  sync_result parts = observed_by_parts(b, on, u, known, observed);
  if (parts.state != SYNC_READY || *known) return parts;
  const barrier_waiter *waiter = find_waiter(b, u);
  if (!waiter) waiter = whole_of(b, on, u);
  *known = waiter != NULL;
  *observed = waiter ? waiter->observed : 0;
  return sync_ready();
}

static sync_result observe(barrier *b, mem m, const machine *on, unit_id u, uint64_t observed) {
  barrier_waiter *waiter = add_waiter(b, m, on, u);
  if (!waiter) return sync_fault(SYNC_MEMORY, u, 0, 0);
  waiter->observed = observed;
  waiter->split = false;
  for (uint32_t i = 0, parts = part_count(b, on, u); i < parts; i++) {
    barrier_waiter *part = find_waiter(b, unit_child(on, u, i));
    if (part) part->observed = observed;
  }
  barrier_waiter *whole = whole_of(b, on, u);
  if (whole) whole->split = true;
  return sync_ready();
}

sync_result barrier_take_part(barrier *b, mem m, const machine *on, unit_id u) {
  return b->open ? observe(b, m, on, u, b->phase) : sync_ready();
}

sync_result barrier_wait(barrier *b, mem m, const machine *on, unit_id waiter) {
  bool known;
  uint64_t observed = 0;
  sync_result past = observed_by(b, on, waiter, &known, &observed);
  if (past.state != SYNC_READY) return past;
  if (!known && b->phase > 1 && !b->open) return sync_fault(SYNC_LATE_WAITER, waiter, 0, b->phase);
  if (observed + 1 < b->phase && !b->open) return sync_fault(SYNC_MISSED_PHASE, waiter, observed, b->phase);
  if (observed == b->phase) {
    /* A blocked waiter is one from now on, so that an arrival can leave it behind. */
    if (!known && !add_waiter(b, m, on, waiter)) return sync_fault(SYNC_MEMORY, waiter, 0, 0);
    return sync_blocked(b->arrived, b->expected);
  }
  return observe(b, m, on, waiter, observed + 1);
}

bool barrier_would_block(const barrier *b, const machine *on, unit_id waiter) {
  bool known;
  uint64_t observed = 0;
  return observed_by(b, on, waiter, &known, &observed).state == SYNC_READY && observed == b->phase;
}

uint64_t barrier_observed(const barrier *b, const machine *on, unit_id u) {
  bool known;
  uint64_t observed = 0;
  observed_by(b, on, u, &known, &observed);
  return observed;
}

sync_result barrier_wait_parity(const barrier *b, uint32_t parity) {
  return (b->phase & 1) != (parity & 1) ? sync_ready() : sync_blocked(b->arrived, b->expected);
}

sync_result barrier_finish(const barrier *b, bool strict) {
  if (b->arrived) return sync_fault(SYNC_PENDING_ARRIVALS, UNIT_NONE, b->arrived, b->expected);
  for (uint32_t i = 0; strict && i < b->waiter_count; i++)
    if (!b->waiters[i].split && b->waiters[i].observed != b->phase)
      return sync_fault(SYNC_UNOBSERVED_PHASE, b->waiters[i].unit, b->waiters[i].observed, b->phase);
  return sync_ready();
}

/* ---- arrays ---- */

sync_result barrier_array_init(barrier_array *array, mem m, uint32_t rank, const int64_t *dims, uint32_t expected) {
  *array = (barrier_array){.mem = m, .rank = rank};
  if (rank > KILN_MAX_RANK || !sync_count(rank, dims, &array->count))
    return sync_fault(SYNC_OUTSIDE, UNIT_NONE, rank, 0);
  for (uint32_t axis = 0; axis < rank; axis++) array->dims[axis] = dims[axis];
  array->elements = array->count <= SIZE_MAX / 2 ? mem_calloc(m, (size_t)array->count, sizeof(barrier)) : NULL;
  if (!array->elements) {
    array->count = 0;
    return sync_fault(SYNC_MEMORY, UNIT_NONE, 0, 0);
  }
  for (uint64_t i = 0; i < array->count; i++) barrier_init(&array->elements[i], expected);
  return sync_ready();
}

void barrier_array_free(barrier_array *array) {
  for (uint64_t i = 0; i < array->count; i++) barrier_free(&array->elements[i], array->mem);
  mem_free(array->mem, array->elements, (size_t)array->count * sizeof(barrier));
  *array = (barrier_array){0};
}

barrier *barrier_at(const barrier_array *array, const int64_t *index) {
  uint64_t place;
  return sync_place(array->rank, array->dims, index, &place) ? &array->elements[place] : NULL;
}

sync_result barrier_array_finish(const barrier_array *array, bool strict) {
  for (uint64_t i = 0; i < array->count; i++) {
    sync_result result = barrier_finish(&array->elements[i], strict);
    if (result.state == SYNC_FAULT) return result;
  }
  return sync_ready();
}

/* ---- clusters ---- */

uint32_t cluster_barrier_expected(const cluster_barrier_desc *desc) {
  uint64_t arriving = 1; /* blocks whose arrivals reach one barrier */
  for (uint32_t axis = 0; axis < desc->cluster_rank; axis++)
    if (desc->collective >> axis & 1) arriving += (uint64_t)desc->cluster_dims[axis] - 1;
  uint64_t expected;
  if (__builtin_mul_overflow(arriving, desc->arrivals ? desc->arrivals : 1, &expected)) return 0;
  return expected <= UINT32_MAX ? (uint32_t)expected : 0;
}

sync_result cluster_barrier_init(cluster_barrier *c, mem m, const cluster_barrier_desc *desc) {
  *c = (cluster_barrier){.mem = m, .desc = *desc};
  uint64_t blocks;
  if (desc->cluster_rank > KILN_MAX_RANK || !sync_count(desc->cluster_rank, desc->cluster_dims, &blocks))
    return sync_fault(SYNC_OUTSIDE, UNIT_NONE, desc->cluster_rank, 0);
  uint32_t expected = cluster_barrier_expected(desc);
  if (expected == 0) return sync_fault(SYNC_OUTSIDE, UNIT_NONE, desc->arrivals, 0);
  c->of_block = blocks <= SIZE_MAX / 2 ? mem_calloc(m, (size_t)blocks, sizeof(barrier_array)) : NULL;
  if (!c->of_block) return sync_fault(SYNC_MEMORY, UNIT_NONE, 0, 0);
  c->blocks = blocks;
  for (uint64_t block = 0; block < blocks; block++) {
    sync_result made = barrier_array_init(&c->of_block[block], m, desc->rank, desc->dims, expected);
    if (made.state != SYNC_READY) {
      cluster_barrier_free(c);
      return made;
    }
    for (uint64_t i = 0; i < c->of_block[block].count; i++) c->of_block[block].elements[i].open = desc->open;
  }
  return sync_ready();
}

void cluster_barrier_free(cluster_barrier *c) {
  for (uint64_t block = 0; block < c->blocks; block++) barrier_array_free(&c->of_block[block]);
  mem_free(c->mem, c->of_block, (size_t)c->blocks * sizeof(barrier_array));
  *c = (cluster_barrier){0};
}

barrier *cluster_barrier_at(const cluster_barrier *c, uint64_t block, const int64_t *index) {
  return block < c->blocks ? barrier_at(&c->of_block[block], index) : NULL;
}

static void block_coordinates(const cluster_barrier_desc *desc, uint64_t block, int64_t *out) {
  for (uint32_t axis = desc->cluster_rank; axis-- > 0;) {
    out[axis] = (int64_t)(block % (uint64_t)desc->cluster_dims[axis]);
    block /= (uint64_t)desc->cluster_dims[axis];
  }
}

bool cluster_barrier_reaches(const cluster_barrier_desc *desc, uint64_t from, uint64_t to) {
  int64_t here[KILN_MAX_RANK], there[KILN_MAX_RANK];
  block_coordinates(desc, from, here);
  block_coordinates(desc, to, there);
  uint32_t differing = 0;
  bool leader = true;
  for (uint32_t axis = 0; axis < desc->cluster_rank; axis++) {
    bool collective = desc->collective >> axis & 1;
    if (collective && there[axis] != 0) leader = false;
    if (here[axis] == there[axis]) continue;
    if (!collective) return false;
    differing++;
  }
  return differing <= 1 && (leader || !desc->leader_only);
}

sync_result cluster_barrier_arrive(cluster_barrier *c, uint64_t block, const int64_t *index) {
  if (!cluster_barrier_at(c, block, index)) return sync_fault(SYNC_OUTSIDE, UNIT_NONE, block, c->blocks);
  sync_result first_fault = sync_ready();
  for (uint64_t other = 0; other < c->blocks; other++) {
    if (!cluster_barrier_reaches(&c->desc, block, other)) continue;
    sync_result result = barrier_arrive(cluster_barrier_at(c, other, index));
    if (first_fault.state == SYNC_READY) first_fault = result;
  }
  return first_fault;
}

sync_result cluster_barrier_wait(cluster_barrier *c, const machine *on, uint64_t block, const int64_t *index,
                                 unit_id waiter) {
  barrier *own = cluster_barrier_at(c, block, index);
  return own ? barrier_wait(own, c->mem, on, waiter) : sync_fault(SYNC_OUTSIDE, UNIT_NONE, block, c->blocks);
}
