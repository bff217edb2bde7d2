/* base/thread: mutexes, CPU count, the pool. */
#include "unit.h"

#include <stdatomic.h>

#include "base/thread.h"
#include "fault_alloc.h"

#define MOST 5000

typedef struct job {
  atomic_int visits[MOST];
  atomic_uint workers; /* bit per worker seen */
  uint64_t longest;    /* chunk */
  uint32_t threads;
} job;

static void visit(void *user, uint64_t begin, uint64_t end, uint32_t worker) {
  job *j = user;
  assert_true(worker < j->threads && begin < end && end - begin <= j->longest);
  for (uint64_t i = begin; i < end; i++) atomic_fetch_add(&j->visits[i], 1);
  atomic_fetch_or(&j->workers, 1u << worker);
}

static void every_index_is_visited_once(void **state) {
  (void)state;
  static const uint64_t counts[] = {0, 1, 2, 7, 64, 999, MOST};
  static const uint64_t chunks[] = {1, 3, 64, MOST, UINT64_MAX};
  for (uint32_t threads = 1; threads <= 5; threads++) {
    pool *p = pool_create(mem_default(), threads);
    assert_int_equal(pool_threads(p), threads);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
      for (size_t k = 0; k < sizeof chunks / sizeof *chunks; k++) {
        static job j;
        for (size_t i = 0; i < MOST; i++) atomic_store(&j.visits[i], 0);
        j.threads = threads;
        j.longest = chunks[k];
        pool_run(p, counts[c], chunks[k], visit, &j);
        for (size_t i = 0; i < MOST; i++) assert_int_equal(atomic_load(&j.visits[i]), i < counts[c]);
      }
    pool_destroy(p);
  }
}

static void count_calls(void *user, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)worker;
  atomic_fetch_add((atomic_ullong *)user, end - begin);
}

static void chunk_zero_chooses(void **state) {
  (void)state;
  pool *p = pool_create(mem_default(), 3);
  atomic_ullong total = 0;
  for (uint64_t count = 0; count < 300; count++) pool_run(p, count, 0, count_calls, &total);
  assert_int_equal(atomic_load(&total), 299 * 300 / 2);
  pool_destroy(p);
}

static void note_worker(void *user, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)begin, (void)end;
  atomic_fetch_or((atomic_uint *)user, 1u << worker);
}

static void some_workers_keep_out(void **state) {
  (void)state;
  pool *p = pool_create(mem_default(), 4);
  atomic_uint seen = 0;
  for (int round = 0; round < 50; round++) pool_run_some(p, 2, 1000, note_worker, &seen);
  assert_int_equal(atomic_load(&seen) & ~3u, 0);
  assert_true(atomic_load(&seen) & 1u);
  pool_destroy(p);
}

/* Two workers that each wait for the other prove that helpers run beside the caller. */
static void meet(void *user, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)begin, (void)end, (void)worker;
  atomic_int *arrived = user;
  atomic_fetch_add(arrived, 1);
  uint64_t start = clock_ns();
  while (atomic_load(arrived) < 2) assert_true(clock_ns() - start < 20000000000u);
}

static void workers_run_together(void **state) {
  (void)state;
  pool *p = pool_create(mem_default(), 2);
  atomic_int arrived = 0;
  pool_run(p, 2, 1, meet, &arrived);
  assert_int_equal(atomic_load(&arrived), 2);
  pool_destroy(p);
}

typedef struct tally {
  mutex *lock;
  uint64_t total;
} tally;

static void add_locked(void *user, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)worker;
  tally *t = user;
  mutex_lock(t->lock);
  t->total += end - begin;
  mutex_unlock(t->lock);
}

static void mutex_excludes(void **state) {
  (void)state;
  tally t = {mutex_create(mem_default()), 0};
  pool *p = pool_create(mem_default(), 4);
  pool_run(p, 100000, 1, add_locked, &t);
  assert_int_equal(t.total, 100000);
  pool_destroy(p);
  mutex_destroy(t.lock);
}

static void clock_and_cpus(void **state) {
  (void)state;
  assert_in_range(thread_cpu_count(), 1, 1 << 16);
  uint64_t before = clock_ns();
  assert_true(clock_ns() >= before);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  fault_alloc fault;
  FAULT_SWEEP(fault) {
    mutex *mu = mutex_create(fault_mem(&fault));
    pool *p = pool_create(fault_mem(&fault), 3);
    assert_int_equal(mu && p, fault.calls < fault.fail_at);
    pool_destroy(p);
    mutex_destroy(mu);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_index_is_visited_once),
      cmocka_unit_test(chunk_zero_chooses),
      cmocka_unit_test(workers_run_together),
      cmocka_unit_test(some_workers_keep_out),
      cmocka_unit_test(mutex_excludes),
      cmocka_unit_test(clock_and_cpus),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
