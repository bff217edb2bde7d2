/* Private to the files that run a crew: units that order themselves.
 *
 * How it is read: crew.c makes the units of a launch and runs them, one at a time, in the order of sched.c. A unit runs
 * until it has to wait; then it stands in the line of what it waits for, and whoever lets that move on puts it back
 * into the queue. When nobody can run and somebody has not ended, that is a deadlock, exactly. crew_memory.c shares
 * scratch between units; sync.c runs barriers and semaphores, state machines of src/model; crew_report.c says what went
 * wrong.
 *
 * Clusters do not know each other, so that few need to be alive at a time. But where all those alive wait, as they may
 * for a count in global memory, the next one joins them: as if all had been there from the start. */
#ifndef KILN_SRC_HOST_CREW_H
#define KILN_SRC_HOST_CREW_H

#include "host/host.h"
#include "host/launch.h"
#include "host/sched.h"
#include "model/barrier.h"
#include "model/semaphore.h"

/* Depths of a GPU's levels. */
enum {
  CREW_DEVICE = LEVEL_GPU_DEVICE - LEVEL_GPU_DEVICE,
  CREW_CLUSTER = LEVEL_GPU_CLUSTER - LEVEL_GPU_DEVICE,
  CREW_BLOCK = LEVEL_GPU_BLOCK - LEVEL_GPU_DEVICE,
  CREW_THREAD = LEVEL_GPU_THREAD - LEVEL_GPU_DEVICE,
  CREW_WARP = LEVEL_GPU_WARP - LEVEL_GPU_DEVICE
};

enum { CREW_SYNC_BYTES = 4 }; /* of a barrier or semaphore in its box; what it really is lies elsewhere */

/* Units in the order in which they came. */
typedef struct crew_line {
  host_unit *first, *last;
} crew_line;

/* The barriers or semaphores of one scratch. A barrier of a cluster is one array per block, block by block. */
typedef struct crew_sync {
  struct crew_sync *next; /* of all that are alive */
  const host_root *root;
  uint64_t count; /* of one block's */
  uint32_t blocks;
  cluster_barrier barriers;
  semaphore_array semaphores;
  crew_line *lines; /* who waits: one for each */
} crew_sync;

/* One of them, as a unit names it. */
typedef struct crew_element {
  crew_sync *sync;
  uint32_t block; /* of the cluster; 0 where there is one array */
  uint64_t index;
} crew_element;

/* A cluster that is alive. */
typedef struct crew_cluster {
  host_unit **units;
  uint32_t left; /* of them have not ended */
} crew_cluster;

/* What a unit is beside its program counter and frame. */
typedef struct crew_member {
  struct crew *crew;
  crew_cluster *cluster;
  host_unit *next;        /* of the line that it stands in */
  crew_element waits_for; /* while it is blocked */
  const ir_op *waits_at;  /* NULL: it is not blocked */
  bool ended;
} crew_member;

typedef struct crew {
  kiln_host_plan *plan;
  launch *launch;
  mem mem;
  alloc_heap *heap;
  sched_queue queue; /* of units that may run */
  crew_sync *syncs;
  crew_cluster **place; /* one for each cluster that is alive */
  uint32_t places, cluster_units;
  uint64_t clusters, next; /* in the launch; the next to start */
  uint64_t alive;          /* units that have not ended */
  uint64_t idle;           /* turns since something moved on */
} crew;

/* crew.c */
bool crew_machine(kiln_host_plan *plan); /* the machine of its launches; false: too many units, or another machine */
void crew_run(launch *l);
void crew_stand(host_unit *unit, const crew_element *at, const ir_op *op); /* it waits there */
void crew_wake(crew *c, const crew_element *at);                           /* all who do go on */

/* crew_memory.c */
host_status crew_acquire(host_unit *unit, uint32_t root);
void crew_release(host_unit *unit, uint32_t root);
void crew_free_syncs(crew *c, bool finish); /* finish: what the end of their lives finds is told */
bool crew_find(host_unit *unit, uint32_t box, const ir_op *op, crew_element *out); /* false after a fault */
static inline uint64_t crew_place(const crew_element *at) { return at->block * at->sync->count + at->index; }
static inline barrier *crew_barrier(const crew_element *at) {
  return &at->sync->barriers.of_block[at->block].elements[at->index];
}
static inline semaphore *crew_semaphore(const crew_element *at) { return &at->sync->semaphores.elements[at->index]; }

/* sync.c and others: the instructions */
typedef host_status (*crew_op_fn)(host_unit *unit, const host_crew_op *what, const ir_op *op);
host_status crew_step(host_unit *unit, const host_instr *instr);
#define CREW_OP(id, function) host_status function(host_unit *unit, const host_crew_op *what, const ir_op *op);
#include "host/host_ops.def"

/* crew_report.c */
void crew_report_deadlock(crew *c);
void crew_report_diverged(host_unit *unit, uint32_t root);
void crew_report_unshared(crew *c); /* scratch that some of its units never asked for */
void crew_report_livelock(const host_unit *unit);
void crew_report_outside(const host_unit *unit, uint32_t root, const ir_op *op); /* no such barrier */
/* A fault of a state machine; `unit` may be NULL at the end. Whether the unit may go on. */
bool crew_report_fault(crew *c, const host_unit *unit, sync_result result, const crew_element *at, const ir_op *op);

#endif
