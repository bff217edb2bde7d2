/* Barriers, one step at a time, then random programs against a reference that keeps the whole history. */
#include "unit.h"

#include <string.h>

#include "model/barrier.h"
#include "random.h"

static machine gpu_of(uint32_t blocks, uint32_t threads) {
  machine m;
  assert_true(machine_make(MACHINE_GPU, (uint32_t[]){1, 1, blocks, threads, 4}, &m));
  return m;
}

static sync_state wait_on(barrier *b, const machine *m, unit_id u) {
  return barrier_wait(b, mem_default(), m, u).state;
}

static void phase_completes_with_the_last_arrival(void **state) {
  (void)state;
  machine m = gpu_of(1, 2);
  unit_id waiter = unit_at(&m, 3, 1);
  barrier b;
  barrier_init(&b, 3);
  assert_int_equal(wait_on(&b, &m, waiter), SYNC_BLOCKED);
  for (int i = 0; i < 2; i++) assert_int_equal(barrier_arrive(&b).state, SYNC_READY);
  sync_result blocked = barrier_wait(&b, mem_default(), &m, waiter);
  assert_int_equal(blocked.state, SYNC_BLOCKED);
  assert_int_equal(blocked.have, 2);
  assert_int_equal(blocked.want, 3);
  assert_int_equal(barrier_arrive(&b).state, SYNC_READY);
  assert_int_equal(wait_on(&b, &m, waiter), SYNC_READY);
  assert_int_equal(wait_on(&b, &m, waiter), SYNC_BLOCKED); /* each wait is one phase */
  barrier_free(&b, mem_default());
}

static void many_waiters_observe_one_phase(void **state) {
  (void)state;
  machine m = gpu_of(1, 8);
  barrier b;
  barrier_init(&b, 1);
  barrier_arrive(&b);
  for (uint32_t i = 0; i < 8; i++) assert_int_equal(wait_on(&b, &m, unit_at(&m, 3, i)), SYNC_READY);
  assert_int_equal(barrier_finish(&b, true).state, SYNC_READY);
  barrier_free(&b, mem_default());
}

static void over_arrival_names_who_is_left_behind(void **state) {
  (void)state;
  machine m = gpu_of(1, 2);
  unit_id waiter = unit_at(&m, 3, 1);
  barrier b;
  barrier_init(&b, 1);
  assert_int_equal(wait_on(&b, &m, waiter), SYNC_BLOCKED);
  assert_int_equal(barrier_arrive(&b).state, SYNC_READY);
  sync_result over = barrier_arrive(&b);
  assert_int_equal(over.state, SYNC_FAULT);
  assert_int_equal(over.rule, SYNC_OVER_ARRIVAL);
  assert_int_equal(over.unit, waiter);
  assert_string_equal(diag_name(sync_rule_diag(over.rule)), "over_arrival");
  sync_result missed = barrier_wait(&b, mem_default(), &m, waiter);
  assert_int_equal(missed.rule, SYNC_MISSED_PHASE);
  barrier_free(&b, mem_default());
}

static void second_phase_without_a_waiter_is_a_fault(void **state) {
  (void)state;
  barrier b;
  barrier_init(&b, 2);
  for (int arrival = 0; arrival < 3; arrival++) assert_int_equal(barrier_arrive(&b).state, SYNC_READY);
  sync_result over = barrier_arrive(&b);
  assert_int_equal(over.rule, SYNC_UNSEEN_PHASE);
  assert_int_equal(over.want, 2);
  barrier_free(&b, mem_default());
}

static void late_first_wait_is_a_fault(void **state) {
  (void)state;
  machine m = gpu_of(1, 1);
  barrier b;
  barrier_init(&b, 1);
  barrier_arrive(&b);
  barrier_arrive(&b); /* nobody waits yet, so nobody is left behind */
  assert_int_equal(barrier_wait(&b, mem_default(), &m, unit_at(&m, 3, 0)).rule, SYNC_LATE_WAITER);
  barrier_free(&b, mem_default());
}

static void parity_is_the_phase_bit(void **state) {
  (void)state;
  barrier b;
  barrier_init(&b, 1);
  assert_int_equal(barrier_wait_parity(&b, 0).state, SYNC_BLOCKED);
  assert_int_equal(barrier_wait_parity(&b, 1).state,
                   SYNC_READY); /* "the phase before the first": lets a producer begin */
  barrier_arrive(&b);
  assert_int_equal(barrier_wait_parity(&b, 0).state, SYNC_READY);
  assert_int_equal(barrier_wait_parity(&b, 1).state, SYNC_BLOCKED);
}

static void open_barriers_wait_for_the_phase_of_their_own_arrival(void **state) {
  (void)state;
  machine m = gpu_of(2, 1);
  unit_id first = unit_at(&m, 3, 0), second = unit_at(&m, 3, 1);
  barrier b;
  barrier_init(&b, 2);
  b.open = true;
  for (int phase = 0; phase < 3; phase++) { /* the first one only arrives, the second one waits */
    barrier_take_part(&b, mem_default(), &m, second);
    assert_int_equal(barrier_arrive(&b).state, SYNC_READY);
    assert_int_equal(wait_on(&b, &m, second), SYNC_BLOCKED);
    barrier_take_part(&b, mem_default(), &m, first);
    assert_int_equal(barrier_arrive(&b).state, SYNC_READY);
    assert_int_equal(wait_on(&b, &m, second), SYNC_READY);
  }
  barrier_take_part(&b, mem_default(), &m, first); /* now the first one waits, too, for the fourth phase */
  assert_int_equal(barrier_arrive(&b).state, SYNC_READY);
  assert_int_equal(wait_on(&b, &m, first), SYNC_BLOCKED);
  for (int more = 0; more < 3; more++) barrier_arrive(&b); /* which it may see when the fifth is over */
  assert_int_equal(wait_on(&b, &m, first), SYNC_READY);
  barrier_free(&b, mem_default());
}

static void ends_are_checked(void **state) {
  (void)state;
  machine m = gpu_of(1, 1);
  barrier b;
  barrier_init(&b, 2);
  barrier_arrive(&b);
  assert_int_equal(barrier_finish(&b, false).rule, SYNC_PENDING_ARRIVALS);
  assert_int_equal(wait_on(&b, &m, unit_at(&m, 3, 0)), SYNC_BLOCKED);
  barrier_arrive(&b);
  assert_int_equal(barrier_finish(&b, false).state, SYNC_READY);
  assert_int_equal(barrier_finish(&b, true).rule, SYNC_UNOBSERVED_PHASE);
  barrier_free(&b, mem_default());
}

static void warps_inherit_and_give_back(void **state) {
  (void)state;
  machine m = gpu_of(1, 2);
  unit_id thread = unit_at(&m, 3, 1);
  barrier b;
  barrier_init(&b, 1);
  barrier_arrive(&b);
  assert_int_equal(wait_on(&b, &m, thread), SYNC_READY);
  assert_int_equal(barrier_arrive(&b).state, SYNC_READY);
  for (uint32_t i = 0; i < 4; i++) assert_int_equal(wait_on(&b, &m, unit_child(&m, thread, i)), SYNC_READY);
  assert_int_equal(wait_on(&b, &m, thread), SYNC_BLOCKED); /* its warps have observed phase 2 for it */
  assert_int_equal(barrier_arrive(&b).state, SYNC_READY);  /* and it is not left behind */
  assert_int_equal(wait_on(&b, &m, thread), SYNC_READY);
  assert_int_equal(wait_on(&b, &m, unit_child(&m, thread, 3)), SYNC_BLOCKED); /* nor are its warps, when it waits */
  assert_int_equal(barrier_arrive(&b).state, SYNC_READY);
  assert_int_equal(wait_on(&b, &m, unit_child(&m, thread, 2)), SYNC_READY);
  assert_int_equal(barrier_wait(&b, mem_default(), &m, thread).rule, SYNC_SPLIT_WAIT);
  barrier_free(&b, mem_default());
}

static void one_warp_may_wait_for_a_thread_that_waited_before(void **state) {
  (void)state;
  machine m = gpu_of(1, 1);
  unit_id thread = unit_at(&m, 3, 0), warp = unit_child(&m, thread, 1);
  barrier b;
  barrier_init(&b, 1);
  barrier_arrive(&b);
  assert_int_equal(wait_on(&b, &m, thread), SYNC_READY);
  for (int phase = 0; phase < 3; phase++) {
    assert_int_equal(barrier_arrive(&b).state, SYNC_READY);
    assert_int_equal(wait_on(&b, &m, warp), SYNC_READY);
  }
  assert_int_equal(barrier_finish(&b, true).state, SYNC_READY);
  assert_int_equal(barrier_arrive(&b).state, SYNC_READY);
  assert_int_equal(barrier_arrive(&b).unit, warp); /* now it is the warp that is left behind */
  barrier_free(&b, mem_default());
}

static void arrays_of_any_rank(void **state) {
  (void)state;
  barrier_array array;
  assert_int_equal(barrier_array_init(&array, mem_default(), 3, (int64_t[]){2, 3, 4}, 1).state, SYNC_READY);
  assert_int_equal(array.count, 24);
  barrier *one = barrier_at(&array, (int64_t[]){1, 2, 3});
  assert_ptr_equal(one, &array.elements[23]);
  assert_null(barrier_at(&array, (int64_t[]){1, 3, 0}));
  assert_null(barrier_at(&array, (int64_t[]){-1, 0, 0}));
  assert_int_equal(barrier_array_finish(&array, true).state, SYNC_READY);
  one->arrived = 1;
  assert_int_equal(barrier_array_finish(&array, true).rule, SYNC_PENDING_ARRIVALS);
  one->arrived = 0;
  array.elements[0].arrived = 1;
  assert_int_equal(barrier_array_finish(&array, true).rule, SYNC_PENDING_ARRIVALS);
  barrier_array_free(&array);
  assert_int_equal(barrier_array_init(&array, mem_default(), 0, NULL, 1).state, SYNC_READY);
  assert_non_null(barrier_at(&array, NULL));
  barrier_array_free(&array);
  assert_int_equal(barrier_array_init(&array, mem_default(), 1, (int64_t[]){0}, 1).rule, SYNC_OUTSIDE);
}

static void cluster_arrivals_reach_a_plus(void **state) {
  (void)state;
  machine m = gpu_of(6, 1);
  cluster_barrier_desc desc = {
      .cluster_rank = 2, .cluster_dims = {2, 3}, .collective = 3, .rank = 1, .dims = {1}, .arrivals = 1};
  cluster_barrier c;
  int64_t zero[1] = {0};
  assert_int_equal(cluster_barrier_expected(&desc), 1 + 1 + 2);
  assert_int_equal(cluster_barrier_init(&c, mem_default(), &desc).state, SYNC_READY);
  assert_int_equal(cluster_barrier_arrive(&c, 0, zero).state, SYNC_READY); /* block (0, 0) */
  static const uint32_t reached[6] = {1, 1, 1, 1, 0, 0};
  for (uint64_t block = 0; block < 6; block++)
    assert_int_equal(cluster_barrier_at(&c, block, zero)->arrived, reached[block]);
  for (uint64_t block = 1; block < 6; block++) cluster_barrier_arrive(&c, block, zero);
  for (uint64_t block = 0; block < 6; block++) {
    unit_id u = unit_at(&m, 3, (uint32_t)block);
    assert_int_equal(cluster_barrier_wait(&c, &m, block, zero, u).state, SYNC_READY);
    assert_int_equal(cluster_barrier_wait(&c, &m, block, zero, u).state, SYNC_BLOCKED);
  }
  assert_int_equal(cluster_barrier_arrive(&c, 6, zero).rule, SYNC_OUTSIDE);
  cluster_barrier_free(&c);
}

static void leader_tracked_arrivals_reach_the_leader(void **state) {
  (void)state;
  cluster_barrier_desc desc = {
      .cluster_rank = 1, .cluster_dims = {2}, .collective = 1, .leader_only = true, .rank = 0, .arrivals = 1};
  cluster_barrier c;
  assert_int_equal(cluster_barrier_init(&c, mem_default(), &desc).state, SYNC_READY);
  cluster_barrier_arrive(&c, 1, NULL);
  assert_int_equal(cluster_barrier_at(&c, 0, NULL)->arrived, 1);
  assert_int_equal(cluster_barrier_at(&c, 1, NULL)->arrived, 0);
  cluster_barrier_arrive(&c, 0, NULL);
  assert_int_equal(cluster_barrier_at(&c, 0, NULL)->phase, 1);
  cluster_barrier_free(&c);
}

/* The reference: total arrivals so far, and how often each unit has got through. */
static void random_programs_agree_with_history(void **state) {
  (void)state;
  random_state r = random_start("barriers");
  machine m = gpu_of(1, 4);
  for (int round = 0; round < 300; round++) {
    uint32_t expected = 1 + random_below(&r, 3);
    uint64_t arrivals = 0, observed[4] = {0};
    bool asked[4] = {false};
    barrier b;
    barrier_init(&b, expected);
    for (int step = 0; step < 60; step++) {
      uint32_t who = random_below(&r, 4);
      uint64_t phase = arrivals / expected;
      if (random_below(&r, 2)) {
        uint64_t after = ++arrivals / expected;
        bool left_behind = after > phase && after > 1 && !asked[0] && !asked[1] && !asked[2] && !asked[3];
        for (uint32_t i = 0; i < 4; i++)
          if (asked[i] && observed[i] + 1 < after && after > phase) left_behind = true;
        assert_int_equal(barrier_arrive(&b).state, left_behind ? SYNC_FAULT : SYNC_READY);
        continue;
      }
      sync_state wanted = observed[who] + 1 < phase ? SYNC_FAULT : observed[who] == phase ? SYNC_BLOCKED : SYNC_READY;
      assert_int_equal(wait_on(&b, &m, unit_at(&m, 3, who)), wanted);
      if (wanted == SYNC_READY) observed[who]++;
      if (wanted != SYNC_FAULT) asked[who] = true;
    }
    assert_int_equal(b.phase, arrivals / expected);
    assert_int_equal(b.arrived, arrivals % expected);
    barrier_free(&b, mem_default());
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(phase_completes_with_the_last_arrival),
      cmocka_unit_test(many_waiters_observe_one_phase),
      cmocka_unit_test(over_arrival_names_who_is_left_behind),
      cmocka_unit_test(second_phase_without_a_waiter_is_a_fault),
      cmocka_unit_test(late_first_wait_is_a_fault),
      cmocka_unit_test(parity_is_the_phase_bit),
      cmocka_unit_test(open_barriers_wait_for_the_phase_of_their_own_arrival),
      cmocka_unit_test(ends_are_checked),
      cmocka_unit_test(warps_inherit_and_give_back),
      cmocka_unit_test(one_warp_may_wait_for_a_thread_that_waited_before),
      cmocka_unit_test(arrays_of_any_rank),
      cmocka_unit_test(cluster_arrivals_reach_a_plus),
      cmocka_unit_test(leader_tracked_arrivals_reach_the_leader),
      cmocka_unit_test(random_programs_agree_with_history),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
