/* Semaphores, one step at a time, and against a queue of single units of count. */
#include "unit.h"

#include "model/semaphore.h"
#include "random.h"

static void wait_takes_what_was_signalled(void **state) {
  (void)state;
  semaphore s = {0};
  assert_int_equal(semaphore_wait(&s, 1, false, NULL).state, SYNC_BLOCKED);
  assert_int_equal(semaphore_signal(&s, 3, NULL).state, SYNC_READY);
  assert_int_equal(semaphore_wait(&s, 2, false, NULL).state, SYNC_READY);
  assert_int_equal(semaphore_read(&s), 1);
  sync_result blocked = semaphore_wait(&s, 2, false, NULL);
  assert_int_equal(blocked.state, SYNC_BLOCKED);
  assert_int_equal(blocked.have, 1);
  assert_int_equal(blocked.want, 2);
  assert_int_equal(semaphore_read(&s), 1); /* BLOCKED changes nothing */
}

static void keeping_wait_leaves_the_count(void **state) {
  (void)state;
  semaphore s = {0};
  semaphore_signal(&s, 2, NULL);
  assert_int_equal(semaphore_wait(&s, 2, true, NULL).state, SYNC_READY);
  assert_int_equal(semaphore_read(&s), 2);
}

static void zero_wait_never_blocks(void **state) {
  (void)state;
  semaphore s = {0};
  semaphore_span span;
  assert_int_equal(semaphore_wait(&s, 0, false, &span).state, SYNC_READY);
  assert_int_equal(span.begin, span.end);
}

static void overflow_is_a_fault_and_drops_the_signal(void **state) {
  (void)state;
  semaphore s = {0};
  assert_int_equal(semaphore_signal(&s, SEMAPHORE_MAX, NULL).state, SYNC_READY);
  assert_int_equal(semaphore_signal(&s, 1, NULL).rule, SYNC_SEMAPHORE_OVERFLOW);
  assert_int_equal(semaphore_read(&s), SEMAPHORE_MAX);
  assert_int_equal(semaphore_wait(&s, SEMAPHORE_MAX, false, NULL).state, SYNC_READY);
  assert_int_equal(semaphore_signal(&s, 1, NULL).state, SYNC_READY); /* the numbering goes on past 32 bits */
}

static void leak_is_found_at_the_end(void **state) {
  (void)state;
  semaphore s = {0};
  assert_int_equal(semaphore_finish(&s, false).state, SYNC_READY);
  semaphore_signal(&s, 5, NULL);
  sync_result leak = semaphore_finish(&s, true);
  assert_int_equal(leak.rule, SYNC_SEMAPHORE_LEAK);
  assert_int_equal(leak.have, 5);
  assert_string_equal(diag_name(sync_rule_diag(leak.rule)), "semaphore_leak");
  assert_int_equal(semaphore_wait(&s, 5, false, NULL).state, SYNC_READY);
  assert_int_equal(semaphore_finish(&s, false).state, SYNC_READY);
}

static void count_that_was_seen_may_be_left_at_the_very_end(void **state) {
  (void)state;
  semaphore s = {0};
  semaphore_signal(&s, 3, NULL);
  assert_int_equal(semaphore_wait(&s, 2, true, NULL).state, SYNC_READY);
  assert_int_equal(semaphore_finish(&s, true).have, 3); /* the third unit came unseen */
  assert_int_equal(semaphore_wait(&s, 3, true, NULL).state, SYNC_READY);
  assert_int_equal(semaphore_finish(&s, true).state, SYNC_READY);
  assert_int_equal(semaphore_finish(&s, false).have, 3);
}

static void nothing_lies_outside_an_array(void **state) {
  (void)state;
  semaphore_array array;
  assert_int_equal(semaphore_array_init(&array, mem_default(), 2, (int64_t[]){2, 2}).state, SYNC_READY);
  assert_non_null(semaphore_at(&array, (int64_t[]){1, 1}));
  assert_null(semaphore_at(&array, (int64_t[]){2, 0}));
  semaphore_array_free(&array);
}

static void arrays_have_any_rank(void **state) {
  (void)state;
  semaphore_array array;
  int64_t dims[KILN_MAX_RANK + 1] = {1, 2, 1, 3, 1, 1, 2, 1, 1}, last[KILN_MAX_RANK] = {0, 1, 0, 2, 0, 0, 1, 0};
  assert_int_equal(semaphore_array_init(&array, mem_default(), KILN_MAX_RANK, dims).state, SYNC_READY);
  assert_int_equal(array.count, 12);
  assert_ptr_equal(semaphore_at(&array, last), &array.elements[11]);
  semaphore_array_free(&array);
  assert_int_equal(semaphore_array_init(&array, mem_default(), KILN_MAX_RANK + 1, dims).rule, SYNC_OUTSIDE);
  assert_int_equal(semaphore_array_init(&array, mem_default(), 2, (int64_t[]){INT64_MAX, 4}).state, SYNC_FAULT);
}

/* The reference keeps each unit of count with the number of the signal that gave it. */
static void spans_name_the_signals_that_paid(void **state) {
  (void)state;
  random_state r = random_start("semaphores");
  for (int round = 0; round < 200; round++) {
    uint32_t giver[1024], given = 0, taken = 0;
    semaphore_span spans[64];
    uint32_t signals = 0;
    semaphore s = {0};
    for (int step = 0; step < 60; step++) {
      uint32_t amount = random_below(&r, 9);
      if (random_below(&r, 2)) {
        assert_int_equal(semaphore_signal(&s, amount, &spans[signals]).state, SYNC_READY);
        for (uint32_t i = 0; i < amount; i++) giver[given++] = signals;
        signals++;
        continue;
      }
      semaphore_span span;
      sync_state wanted = given - taken >= amount ? SYNC_READY : SYNC_BLOCKED;
      assert_int_equal(semaphore_wait(&s, amount, false, &span).state, wanted);
      if (wanted == SYNC_BLOCKED) continue;
      assert_int_equal(span.end - span.begin, amount);
      for (uint64_t unit = span.begin; unit < span.end; unit++, taken++)
        assert_true(spans[giver[taken]].begin <= unit && unit < spans[giver[taken]].end);
    }
    assert_int_equal(semaphore_read(&s), given - taken);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(wait_takes_what_was_signalled),
      cmocka_unit_test(keeping_wait_leaves_the_count),
      cmocka_unit_test(zero_wait_never_blocks),
      cmocka_unit_test(overflow_is_a_fault_and_drops_the_signal),
      cmocka_unit_test(leak_is_found_at_the_end),
      cmocka_unit_test(count_that_was_seen_may_be_left_at_the_very_end),
      cmocka_unit_test(nothing_lies_outside_an_array),
      cmocka_unit_test(arrays_have_any_rank),
      cmocka_unit_test(spans_name_the_signals_that_paid),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
