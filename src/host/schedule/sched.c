/* Which unit runs next. A seed gives an order in which grid points start, and, where several units are alive, who makes
 * the next steps: the same seed, the same run. */
#include "host/schedule/sched.h"

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

/* ---- what a seed stands for ---- */

kiln_order sched_order_of(kiln_order asked, uint64_t seed) {
  if (asked != KILN_ORDER_BY_SEED) return asked;
  if (seed < 2) return seed == 0 ? KILN_ORDER_ROUND_ROBIN : KILN_ORDER_REVERSE;
  return seed % 2 == 0 ? KILN_ORDER_RANDOM : KILN_ORDER_PCT;
}

kiln_timing sched_timing_of(kiln_timing asked, uint64_t seed) {
  if (asked != KILN_TIMING_BY_SEED) return asked;
  if (seed < 2) return seed == 0 ? KILN_TIMING_EAGER : KILN_TIMING_LATE;
  return KILN_TIMING_RANDOM;
}

/* ---- priorities ---- */

/* How long a run will be is not known: changes are spread evenly over its orders of magnitude. */
static void draw_changes(sched_queue *q) {
  for (uint32_t i = 0; i < SCHED_CHANGES; i++) {
    const uint64_t magnitude = 1 + sched_random(&q->state) % 14;
    q->pct.change_at[i] = 1 + sched_random(&q->state) % (UINT64_C(1) << magnitude);
  }
}

static uint64_t priority_of(const sched_queue *q, const void *item) {
  const uint64_t name = q->name_of(item);
  uint64_t state = q->seed ^ name * UINT64_C(0x9e3779b97f4a7c15);
  for (uint32_t i = 0; i < q->pct.fallen_count; i++)
    if (q->pct.fallen[i] == name) return SCHED_CHANGES - i;
  return sched_random(&state) >> 1 | UINT64_C(1) << 32;
}

/* ---- the queue ---- */

void sched_queue_init(sched_queue *q, mem m, kiln_order order, uint64_t seed, uint64_t (*name_of)(const void *item)) {
  *q = (sched_queue){.mem = m, .order = sched_order_of(order, seed), .seed = seed, .state = seed, .name_of = name_of};
  if (q->order == KILN_ORDER_PCT) draw_changes(q);
}

void sched_queue_free(sched_queue *q) {
  mem_free(q->mem, q->items, q->capacity * sizeof *q->items);
  *q = (sched_queue){0};
}

static sched_item *place(const sched_queue *q, uint32_t i) { return &q->items[(q->first + i) & (q->capacity - 1)]; }

static bool grow(sched_queue *q) {
  const uint32_t capacity = q->capacity ? q->capacity * 2 : 16;
  sched_item *items = mem_alloc(q->mem, capacity * sizeof *items);
  if (!items) return false;
  for (uint32_t i = 0; i < q->count; i++) items[i] = *place(q, i);
  mem_free(q->mem, q->items, q->capacity * sizeof *q->items);
  q->items = items;
  q->capacity = capacity;
  q->first = 0;
  return true;
}

bool sched_put(sched_queue *q, void *item, bool late) {
  sched_item put = {.item = item};
  if (q->count == q->capacity && !grow(q)) return false;
  if (q->order == KILN_ORDER_STARVE || (q->order == KILN_ORDER_PCT && !late)) put.priority = priority_of(q, item);
  q->count++;
  if (late && q->order == KILN_ORDER_REVERSE) { /* taken from the other end */
    q->first = (q->first - 1) & (q->capacity - 1);
    *place(q, 0) = put;
  } else {
    *place(q, q->count - 1) = put;
  }
  return true;
}

void *sched_at(const sched_queue *q, uint32_t index) { return place(q, index)->item; }

void *sched_take_at(sched_queue *q, uint32_t index) {
  void *item = place(q, index)->item;
  for (; index > 0; index--) *place(q, index) = *place(q, index - 1);
  q->first = (q->first + 1) & (q->capacity - 1);
  q->count--;
  return item;
}

/* The first of those with the highest priority. */
static uint32_t highest(const sched_queue *q) {
  uint32_t best = 0;
  for (uint32_t i = 1; i < q->count; i++)
    if (place(q, i)->priority > place(q, best)->priority) best = i;
  return best;
}

static void *take_highest(sched_queue *q) {
  sched_pct *pct = &q->pct;
  pct->turn++;
  for (uint32_t i = 0; i < SCHED_CHANGES; i++) {
    if (pct->turn != pct->change_at[i]) continue;
    sched_item *falls = place(q, highest(q));
    pct->fallen[pct->fallen_count++] = q->name_of(falls->item);
    falls->priority = priority_of(q, falls->item);
  }
  return sched_take_at(q, highest(q));
}

/* The first that has not the lowest priority, but for one turn of many. */
static void *take_starving(sched_queue *q) {
  uint32_t worst = 0;
  for (uint32_t i = 1; i < q->count; i++)
    if (place(q, i)->priority < place(q, worst)->priority) worst = i;
  const bool its_turn = ++q->turn % SCHED_STARVED == 0 || q->count == 1;
  return sched_take_at(q, its_turn ? worst : worst == 0);
}

void *sched_take(sched_queue *q) {
  if (q->count == 0) return NULL;
  if (q->order == KILN_ORDER_REVERSE) return place(q, --q->count)->item;
  if (q->order == KILN_ORDER_PCT) return take_highest(q);
  if (q->order == KILN_ORDER_STARVE) return take_starving(q);
  if (q->order == KILN_ORDER_RANDOM) {
    sched_item *any = place(q, (uint32_t)(sched_random(&q->state) % q->count)), chosen = *any;
    *any = *place(q, 0);
    *place(q, 0) = chosen;
  }
  void *item = place(q, 0)->item;
  q->first = (q->first + 1) & (q->capacity - 1);
  q->count--;
  return item;
}
