/* Race reports: who is first, each pair once, the end of buffers, the tables' rows, and running out of memory. */
#include "unit.h"

#include <string.h>

#include "fault_alloc.h"
#include "race/race.h"

static const char SITE[16]; /* places in a program */
static const int TAG[4];    /* buffers of a program */

static const race_area ALL = {.rank = 1, .extents = {200}, .strides = {1}};

static bool unit_touch(race *r, race_buffer *b, unit_id unit, race_kind kind, uint32_t site) {
  return race_touch(r, &(race_access){b, unit, NULL, kind, &SITE[site]}, &ALL);
}

static bool op_touch(race *r, race_buffer *b, race_op *op, race_kind kind, uint32_t site) {
  return race_touch(r, &(race_access){b, 0, op, kind, &SITE[site]}, &ALL);
}

static void a_report_has_both_sides(void **state) {
  (void)state;
  race *r = race_create(mem_default(), 4);
  race_buffer *b = race_buffer_new(r, &TAG[1], 200);
  const race_area column = {.offset = 3, .rank = 1, .extents = {10}, .strides = {7}};
  const race_area row = {.offset = 8, .rank = 1, .extents = {10}, .strides = {1}};
  assert_false(race_touch(r, &(race_access){b, 2, NULL, RACE_LOAD, &SITE[1]}, &column));
  assert_true(race_touch(r, &(race_access){b, 3, NULL, RACE_STORE, &SITE[2]}, &row));
  assert_int_equal(race_report_count(r), 1);
  const race_report *report = race_report_at(r, 0);
  assert_ptr_equal(report->tag, &TAG[1]);
  assert_ptr_equal(report->first.site, &SITE[1]);
  assert_ptr_equal(report->second.site, &SITE[2]);
  assert_int_equal(report->first.unit, 2);
  assert_int_equal(report->second.unit, 3);
  assert_int_equal(report->first.kind, RACE_LOAD);
  assert_int_equal(report->second.kind, RACE_STORE);
  assert_int_equal(report->element, 10);
  assert_int_equal(report->edge, RACE_EDGE_ORDER);
  race_destroy(r);
}

static void each_pair_of_places_is_reported_once_per_tag(void **state) {
  (void)state;
  race *r = race_create(mem_default(), 64);
  race_buffer *left = race_buffer_new(r, &TAG[0], 200), *right = race_buffer_new(r, &TAG[0], 200);
  race_buffer *other = race_buffer_new(r, &TAG[1], 200);
  for (unit_id unit = 0; unit < 64; unit++) {
    unit_touch(r, left, unit, RACE_STORE, 1);
    unit_touch(r, right, unit, RACE_STORE, 1);
  }
  assert_int_equal(race_report_count(r), 1);
  unit_touch(r, other, 0, RACE_STORE, 1);
  unit_touch(r, other, 1, RACE_STORE, 1);
  assert_int_equal(race_report_count(r), 2);
  unit_touch(r, left, 2, RACE_LOAD, 2);
  unit_touch(r, left, 3, RACE_STORE, 1); /* the pair of before, the other way round */
  assert_int_equal(race_report_count(r), 3);
  race_destroy(r);
}

static void many_pairs_are_kept_apart(void **state) {
  (void)state;
  static const char places[120];
  race *r = race_create(mem_default(), 120);
  race_buffer *b = race_buffer_new(r, &TAG[0], 200);
  for (unit_id unit = 0; unit < 120; unit++)
    race_touch(r, &(race_access){b, unit, NULL, unit == 119 ? RACE_STORE : RACE_LOAD, &places[unit]}, &ALL);
  assert_int_equal(race_report_count(r), 119);
  for (uint32_t i = 0; i < 119; i++) assert_ptr_equal(race_report_at(r, i)->first.site, &places[i]);
  race_destroy(r);
}

/* A copy that moves its bytes late is reported as one that moved them at once. */
static void reports_do_not_depend_on_when_a_copy_runs(void **state) {
  (void)state;
  for (int late = 0; late < 2; late++) {
    race *r = race_create(mem_default(), 4);
    race_buffer *b = race_buffer_new(r, &TAG[0], 200);
    race_op *op = race_issue(r, 0, RACE_TASK_COPY, &SITE[1], NULL);
    if (!late) op_touch(r, b, op, RACE_COPY_IN_STORE, 1);
    unit_touch(r, b, 0, RACE_LOAD, 2);
    if (late) op_touch(r, b, op, RACE_COPY_IN_STORE, 1);
    assert_int_equal(race_report_count(r), 1);
    const race_report *report = race_report_at(r, 0);
    assert_ptr_equal(report->first.site, &SITE[1]);
    assert_int_equal(report->first.kind, RACE_COPY_IN_STORE);
    assert_ptr_equal(report->second.site, &SITE[2]);
    assert_int_equal(report->edge, RACE_EDGE_ARRIVAL);
    race_destroy(r);
  }
}

/* ---- the end of a buffer ---- */

/* Reports of a buffer's end: 0 nothing in flight, 1 a copy that nobody awaited, 2 one that one of two sharers did. */
static uint32_t reports_at_end(int how, bool judge) {
  race *r = race_create(mem_default(), 4);
  race_buffer *b = race_buffer_new(r, &TAG[0], 200);
  unit_touch(r, b, 1, RACE_LOAD, 3);
  race_op *op = how > 0 ? race_issue(r, 0, RACE_TASK_COPY, &SITE[1], NULL) : NULL;
  if (op) op_touch(r, b, op, RACE_COPY_OUT_LOAD, 1);
  if (how == 2) race_await(r, 0, op, true);
  race_buffer_release(r, b, 0);
  race_buffer_release(r, b, 1);
  race_buffer_free(r, b, 1, judge ? &SITE[5] : NULL);
  race_end(r, op);
  uint32_t count = race_report_count(r);
  if (count > 0) {
    assert_int_equal(race_report_at(r, 0)->second.kind, RACE_FREE);
    assert_ptr_equal(race_report_at(r, 0)->second.site, &SITE[5]);
  }
  race_destroy(r);
  return count;
}

static void a_buffer_may_not_end_under_an_operation(void **state) {
  (void)state;
  assert_int_equal(reports_at_end(0, true), 0);
  assert_int_equal(reports_at_end(1, true), 1);
  assert_int_equal(reports_at_end(2, true), 0);
  assert_int_equal(reports_at_end(1, false), 0);
}

/* ---- tables ---- */

static void every_row_has_its_words(void **state) {
  (void)state;
  for (race_kind kind = 0; kind < RACE_KINDS; kind++) assert_true(strlen(race_kind_text(kind)) > 3);
  for (race_edge edge = 0; edge < RACE_EDGES; edge++) assert_true(strlen(race_edge_text(edge)) > 20);
  assert_true(race_kind_writes(RACE_ATOMIC) && race_kind_writes(RACE_STORE) && !race_kind_writes(RACE_LOAD));
}

/* The asynchronous view is for shared memory, and for what copies store to gmem: the spec's table 4.2. */
static void views_are_those_of_the_table(void **state) {
  (void)state;
  static const race_kind async[] = {RACE_COPY_IN_STORE,  RACE_COPY_OUT_LOAD, RACE_COPY_OUT_STORE, RACE_COPY_OUT_UPDATE,
                                    RACE_COPY_TMEM_LOAD, RACE_MMA_LOAD_SMEM, RACE_WGMMA_LOAD,     RACE_CLAIM_STORE};
  uint32_t count = 0;
  for (race_kind kind = 0; kind < RACE_KINDS; kind++) count += race_kind_is_async(kind);
  assert_int_equal(count, sizeof async / sizeof *async);
  for (size_t i = 0; i < sizeof async / sizeof *async; i++) assert_true(race_kind_is_async(async[i]));
}

/* ---- memory ---- */

/* Something of everything; what it finds is of no interest. */
static void run_everything(race *r) {
  race_barrier barrier = {0};
  race_semaphore signals = {0};
  race_buffer *b = race_buffer_new(r, &TAG[0], 5000);
  for (uint32_t round = 0; round < 12; round++) {
    race_pipe pipe = {.buffer = b, .area = ALL, .across = round % 2};
    race_op *mma = race_issue(r, round % 3, RACE_TASK_MMA, &SITE[1], &pipe);
    race_op *copy = race_issue(r, 1, RACE_TASK_COPY, &SITE[2], NULL);
    if (mma) op_touch(r, b, mma, RACE_MMA_STORE, 1);
    if (copy) op_touch(r, b, copy, RACE_COPY_IN_STORE, 2);
    race_area strided = {.offset = round, .rank = 1, .extents = {300}, .strides = {13}};
    for (unit_id unit = 0; unit < 20; unit++)
      race_touch(r, &(race_access){b, unit, NULL, unit % 5 ? RACE_LOAD : RACE_STORE, &SITE[3 + unit % 4]}, &strided);
    race_arrive(r, &barrier, round, 2);
    race_arrive_op(r, &barrier, round, copy);
    race_observe(r, &barrier, round, 3);
    race_signal_op(r, &signals, (semaphore_span){round, round + 1}, mma);
    race_take(r, &signals, (semaphore_span){round, round + 1}, round % 2, 4);
    race_fork(r, 0, 5);
    race_join(r, 0, 5);
    race_fence(r, 2);
    race_end(r, mma);
    race_end(r, copy);
  }
  race_buffer_release(r, b, 0);
  race_buffer_free(r, b, 0, &SITE[0]);
  race_barrier_free(r, &barrier);
  race_semaphore_free(r, &signals);
}

static void every_failing_allocation_is_survived(void **state) {
  (void)state;
  fault_alloc fault;
  FAULT_SWEEP(fault) {
    race *r = race_create(fault_mem(&fault), 20);
    if (!r) continue;
    run_everything(r);
    assert_int_equal(race_failed(r), fault.calls >= fault.fail_at);
    race_destroy(r);
  }
}

static void destroying_frees_what_is_left(void **state) {
  (void)state;
  fault_alloc fault = {0};
  race *r = race_create(fault_mem(&fault), 3);
  race_barrier barrier = {0};
  race_buffer *b = race_buffer_new(r, &TAG[0], 100000);
  unit_touch(r, b, 0, RACE_STORE, 1);
  race_arrive(r, &barrier, 0, 0);
  race_issue(r, 1, RACE_TASK_TMEM_LOAD, &SITE[1], NULL);
  race_destroy(r);
  race_destroy(NULL);
  assert_int_equal(fault.bytes, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_report_has_both_sides),
      cmocka_unit_test(each_pair_of_places_is_reported_once_per_tag),
      cmocka_unit_test(many_pairs_are_kept_apart),
      cmocka_unit_test(reports_do_not_depend_on_when_a_copy_runs),
      cmocka_unit_test(a_buffer_may_not_end_under_an_operation),
      cmocka_unit_test(every_row_has_its_words),
      cmocka_unit_test(views_are_those_of_the_table),
      cmocka_unit_test(every_failing_allocation_is_survived),
      cmocka_unit_test(destroying_frees_what_is_left),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
