/* The queue of units that may run: everything comes out once, in the policy's order, and a seed is one order. */
#include "unit.h"

#include "host/sched.h"

enum { ITEMS = 100 };
static int items[ITEMS];

static void put_all(sched_queue *q) {
  for (int i = 0; i < ITEMS; i++) {
    items[i] = i;
    assert_true(sched_put(q, &items[i], false));
  }
}

static int take(sched_queue *q) {
  const int *item = sched_take(q);
  return item ? *item : -1;
}

static void round_robin_is_first_in_first_out(void **state) {
  (void)state;
  sched_queue q;
  sched_queue_init(&q, mem_default(), 0);
  put_all(&q);
  for (int i = 0; i < ITEMS; i++) {
    assert_int_equal(take(&q), i);
    if (i < 10) assert_true(sched_put(&q, &items[i], i % 2)); /* a ring: the places in front are used again */
  }
  for (int i = 0; i < 10; i++) assert_int_equal(take(&q), i);
  assert_null(sched_take(&q));
  sched_queue_free(&q);
}

static void reverse_takes_the_last_but_leaves_the_late(void **state) {
  (void)state;
  sched_queue q;
  sched_queue_init(&q, mem_default(), 1);
  put_all(&q);
  assert_int_equal(take(&q), ITEMS - 1);
  assert_true(sched_put(&q, &items[ITEMS - 1], true));
  for (int i = ITEMS - 1; i-- > 0;) assert_int_equal(take(&q), i);
  assert_int_equal(take(&q), ITEMS - 1);
  assert_null(sched_take(&q));
  sched_queue_free(&q);
}

static void order_of_seed(uint64_t seed, int *out) {
  bool seen[ITEMS] = {false};
  sched_queue q;
  sched_queue_init(&q, mem_default(), seed);
  put_all(&q);
  for (int i = 0; i < ITEMS; i++) {
    out[i] = take(&q);
    assert_false(seen[out[i]]);
    seen[out[i]] = true;
  }
  assert_null(sched_take(&q));
  sched_queue_free(&q);
}

static void a_seed_is_one_order(void **state) {
  (void)state;
  int first[ITEMS], again[ITEMS], other[ITEMS];
  order_of_seed(7, first);
  order_of_seed(7, again);
  order_of_seed(8, other);
  assert_memory_equal(first, again, sizeof first);
  assert_memory_not_equal(first, other, sizeof first);
}

static void policies_follow_seeds(void **state) {
  (void)state;
  assert_int_equal(sched_policy_of(0), SCHED_ROUND_ROBIN);
  assert_int_equal(sched_policy_of(1), SCHED_REVERSE);
  assert_int_equal(sched_policy_of(2), SCHED_RANDOM);
  assert_int_equal(sched_policy_of(UINT64_MAX), SCHED_RANDOM);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(round_robin_is_first_in_first_out),
      cmocka_unit_test(reverse_takes_the_last_but_leaves_the_late),
      cmocka_unit_test(a_seed_is_one_order),
      cmocka_unit_test(policies_follow_seeds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
