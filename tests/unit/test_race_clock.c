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
  const race_counts *own = &p->clock.own;
  for (uint32_t slot = 0; slot < SLOTS; slot++) assert_int_equal(race_clock_at(&p->clock, slot), p->counts[slot]);
  for (uint32_t i = 0; i < own->count; i++) {
    assert_true(i == 0 || own->slots[i - 1] < own->slots[i]);
    if (p->clock.common) assert_true(race_counts_at(&p->clock.common->counts, own->slots[i]) < own->counts[i]);
  }
}

static void join(race *r, pair *into, pair *from) {
  race_clock_join(r, &into->clock, &from->clock);
  for (uint32_t slot = 0; slot < SLOTS; slot++)
    if (into->counts[slot] < from->counts[slot]) into->counts[slot] = from->counts[slot];
}

static void joins_are_the_larger_counts(void **state) {
  (void)state;
  random_state random = random_start("race_clock");
  for (uint32_t round = 0; round < 2000; round++) {
    race *r = race_create(mem_default(), 1);
    pair into = {.counts = {0}}, from = {.counts = {0}};
    fill(r, &into, &random, random_below(&random, 400));
    if (round % 2) { /* nearly the same slots */
      join(r, &from, &into);
    }
    fill(r, &from, &random, random_below(&random, round % 4 ? 10 : 400));
    join(r, &into, &from);
    assert_same(&into);
    assert_same(&from);
    race_destroy(r);
  }
}

/* Clocks that share lists, in all the ways that come about when some of a crowd keep meeting. */
static void clocks_that_share_stay_apart(void **state) {
  (void)state;
  enum { CROWD = 8, STEPS = 4000 };
  random_state random = random_start("race_crowd");
  race *r = race_create(mem_default(), 1);
  pair crowd[CROWD] = {{.counts = {0}}};
  for (uint32_t step = 0; step < STEPS; step++) {
    pair *one = &crowd[random_below(&random, CROWD)], *other = &crowd[random_below(&random, CROWD)];
    const uint32_t what = random_below(&random, 100);
    if (what < 40) {
      const uint32_t slot = random_below(&random, SLOTS);
      race_clock_raise(r, &one->clock, slot, ++one->counts[slot]);
    } else if (what < 98) {
      join(r, one, other);
    } else {
      race_clock_free(r, &one->clock);
      *one = (pair){.counts = {0}};
    }
    for (uint32_t i = 0; i < CROWD; i++) assert_same(&crowd[i]);
  }
  for (uint32_t i = 0; i < CROWD; i++) race_clock_free(r, &crowd[i].clock);
  assert_null(r->commons);
  race_destroy(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(joins_are_the_larger_counts),
      cmocka_unit_test(clocks_that_share_stay_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
