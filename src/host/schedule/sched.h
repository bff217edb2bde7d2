/* Seeded orders, and the queue of units that may run. What orders there are is the table sched.def. */
#ifndef KILN_SRC_HOST_SCHEDULE_SCHED_H
#define KILN_SRC_HOST_SCHEDULE_SCHED_H

#include "base/mem.h"
#include "kiln/host.h"

uint64_t sched_random(uint64_t *state);
/* The grid point that is started as the index-th of `count`: a bijection for every seed, the identity for seed 0. */
uint64_t sched_place(uint64_t seed, uint64_t count, uint64_t index);

/* What a seed stands for, where nothing else is asked for. */
kiln_order sched_order_of(kiln_order asked, uint64_t seed);
kiln_timing sched_timing_of(kiln_timing asked, uint64_t seed);

/* Probabilistic concurrency testing: the unit of the highest priority runs. A unit's priority is a random number, but
 * at a few turns whoever is about to run falls behind all others for good. A fault that needs d units in a certain
 * order at d places is found with a probability that does not depend on how many orders there are. */
enum { SCHED_CHANGES = 3 };
typedef struct sched_pct {
  uint64_t turn, change_at[SCHED_CHANGES];
  uint64_t fallen[SCHED_CHANGES]; /* names; the first to fall is above those that follow */
  uint32_t fallen_count;
} sched_pct;

enum { SCHED_STARVED = 256 }; /* turns of others for one of the unit that is starved */

typedef struct sched_item {
  void *item;
  uint64_t priority; /* PCT, STARVE */
} sched_item;

/* A ring of whatever runs; every seed gives one order. */
typedef struct sched_queue {
  mem mem;
  kiln_order order;                      /* never BY_SEED */
  uint64_t seed, state;                  /* of the random numbers */
  uint64_t (*name_of)(const void *item); /* the same in every run */
  sched_pct pct;
  uint64_t turn; /* STARVE */
  sched_item *items;
  uint32_t first, count, capacity; /* 0, or a power of two */
} sched_queue;

void sched_queue_init(sched_queue *q, mem m, kiln_order order, uint64_t seed, uint64_t (*name_of)(const void *item));
void sched_queue_free(sched_queue *q);
/* `late`: behind all others whatever the order, as it cannot go on alone. False when memory is out. */
bool sched_put(sched_queue *q, void *item, bool late);
void *sched_take(sched_queue *q);                     /* NULL when empty */
void *sched_at(const sched_queue *q, uint32_t index); /* of those in it */
void *sched_take_at(sched_queue *q, uint32_t index);  /* whatever the order; the others stay as they are */

#endif
