/* Which unit runs next. A seed gives an order in which grid points start, and, where several units are alive, who makes
 * the next steps: the same seed, the same run. */
#include "host/sched.h"

uint64_t sched_random(uint64_t *state) { /* splitmix64 */
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

/* A Feistel network is a bijection on the next power of four; what falls outside goes round again. */
uint64_t sched_place(uint64_t seed, uint64_t count, uint64_t index) {
  if (seed == 0 || count < 2) return index;
  uint32_t half = 1;
  while (half < 32 && (count - 1) >> (2 * half)) half++;
  const uint64_t mask = (UINT64_C(1) << half) - 1;
  do {
    uint64_t left = index >> half, right = index & mask;
    for (uint64_t round = 0; round < 4; round++) {
      uint64_t state = seed + (round << 56) + right, next = left ^ (sched_random(&state) & mask);
      left = right;
      right = next;
    }
    index = left << half | right;
  } while (index >= count);
  return index;
}

/* ---- the queue ---- */

sched_policy sched_policy_of(uint64_t seed) { return seed < SCHED_RANDOM ? (sched_policy)seed : SCHED_RANDOM; }

void sched_queue_init(sched_queue *q, mem m, uint64_t seed) {
  *q = (sched_queue){.mem = m, .policy = sched_policy_of(seed), .state = seed};
}

void sched_queue_free(sched_queue *q) {
  mem_free(q->mem, q->items, q->capacity * sizeof *q->items);
  *q = (sched_queue){0};
}

static void **place(const sched_queue *q, uint32_t i) { return &q->items[(q->first + i) & (q->capacity - 1)]; }

static bool grow(sched_queue *q) {
  const uint32_t capacity = q->capacity ? q->capacity * 2 : 16;
  void **items = mem_alloc(q->mem, capacity * sizeof *items);
  if (!items) return false;
  for (uint32_t i = 0; i < q->count; i++) items[i] = *place(q, i);
  mem_free(q->mem, q->items, q->capacity * sizeof *q->items);
  q->items = items;
  q->capacity = capacity;
  q->first = 0;
  return true;
}

bool sched_put(sched_queue *q, void *item, bool late) {
  if (q->count == q->capacity && !grow(q)) return false;
  q->count++;
  if (late && q->policy == SCHED_REVERSE) { /* taken from the other end */
    q->first = (q->first - 1) & (q->capacity - 1);
    *place(q, 0) = item;
  } else {
    *place(q, q->count - 1) = item;
  }
  return true;
}

void *sched_take(sched_queue *q) {
  if (q->count == 0) return NULL;
  if (q->policy == SCHED_REVERSE) return *place(q, --q->count);
  if (q->policy == SCHED_RANDOM) {
    void **any = place(q, (uint32_t)(sched_random(&q->state) % q->count)), *chosen = *any;
    *any = *place(q, 0);
    *place(q, 0) = chosen;
  }
  void *item = *place(q, 0);
  q->first = (q->first + 1) & (q->capacity - 1);
  q->count--;
  return item;
}
