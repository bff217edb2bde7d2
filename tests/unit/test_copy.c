/* Copies, one step at a time, and random queues against a list of everything that was ever started. */
#include "unit.h"

#include "model/copy.h"
#include "random.h"

static uint64_t start(copy_queue *q, copy_desc desc) {
  uint64_t id = UINT64_MAX;
  assert_int_equal(copy_start(q, &desc, &id).state, SYNC_READY);
  return id;
}

static void finish_copy(copy_queue *q, uint64_t id) {
  assert_int_equal(copy_advance(q, id, COPY_READ).state, SYNC_READY);
  assert_int_equal(copy_advance(q, id, COPY_WRITTEN).state, SYNC_READY);
}

static void stages_go_one_by_one(void **state) {
  (void)state;
  copy_queue q;
  copy_queue_init(&q, mem_default());
  uint64_t id = start(&q, (copy_desc){.bytes = 64, .commit = true});
  assert_int_equal(copy_advance(&q, id, COPY_WRITTEN).rule, SYNC_COPY_ORDER);
  assert_int_equal(copy_advance(&q, id, COPY_READ).state, SYNC_READY);
  assert_int_equal(copy_advance(&q, id, COPY_READ).rule, SYNC_COPY_ORDER);
  assert_int_equal(copy_advance(&q, id, COPY_WRITTEN).state, SYNC_READY);
  assert_int_equal(copy_advance(&q, id + 1, COPY_READ).rule, SYNC_COPY_UNKNOWN);
  copy_queue_free(&q);
}

static void semaphores_count_bytes(void **state) {
  (void)state;
  semaphore sent = {0}, received = {0};
  copy_queue q;
  copy_queue_init(&q, mem_default());
  uint64_t a = start(&q, (copy_desc){.bytes = 100, .source = &sent, .destination = &received});
  uint64_t b = start(&q, (copy_desc){.bytes = 28, .source = &sent, .destination = &received});
  assert_int_equal(copy_advance(&q, b, COPY_READ).state, SYNC_READY);
  assert_int_equal(semaphore_read(&sent), 28);
  assert_int_equal(semaphore_read(&received), 0);
  finish_copy(&q, a);
  assert_int_equal(copy_advance(&q, b, COPY_WRITTEN).state, SYNC_READY);
  assert_int_equal(semaphore_wait(&received, 128, false, NULL).state, SYNC_READY); /* one wait for both */
  assert_int_equal(copy_finish(&q).state, SYNC_READY);
  assert_int_equal(semaphore_finish(&sent).rule, SYNC_SEMAPHORE_LEAK);
  copy_queue_free(&q);
}

static void a_written_copy_arrives_once(void **state) {
  (void)state;
  barrier full;
  barrier_init(&full, 2);
  copy_queue q;
  copy_queue_init(&q, mem_default());
  uint64_t a = start(&q, (copy_desc){.bytes = 8, .arrival = &full}),
           b = start(&q, (copy_desc){.bytes = 8, .arrival = &full});
  finish_copy(&q, b);
  assert_int_equal(full.arrived, 1);
  finish_copy(&q, a);
  assert_int_equal(full.phase, 1);
  assert_null(copy_find(&q, a));
  copy_queue_free(&q);
}

static void groups_close_with_a_commit(void **state) {
  (void)state;
  copy_queue q;
  copy_queue_init(&q, mem_default());
  uint64_t a = start(&q, (copy_desc){.bytes = 1}), b = start(&q, (copy_desc){.bytes = 1, .commit = true});
  uint64_t c = start(&q, (copy_desc){.bytes = 1, .commit = true}), next = 0;
  assert_int_equal(copy_wait_groups(&q, 2, false, &next).state, SYNC_READY);
  assert_int_equal(copy_wait_groups(&q, 1, false, &next).state, SYNC_BLOCKED);
  assert_int_equal(next, a);
  finish_copy(&q, a);
  assert_int_equal(copy_wait_groups(&q, 1, false, &next).state, SYNC_BLOCKED);
  assert_int_equal(next, b);
  finish_copy(&q, b);
  assert_int_equal(copy_wait_groups(&q, 1, false, NULL).state, SYNC_READY);
  copy_commit(&q); /* an empty group counts: now c is not among the newest one */
  assert_int_equal(copy_wait_groups(&q, 1, false, &next).state, SYNC_BLOCKED);
  assert_int_equal(next, c);
  copy_queue_free(&q);
}

static void the_open_group_is_not_waited_for(void **state) {
  (void)state;
  copy_queue q;
  copy_queue_init(&q, mem_default());
  start(&q, (copy_desc){.bytes = 1});
  assert_int_equal(copy_wait_groups(&q, 0, false, NULL).state, SYNC_READY);
  assert_int_equal(copy_wait_copies(&q, 0, false, NULL).state, SYNC_BLOCKED);
  assert_int_equal(copy_wait_copies(&q, 1, false, NULL).state, SYNC_READY);
  copy_queue_free(&q);
}

static void reading_may_be_awaited_alone(void **state) {
  (void)state;
  copy_queue q;
  copy_queue_init(&q, mem_default());
  uint64_t id = start(&q, (copy_desc){.bytes = 1, .commit = true});
  assert_int_equal(copy_wait_groups(&q, 0, true, NULL).state, SYNC_BLOCKED);
  assert_int_equal(copy_advance(&q, id, COPY_READ).state, SYNC_READY);
  assert_int_equal(copy_finish(&q).rule, SYNC_COPY_NOT_AWAITED); /* read, but its unit does not know */
  assert_int_equal(copy_wait_groups(&q, 0, true, NULL).state, SYNC_READY);
  assert_int_equal(copy_finish(&q).state, SYNC_READY); /* the write side may stay unawaited */
  assert_int_equal(copy_wait_groups(&q, 0, false, NULL).state, SYNC_BLOCKED);
  copy_queue_free(&q);
}

typedef struct past_copy {
  uint64_t group;
  int stage;
} past_copy;

static void random_queues_agree_with_history(void **state) {
  (void)state;
  random_state r = random_start("copies");
  for (int round = 0; round < 300; round++) {
    past_copy past[64];
    uint32_t started = 0;
    uint64_t group = 0;
    copy_queue q;
    copy_queue_init(&q, mem_default());
    for (int step = 0; step < 60; step++) {
      uint32_t action = random_below(&r, 4), which = started ? random_below(&r, started) : 0;
      if (action == 0 || started == 0) {
        bool commit = random_below(&r, 2);
        past[started] = (past_copy){group, COPY_STARTED};
        assert_int_equal(start(&q, (copy_desc){.bytes = 1, .commit = commit}), started++);
        group += commit;
      } else if (action == 1) {
        copy_commit(&q);
        group++;
      } else if (action == 2 && past[which].stage < COPY_WRITTEN) {
        past[which].stage++;
        assert_int_equal(copy_advance(&q, which, (copy_stage)past[which].stage).state, SYNC_READY);
      } else if (action == 3) {
        uint32_t left = random_below(&r, 4);
        bool read_only = random_below(&r, 2);
        int stage = read_only ? COPY_READ : COPY_WRITTEN;
        uint64_t oldest = UINT64_MAX, next = UINT64_MAX;
        for (uint32_t i = started; i-- > 0;)
          if (past[i].group + left < group && past[i].stage < stage) oldest = i;
        sync_state wanted = oldest == UINT64_MAX ? SYNC_READY : SYNC_BLOCKED;
        assert_int_equal(copy_wait_groups(&q, left, read_only, &next).state, wanted);
        assert_int_equal(next, oldest);
      }
    }
    copy_queue_free(&q);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(stages_go_one_by_one),
      cmocka_unit_test(semaphores_count_bytes),
      cmocka_unit_test(a_written_copy_arrives_once),
      cmocka_unit_test(groups_close_with_a_commit),
      cmocka_unit_test(the_open_group_is_not_waited_for),
      cmocka_unit_test(reading_may_be_awaited_alone),
      cmocka_unit_test(random_queues_agree_with_history),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
