/* Clocks of the race detector against plain arrays of counts. */
#include "unit.h"

#include <string.h>

#include "race/inner.h"
#include "random.h"

#define SLOTS 200

/* A clock, and what it is to hold. */
typedef struct pair {
  race_clock clock;
  uint32_t counts[SLOTS];
} pair;

static void fill(race *r, pair *p, random_state *random, uint32_t times) {
  for (uint32_t i = 0; i < times; i++) {
    uint32_t slot = random_below(random, SLOTS), count = 1 + random_below(random, 9);
    race_clock_raise(r, &p->clock, slot, count);
    if (p->counts[slot] < count) p->counts[slot] = count;
  }
}

static void assert_same(const pair *p) {
  uint32_t known = 0;
  for (uint32_t slot = 0; slot < SLOTS; slot++) {
    assert_int_equal(race_clock_at(&p->clock, slot), p->counts[slot]);
    known += p->counts[slot] > 0;
  }
  assert_int_equal(p->clock.count, known);
  for (uint32_t i = 1; i < known; i++) assert_true(p->clock.slots[i - 1] < p->clock.slots[i]);
}

static void joins_are_the_larger_counts(void **state) {
  (void)state;
  random_state random = random_start("race_clock");
  for (uint32_t round = 0; round < 2000; round++) {
    race *r = race_create(mem_default(), 1);
    pair into = {.counts = {0}}, from = {.counts = {0}};
    fill(r, &into, &random, random_below(&random, 400));
    if (round % 2) { /* nearly the same slots */
      race_clock_join(r, &from.clock, &into.clock);
      memcpy(from.counts, into.counts, sizeof from.counts);
    }
    fill(r, &from, &random, random_below(&random, round % 4 ? 10 : 400));
    race_clock_join(r, &into.clock, &from.clock);
    for (uint32_t slot = 0; slot < SLOTS; slot++)
      if (into.counts[slot] < from.counts[slot]) into.counts[slot] = from.counts[slot];
    assert_same(&into);
    assert_same(&from);
    race_destroy(r);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(joins_are_the_larger_counts)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
