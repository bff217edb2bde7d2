/* Seeded orders, and the queue of units that may run. */
#ifndef KILN_SRC_HOST_SCHED_H
#define KILN_SRC_HOST_SCHED_H

#include "base/mem.h"

uint64_t sched_random(uint64_t *state);
/* The grid point that is started as the index-th of `count`: a bijection for every seed, the identity for seed 0. */
uint64_t sched_place(uint64_t seed, uint64_t count, uint64_t index);

/* Who of those that may run is next: the one that waited longest, the one that came last, or any. */
typedef enum sched_policy { SCHED_ROUND_ROBIN, SCHED_REVERSE, SCHED_RANDOM } sched_policy;
sched_policy sched_policy_of(uint64_t seed); /* seeds 0 and 1 are the two that are no chance */

/* A ring of whatever runs; every seed gives one order. */
typedef struct sched_queue {
  mem mem;
  sched_policy policy;
  uint64_t state; /* of the random numbers */
  void **items;
  uint32_t first, count, capacity; /* 0, or a power of two */
} sched_queue;

void sched_queue_init(sched_queue *q, mem m, uint64_t seed);
void sched_queue_free(sched_queue *q);
/* `late`: behind all others whatever the policy, as it cannot go on alone. False when memory is out. */
bool sched_put(sched_queue *q, void *item, bool late);
void *sched_take(sched_queue *q); /* NULL when empty */

#endif
