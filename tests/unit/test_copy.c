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
  assert_int_equal(copy_finish(&q, NULL).state, SYNC_READY);
  assert_int_equal(semaphore_finish(&sent, false).rule, SYNC_SEMAPHORE_LEAK);
  copy_queue_free(&q);
}

typedef struct waits {
  uint64_t ids[8];
  bool read_only[8], forgotten[8];
  uint32_t count;
} waits;

static void note_wait(void *user, const copy *awaited, bool read_only, bool forgotten) {
  waits *t = user;
  t->ids[t->count] = awaited->id;
  t->read_only[t->count] = read_only;
  t->forgotten[t->count++] = forgotten;
}

/* A wait for sources is told of, and the write can still be waited for, though it is long done. */
static void waits_tell_whom_they_cover(void **state) {
  (void)state;
  waits t = {.count = 0};
  copy_queue q;
  copy_queue_init(&q, mem_default());
  q.awaited = note_wait;
  q.user = &t;
  uint64_t a = start(&q, (copy_desc){.commit = true}), b = start(&q, (copy_desc){.commit = true});
  finish_copy(&q, a);
  finish_copy(&q, b);
  assert_int_equal(copy_wait_groups(&q, 1, true, NULL).state, SYNC_READY);
  assert_int_equal(t.count, 1);
  assert_true(t.ids[0] == a && t.read_only[0] && !t.forgotten[0]);
  assert_int_equal(copy_wait_groups(&q, 0, false, NULL).state, SYNC_READY);
  assert_int_equal(t.count, 3);
  assert_true(t.ids[1] == a && t.ids[2] == b && t.forgotten[1] && t.forgotten[2]);
  assert_null(copy_find(&q, a));
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
  assert_int_equal(copy_finish(&q, NULL).rule, SYNC_COPY_NOT_AWAITED); /* read, but its unit does not know */
  assert_int_equal(copy_wait_groups(&q, 0, true, NULL).state, SYNC_READY);
  assert_int_equal(copy_finish(&q, NULL).state, SYNC_READY); /* the write side may stay unawaited */
  assert_int_equal(copy_wait_groups(&q, 0, false, NULL).state, SYNC_BLOCKED);
  copy_queue_free(&q);
}

typedef struct past_copy {
  uint64_t group;
  int stage;
  bool told; /* a semaphore hears of its end: nobody waits for it here */
} past_copy;

typedef struct history {
  past_copy past[64];
  uint32_t started;
  uint64_t group;
} history;

/* The oldest copy that a wait for all but the newest `left` groups (or copies) must wait for; UINT64_MAX: none. */
static uint64_t oldest_unfinished(const history *h, bool groups, uint32_t left, int stage) {
  for (uint32_t i = 0; i < h->started; i++) {
    bool old = groups ? h->past[i].group + left < h->group : i + left < h->started;
    if (old && !h->past[i].told && h->past[i].stage < stage) return i;
  }
  return UINT64_MAX;
}

static void check_wait(random_state *r, copy_queue *q, const history *h) {
  uint32_t left = random_below(r, 4);
  bool read_only = random_below(r, 2), groups = random_below(r, 2);
  uint64_t oldest = oldest_unfinished(h, groups, left, read_only ? COPY_READ : COPY_WRITTEN), next = UINT64_MAX;
  sync_result result =
      groups ? copy_wait_groups(q, left, read_only, &next) : copy_wait_copies(q, left, read_only, &next);
  assert_int_equal(result.state, oldest == UINT64_MAX ? SYNC_READY : SYNC_BLOCKED);
  assert_int_equal(next, oldest);
}

static void random_queues_agree_with_history(void **state) {
  (void)state;
  random_state r = random_start("copies");
  for (int round = 0; round < 300; round++) {
    history h = {.started = 0};
    semaphore arrived = {0};
    uint32_t told = 0;
    copy_queue q;
    copy_queue_init(&q, mem_default());
    for (int step = 0; step < 60; step++) {
      uint32_t action = random_below(&r, 4), which = h.started ? random_below(&r, h.started) : 0;
      if (action == 0 || h.started == 0) {
        copy_desc desc = {.bytes = 1, .commit = random_below(&r, 2)};
        if (random_below(&r, 3) == 0) desc.destination = &arrived;
        h.past[h.started] = (past_copy){h.group, COPY_STARTED, desc.destination != NULL};
        assert_int_equal(start(&q, desc), h.started++);
        h.group += desc.commit;
      } else if (action == 1) {
        copy_commit(&q);
        h.group++;
      } else if (action == 2 && h.past[which].stage < COPY_WRITTEN) {
        h.past[which].stage++;
        assert_int_equal(copy_advance(&q, which, (copy_stage)h.past[which].stage).state, SYNC_READY);
        told += h.past[which].told && h.past[which].stage == COPY_WRITTEN;
      } else if (action == 3) {
        check_wait(&r, &q, &h);
      }
      for (uint32_t i = 0; i < h.started; i++)
        if (h.past[i].stage < COPY_WRITTEN) assert_non_null(copy_find(&q, i));
      assert_int_equal(semaphore_read(&arrived), told);
    }
    copy_queue_free(&q);
  }
}

typedef struct renamed {
  uint64_t from[4], to[4];
  uint32_t count;
} renamed;

static void note_new_id(void *user, uint64_t from, uint64_t to) {
  renamed *all = user;
  all->from[all->count] = from;
  all->to[all->count++] = to;
}

/* A part waits for the whole's first copy and starts two groups; another part does nothing. */
static void parts_wait_for_the_whole_and_leave_it_theirs(void **state) {
  (void)state;
  copy_queue whole, parts[2];
  uint64_t first, second, left, next;
  renamed all = {.count = 0};
  copy_queue_init(&whole, mem_default());
  copy_start(&whole, &(copy_desc){.commit = true}, &first);
  copy_start(&whole, &(copy_desc){.commit = true}, &second);
  for (uint32_t i = 0; i < 2; i++) {
    copy_queue_init(&parts[i], mem_default());
    assert_true(copy_queue_fork(&parts[i], &whole));
  }
  assert_int_equal(copy_wait_groups(&parts[0], 1, false, &next).state, SYNC_BLOCKED);
  assert_int_equal(next, first);
  copy_advance(&whole, first, COPY_READ);
  copy_advance(&whole, first, COPY_WRITTEN);
  copy_commit(&parts[0]);
  copy_start(&parts[0], &(copy_desc){.commit = true}, &left);
  assert_int_equal(copy_wait_groups(&parts[0], 3, false, &next).state, SYNC_READY); /* the empty group counts */
  assert_int_equal(copy_wait_groups(&parts[0], 2, false, &next).state, SYNC_BLOCKED);
  assert_int_equal(next, second);
  for (uint32_t i = 0; i < 2; i++) assert_true(copy_queue_join(&whole, &parts[i], note_new_id, &all));
  assert_int_equal(all.count, 1);
  assert_int_equal(all.from[0], left);
  copy_queue_joined(&whole);
  assert_null(copy_find(&whole, first));
  assert_non_null(copy_find(&whole, second));
  assert_int_equal(copy_find(&whole, all.to[0])->group, 3);
  for (uint32_t i = 0; i < 2; i++) copy_queue_free(&parts[i]);
  copy_queue_free(&whole);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parts_wait_for_the_whole_and_leave_it_theirs),
      cmocka_unit_test(stages_go_one_by_one),
      cmocka_unit_test(semaphores_count_bytes),
      cmocka_unit_test(waits_tell_whom_they_cover),
      cmocka_unit_test(a_written_copy_arrives_once),
      cmocka_unit_test(groups_close_with_a_commit),
      cmocka_unit_test(the_open_group_is_not_waited_for),
      cmocka_unit_test(reading_may_be_awaited_alone),
      cmocka_unit_test(random_queues_agree_with_history),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
