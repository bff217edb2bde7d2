/* Seeded orders. */
#ifndef KILN_SRC_HOST_SCHED_H
#define KILN_SRC_HOST_SCHED_H

#include <stdint.h>

uint64_t sched_random(uint64_t *state);
/* The grid point that is started as the index-th of `count`: a bijection for every seed, the identity for seed 0. */
uint64_t sched_place(uint64_t seed, uint64_t count, uint64_t index);

#endif
