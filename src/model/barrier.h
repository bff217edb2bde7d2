/* Barriers: arrive and wait, phase after phase.
 *
 * A barrier of n arrivals completes a phase with every n-th arrival; the next arrival begins the next phase. A waiter
 * observes phases one by one: its k-th wait is over once phase k has completed. Waiters keep no token, so hardware
 * tells phases apart by one bit only; a waiter that falls two phases behind can never be right again. That is the fault
 * `over_arrival`. */
#ifndef KILN_SRC_MODEL_BARRIER_H
#define KILN_SRC_MODEL_BARRIER_H

#include "kiln/kernel.h"
#include "model/sync.h"

typedef struct barrier_waiter {
  unit_id unit;
  uint64_t observed; /* phases */
  bool split;        /* since then its parts wait for themselves: nobody is behind here */
} barrier_waiter;

typedef struct barrier {
  uint32_t expected;       /* arrivals that complete a phase; at least 1 */
  uint32_t arrived;        /* towards the current phase */
  uint64_t phase;          /* completed phases */
  barrier_waiter *waiters; /* by unit */
  uint32_t waiter_count, waiter_capacity;
  uint32_t depths; /* that waiters are of: a bit for each */
  bool open;       /* phases may pass unseen: who arrives and waits then waits for the phase that it arrived in */
} barrier;

void barrier_init(barrier *b, uint32_t expected);
void barrier_free(barrier *b, mem m); /* releases what it holds, checks nothing */

/* One arrival. OVER_ARRIVAL when it completes a phase that leaves a waiter two behind: the arrival counts, so that
 * whoever knows that this waiter will not come again may go on. UNSEEN_PHASE when it completes the second phase before
 * anybody has waited at all. */
sync_result barrier_arrive(barrier *b);

/* Said before the arrival of a unit. At an open barrier the unit's next wait is for the phase that it arrives in,
 * whatever it has seen or left unseen before, as where NVIDIA's `bar.sync` arrives and waits in one. */
sync_result barrier_take_part(barrier *b, mem m, const machine *on, unit_id u);

/* A wait, asked until READY: then the caller has observed one phase more. A unit that waits for the first time counts
 * from the unit it was split from. A unit with parts that have waited stands for all of them: they must agree, and move
 * on together. */
sync_result barrier_wait(barrier *b, mem m, const machine *on, unit_id waiter);

/* Whether a wait would be blocked now; nothing changes. */
bool barrier_would_block(const barrier *b, const machine *on, unit_id waiter);

/* How many phases the unit has observed: the last of them by its last wait. */
uint64_t barrier_observed(const barrier *b, const machine *on, unit_id u);

/* The wait of a caller that keeps the phase bit itself, as hardware does: READY once the phase of this parity has
 * completed. */
sync_result barrier_wait_parity(const barrier *b, uint32_t parity);

/* The end of a barrier's life. `strict`: also a completed phase that a waiter has left unobserved is a fault; kernels
 * that end right after a pipeline do that, and hardware does not mind. */
sync_result barrier_finish(const barrier *b, bool strict);

/* ---- arrays ---- */

typedef struct barrier_array {
  mem mem;
  uint32_t rank;
  int64_t dims[KILN_MAX_RANK];
  uint64_t count;
  barrier *elements;
} barrier_array;

sync_result barrier_array_init(barrier_array *array, mem m, uint32_t rank, const int64_t *dims, uint32_t expected);
void barrier_array_free(barrier_array *array);
barrier *barrier_at(const barrier_array *array, const int64_t *index);     /* NULL when outside */
sync_result barrier_array_finish(const barrier_array *array, bool strict); /* the first fault found */

/* ---- clusters ---- */

/* A barrier array that the blocks of a cluster share: one array per block. An arrival reaches the own block and every
 * block that differs from it in exactly one collective axis; a wait is on the own block's. So blocks that differ in two
 * axes are not ordered, as in JAX. With `leader_only` an arrival reaches only the block that has 0 in every collective
 * axis. */
typedef struct cluster_barrier_desc {
  uint32_t cluster_rank;
  int64_t cluster_dims[KILN_MAX_RANK]; /* blocks */
  uint32_t collective;                 /* bit per cluster axis */
  bool leader_only;
  bool open;
  uint32_t rank; /* of the array */
  int64_t dims[KILN_MAX_RANK];
  uint32_t arrivals; /* each block's */
} cluster_barrier_desc;

typedef struct cluster_barrier {
  mem mem;
  cluster_barrier_desc desc;
  uint64_t blocks;
  barrier_array *of_block;
} cluster_barrier;

sync_result cluster_barrier_init(cluster_barrier *c, mem m, const cluster_barrier_desc *desc);
void cluster_barrier_free(cluster_barrier *c);
barrier *cluster_barrier_at(const cluster_barrier *c, uint64_t block, const int64_t *index); /* NULL when outside */
/* Whether an arrival made in block `from` reaches block `to`. */
bool cluster_barrier_reaches(const cluster_barrier_desc *desc, uint64_t from, uint64_t to);
sync_result cluster_barrier_arrive(cluster_barrier *c, uint64_t block, const int64_t *index);
sync_result cluster_barrier_wait(cluster_barrier *c, const machine *on, uint64_t block, const int64_t *index,
                                 unit_id waiter);
uint32_t cluster_barrier_expected(
    const cluster_barrier_desc *desc); /* arrivals per phase of one block's; 0: too many */

#endif
