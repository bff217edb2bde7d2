/* The queue of units that may run: everything comes out once, in the policy's order, and a seed is one order. */
#include "unit.h"

#include "host/schedule/sched.h"

enum { ITEMS = 100 };
static int items[ITEMS];

static uint64_t name_of(const void *item) { return (uint64_t) * (const int *)item; }

static void open(sched_queue *q, uint64_t seed) {
  sched_queue_init(q, mem_default(), KILN_ORDER_BY_SEED, seed, name_of);
}

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
  open(&q, 0);
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
  open(&q, 1);
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
  open(&q, seed);
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

static void orders_follow_seeds(void **state) {
  (void)state;
  const kiln_order orders[] = {KILN_ORDER_ROUND_ROBIN, KILN_ORDER_REVERSE, KILN_ORDER_RANDOM, KILN_ORDER_PCT};
  for (uint64_t seed = 0; seed < 4; seed++) assert_int_equal(sched_order_of(KILN_ORDER_BY_SEED, seed), orders[seed]);
  assert_int_equal(sched_order_of(KILN_ORDER_BY_SEED, UINT64_MAX), KILN_ORDER_PCT);
  assert_int_equal(sched_order_of(KILN_ORDER_REVERSE, 0), KILN_ORDER_REVERSE);
  assert_int_equal(sched_timing_of(KILN_TIMING_BY_SEED, 1), KILN_TIMING_LATE);
  assert_int_equal(sched_timing_of(KILN_TIMING_EAGER, 1), KILN_TIMING_EAGER);
}

/* The longest time that one item is taken again and again, though all are there: until its priority falls. */
static void priorities_hold_until_they_fall(void **state) {
  (void)state;
  uint32_t changes = 0, falls = 0;
  for (uint64_t seed = 3; seed < 203; seed += 2) {
    sched_queue q;
    open(&q, seed);
    put_all(&q);
    int last = -1, different = 0;
    for (int turn = 0; turn < 5000; turn++) {
      const int now = take(&q);
      different += last >= 0 && now != last;
      last = now;
      assert_true(sched_put(&q, &items[now], false));
    }
    assert_true(different <= SCHED_CHANGES);
    changes += (uint32_t)different;
    falls += q.pct.fallen_count;
    sched_queue_free(&q);
  }
  assert_true(changes <= falls);
  assert_true(changes > 150);
}

static void late_ones_come_behind_all_priorities(void **state) {
  (void)state;
  sched_queue q;
  sched_queue_init(&q, mem_default(), KILN_ORDER_PCT, 5, name_of);
  items[0] = 0;
  assert_true(sched_put(&q, &items[0], true));
  for (int i = 1; i < ITEMS; i++) {
    items[i] = i;
    assert_true(sched_put(&q, &items[i], false));
  }
  for (int i = 1; i < ITEMS; i++) assert_int_not_equal(take(&q), 0);
  assert_int_equal(take(&q), 0);
  sched_queue_free(&q);
}

static void any_item_can_be_taken(void **state) {
  (void)state;
  sched_queue q;
  open(&q, 0);
  put_all(&q);
  assert_ptr_equal(sched_at(&q, 7), &items[7]);
  assert_ptr_equal(sched_take_at(&q, 7), &items[7]);
  for (int i = 0; i < ITEMS; i++)
    if (i != 7) assert_int_equal(take(&q), i);
  sched_queue_free(&q);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(round_robin_is_first_in_first_out),
      cmocka_unit_test(reverse_takes_the_last_but_leaves_the_late),
      cmocka_unit_test(a_seed_is_one_order),
      cmocka_unit_test(orders_follow_seeds),
      cmocka_unit_test(priorities_hold_until_they_fall),
      cmocka_unit_test(late_ones_come_behind_all_priorities),
      cmocka_unit_test(any_item_can_be_taken),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
