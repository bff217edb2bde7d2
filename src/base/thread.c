/* POSIX threads behind the names of thread.h.
 *
 * A pool's helpers sleep on `wake` until there is a job that they have not seen, join it, take its chunks by an atomic
 * counter, and the last one to leave signals `done`. The caller is worker 0 and works too; when no chunks are left it
 * closes the job, and waits only for those who did join: on a busy machine some helpers wake when all is done. Who
 * waits looks for some microseconds before it sleeps: jobs often follow one another faster than a thread wakes. */
#define _GNU_SOURCE
#include "base/thread.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { POOL_MOST = 1024 /* threads */, LOOKS = 400 /* before sleeping: some microseconds */ };

struct mutex {
  pthread_mutex_t lock;
  mem mem;
};

mutex *mutex_create(mem m) {
  mutex *mu = mem_calloc(m, 1, sizeof *mu);
  if (!mu) return NULL;
  mu->mem = m;
  if (pthread_mutex_init(&mu->lock, NULL) == 0) return mu;
  mem_free(m, mu, sizeof *mu);
  return NULL;
}

void mutex_destroy(mutex *mu) {
  if (!mu) return;
  pthread_mutex_destroy(&mu->lock);
  mem_free(mu->mem, mu, sizeof *mu);
}

void mutex_lock(mutex *mu) { pthread_mutex_lock(&mu->lock); }
void mutex_unlock(mutex *mu) { pthread_mutex_unlock(&mu->lock); }

uint32_t thread_cpu_count(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    int count = CPU_COUNT(&set);
    return count > 0 ? (uint32_t)count : 1;
  }
  long online = sysconf(_SC_NPROCESSORS_ONLN); /* more CPUs than a cpu_set_t holds */
  return online > 0 ? (uint32_t)online : 1;
}

uint64_t clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

typedef struct helper {
  pool *pool;
  uint32_t worker;
  pthread_t thread;
} helper;

struct pool {
  mem mem;
  uint32_t threads, capacity; /* the helpers' array has capacity - 1 entries, threads - 1 of them running */
  pthread_mutex_t lock;       /* held to change job, open, stop and helping */
  pthread_cond_t wake, done;
  atomic_uint_fast64_t job; /* number of the last one */
  atomic_bool open, stop;   /* helpers may join the job; shall end */
  atomic_uint helping;      /* helpers that joined and have not left */
  pool_fn fn;
  void *user;
  uint64_t count, chunk, chunks;
  uint32_t workers;          /* that take part in the job */
  atomic_uint_fast64_t next; /* chunk to be taken next */
  helper helpers[];
};

static void take_chunks(pool *p, uint32_t worker) {
  for (;;) {
    uint64_t taken = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
    if (taken >= p->chunks) return;
    uint64_t begin = taken * p->chunk;
    uint64_t end = p->count - begin > p->chunk ? begin + p->chunk : p->count;
    p->fn(p->user, begin, end, worker);
  }
}

static void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

static bool idle(const pool *p, uint64_t seen) { return (p->job == seen || !p->open) && !p->stop; }

/* Joins a job that is not the one seen; false when the pool stops. */
static bool join_job(pool *p, uint64_t *seen) {
  for (uint32_t look = 0; look < LOOKS && idle(p, *seen); look++) relax();
  pthread_mutex_lock(&p->lock);
  while (idle(p, *seen)) pthread_cond_wait(&p->wake, &p->lock);
  *seen = p->job;
  p->helping++;
  pthread_mutex_unlock(&p->lock);
  return !p->stop;
}

static void leave_job(pool *p) {
  pthread_mutex_lock(&p->lock);
  if (--p->helping == 0) pthread_cond_signal(&p->done);
  pthread_mutex_unlock(&p->lock);
}

static void *help(void *user) {
  helper *self = user;
  pool *p = self->pool;
  uint64_t seen = 0;
  while (join_job(p, &seen)) {
    if (self->worker < p->workers) take_chunks(p, self->worker);
    leave_job(p);
  }
  return NULL;
}

static void open_job(pool *p) {
  pthread_mutex_lock(&p->lock);
  p->job++;
  p->open = true;
  pthread_cond_broadcast(&p->wake);
  pthread_mutex_unlock(&p->lock);
}

static void close_job(pool *p) {
  pthread_mutex_lock(&p->lock);
  p->open = false;
  pthread_mutex_unlock(&p->lock);
  for (uint32_t look = 0; look < LOOKS && p->helping > 0; look++) relax();
  pthread_mutex_lock(&p->lock);
  while (p->helping > 0) pthread_cond_wait(&p->done, &p->lock);
  pthread_mutex_unlock(&p->lock);
}

static size_t pool_bytes(uint32_t threads) { return sizeof(pool) + (threads - 1) * sizeof(helper); }

static bool init_locks(pool *p) {
  if (pthread_mutex_init(&p->lock, NULL) != 0) return false;
  if (pthread_cond_init(&p->wake, NULL) == 0) {
    if (pthread_cond_init(&p->done, NULL) == 0) return true;
    pthread_cond_destroy(&p->wake);
  }
  pthread_mutex_destroy(&p->lock);
  return false;
}

/* A system that refuses more threads gives a smaller pool, not an error. */
pool *pool_create(mem m, uint32_t threads) {
  if (threads < 1) threads = 1;
  if (threads > POOL_MOST) threads = POOL_MOST;
  pool *p = mem_calloc(m, 1, pool_bytes(threads));
  if (!p) return NULL;
  p->mem = m;
  p->capacity = threads;
  if (!init_locks(p)) {
    mem_free(m, p, pool_bytes(threads));
    return NULL;
  }
  for (p->threads = 1; p->threads < threads; p->threads++) {
    helper *next = &p->helpers[p->threads - 1];
    next->pool = p;
    next->worker = p->threads;
    if (pthread_create(&next->thread, NULL, help, next) != 0) break;
  }
  return p;
}

void pool_destroy(pool *p) {
  if (!p) return;
  pthread_mutex_lock(&p->lock);
  p->stop = true;
  pthread_cond_broadcast(&p->wake);
  pthread_mutex_unlock(&p->lock);
  for (uint32_t i = 1; i < p->threads; i++) pthread_join(p->helpers[i - 1].thread, NULL);
  pthread_cond_destroy(&p->done);
  pthread_cond_destroy(&p->wake);
  pthread_mutex_destroy(&p->lock);
  mem_free(p->mem, p, pool_bytes(p->capacity));
}

uint32_t pool_threads(const pool *p) { return p->threads; }

/* Chunk 0 means: about eight chunks for each worker. */
static void set_job(pool *p, uint64_t count, uint64_t chunk, pool_fn fn, void *user) {
  if (chunk == 0) chunk = count / (8 * (uint64_t)p->workers);
  if (chunk == 0) chunk = 1;
  p->fn = fn;
  p->user = user;
  p->count = count;
  p->chunk = chunk;
  p->chunks = count / chunk + (count % chunk != 0);
  atomic_store_explicit(&p->next, 0, memory_order_relaxed);
}

static void run_job(pool *p, uint32_t workers, uint64_t count, uint64_t chunk, pool_fn fn, void *user) {
  p->workers = workers < 1 ? 1 : workers < p->threads ? workers : p->threads;
  set_job(p, count, chunk, fn, user);
  if (p->workers == 1 || p->chunks <= 1) {
    take_chunks(p, 0);
    return;
  }
  open_job(p);
  take_chunks(p, 0);
  close_job(p);
}

void pool_run(pool *p, uint64_t count, uint64_t chunk, pool_fn fn, void *user) {
  run_job(p, p->threads, count, chunk, fn, user);
}

void pool_run_some(pool *p, uint32_t workers, uint64_t count, pool_fn fn, void *user) {
  run_job(p, workers, count, 0, fn, user);
}
