/* Threads: the only file that knows the operating system's. A pool runs a function over a range of indices. */
#ifndef KILN_SRC_BASE_THREAD_H
#define KILN_SRC_BASE_THREAD_H

#include "base/mem.h"

typedef struct mutex mutex;
mutex *mutex_create(mem m); /* NULL when out */
void mutex_destroy(mutex *mu);
void mutex_lock(mutex *mu);
void mutex_unlock(mutex *mu);

uint32_t thread_cpu_count(void); /* CPUs this process may run on; at least 1 */
uint64_t clock_ns(void);         /* monotonic */

/* A pool of `threads` workers, the caller included. pool_run calls fn(user, begin, end, worker) over chunks of [0,
 * count) from all workers and returns when every index is done. Workers take chunks dynamically. One pool_run at a
 * time. */
typedef struct pool pool;
typedef void (*pool_fn)(void *user, uint64_t begin, uint64_t end, uint32_t worker);
pool *pool_create(mem m, uint32_t threads); /* NULL when out */
void pool_destroy(pool *p);
uint32_t pool_threads(const pool *p);
void pool_run(pool *p, uint64_t count, uint64_t chunk, pool_fn fn, void *user);
/* The same with the first `workers` of them. */
void pool_run_some(pool *p, uint32_t workers, uint64_t count, pool_fn fn, void *user);

#endif
