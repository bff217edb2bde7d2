/* Random numbers for property tests: splitmix64 from a seed that is printed, so that a failure can be run again with
 * KILN_TEST_SEED=n. */
#ifndef KILN_TESTS_UNIT_RANDOM_H
#define KILN_TESTS_UNIT_RANDOM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct random_state {
  uint64_t state;
} random_state;

static inline random_state random_start(const char *test) {
  const char *given = getenv("KILN_TEST_SEED");
  uint64_t seed = given ? strtoull(given, NULL, 10) : 20261123;
  printf("%s: KILN_TEST_SEED=%llu\n", test, (unsigned long long)seed);
  return (random_state){seed};
}

static inline uint64_t random_next(random_state *r) {
  uint64_t z = r->state += UINT64_C(0x9E3779B97F4A7C15);
  z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
  return z ^ (z >> 31);
}

static inline uint32_t random_below(random_state *r, uint32_t bound) { return (uint32_t)(random_next(r) % bound); }

#endif
