/* Private to the files that run a crew: units that order themselves.
 *
 * How it is read: crew_launch.c makes the machine of a launch; crew.c runs its units, one at a time, in the order of
 * sched.c. A unit runs until it has to wait; then it stands in the line of what it waits for, and whoever lets that
 * move on puts it back into the queue. When nobody can run and somebody has not ended, that is a deadlock, exactly.
 * crew_memory.c shares scratch between units; sync.c runs barriers and semaphores, state machines of src/model; tasks.c
 * runs what goes on beside the units: copies (copies.c) and products (mma.c); warps.c splits units; crew_report.c says
 * what went wrong.
 *
 * Clusters do not know each other, so that few need to be alive at a time. But where all those alive wait, as they may
 * for a count in global memory, the next one joins them: as if all had been there from the start. */
#ifndef KILN_SRC_HOST_CREW_CREW_H
#define KILN_SRC_HOST_CREW_CREW_H

#include "host/host.h"
#include "host/launch.h"
#include "host/schedule/choice.h"
#include "host/schedule/sched.h"
#include "host/trace/trace.h"
#include "model/barrier.h"
#include "model/copy.h"
#include "model/semaphore.h"
#include "model/team.h"
#include "race/race.h"

enum { CREW_SYNC_BYTES = 4 }; /* of a barrier or semaphore in its box; what it really is lies elsewhere */

/* Units in the order in which they came. */
typedef struct crew_line {
  host_unit *first, *last;
} crew_line;

/* A barrier or semaphore beside its state machine. */
typedef struct crew_spot {
  crew_line line; /* who waits for it */
  uint32_t parts; /* of an arrival that is made in several: those that have come */
  race_barrier barrier;
  race_semaphore semaphore;
  trace_spot trace;
} crew_spot;

/* The barriers or semaphores of one scratch. A barrier of a cluster is one array per block, block by block. */
typedef struct crew_sync {
  struct crew_sync *next; /* of all that are alive */
  uint64_t name;          /* the same in every run */
  const host_root *root;
  uint64_t count; /* of one block's */
  uint32_t blocks;
  cluster_barrier barriers;
  semaphore_array semaphores;
  crew_spot *spots;
} crew_sync;

/* One of them, as a unit names it. */
typedef struct crew_element {
  crew_sync *sync;
  uint32_t block; /* of the cluster; 0 where there is one array */
  uint64_t index;
} crew_element;

/* ---- what goes on beside the units ---- */

/* Part of a memory that a task works on. */
typedef struct crew_side {
  host_box box;
  host_box_info info;
  const host_root *root; /* NULL: a tile, or nothing */
  alloc_block *block;
} crew_side;

/* What a task does in one block: most do it in one only. */
typedef struct crew_part {
  crew_side from, to, right;
  bool unwritten; /* something of what was read had never been written */
  bool arrives;
  crew_element arrival;
} crew_part;

typedef enum crew_task_kind {
#define CREW_TASK(id, ...) CREW_##id,
#include "host/crew/task_kinds.def"
  CREW_TASKS
} crew_task_kind;

typedef struct crew_task {
  struct crew_task *next; /* in order of issue */
  choice_who name;        /* of the task alone */
  crew_task_kind kind;
  copy_stage stage;
  host_unit *unit; /* that issued it */
  unit_id lane;    /* tasks of one lane go one after the other; UNIT_NONE: of none */
  const ir_op *op;
  copy_queue *queue; /* by which its unit awaits it; NULL: it arrives somewhere */
  uint64_t id;       /* in the queue */
  race_op *race;
  uint32_t event; /* in the trace */
  bool accumulates;
  bool direct;    /* a copy that is made in one go: nobody can look between */
  uint32_t whole; /* arrive once so many tasks have been made, in as many blocks; 0: each arrives */
  uint8_t *data;  /* what was read: dense, of `bytes` bytes */
  uint64_t bytes;
  crew_part *parts;
  uint32_t part_count;
  uint32_t more; /* further sides of each part of a product: the `from` of as many parts behind those */
  crew_part one; /* the place of a lone part */
} crew_task;

static inline size_t crew_parts_bytes(const crew_task *task) {
  return task->part_count * (1u + task->more) * sizeof(crew_part);
}

static inline const crew_side *crew_more_of(const crew_task *task, const crew_part *part, uint32_t i) {
  return &task->parts[task->part_count + (uint32_t)(part - task->parts) * task->more + i].from;
}

/* How a unit awaits its own tasks. */
typedef enum crew_queue_id { CREW_COPIES, CREW_LOADS, CREW_PRODUCTS, CREW_QUEUES } crew_queue_id;

/* ---- the crew ---- */

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
  copy_queue queues[CREW_QUEUES];
  host_unit *whole;  /* that it is a part of; NULL: of none */
  host_unit **parts; /* of a split; kept for the next one */
  uint32_t part_count, parts_left;
  bool split;
  uint32_t issued;    /* tasks, in all */
  uint64_t asked_at;  /* of the crew's moves: when it last asked in vain, plus 1 */
  uint32_t asked;     /* so often since anybody else moved on */
  const void *saw_at; /* the word that it last acquired, */
  uint64_t saw;       /* and what was there */
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
  uint64_t clusters;            /* in the launch */
  uint64_t next, end;           /* of those that are this crew's to start */
  uint32_t resident;            /* side by side at most; 0: any number */
  uint64_t alive;               /* units that have not ended */
  uint64_t idle;                /* turns since something moved on */
  crew_line for_memory;         /* who waits until another block has its memory */
  kiln_timing timing;           /* never BY_SEED */
  crew_task *tasks, *last_task; /* in flight */
  uint8_t *room;                /* for the data of tasks that are done at once */
  uint64_t room_bytes;
  race *race;  /* NULL unless checking */
  bool splits; /* threads have warps, which share their accumulators and registers; known while checking */
  bool tells;  /* progress: the caller's thread alone */

  const chooser *by;     /* who chooses each step; NULL: the queue */
  choice_touch *touches; /* of the present step */
  uint32_t touch_count, touch_capacity;
  uint64_t moves; /* steps that were not in vain */
} crew;

/* crew_launch.c */
bool crew_machine(kiln_host_plan *plan); /* the machine of its launches; false: too many units, or another machine */
void crew_run(launch *l);

/* crew.c */
void crew_run_clusters(crew *c, uint64_t begin, uint64_t end, uint32_t at_first); /* so many side by side at first */
host_unit *crew_new_member(crew *c);                                              /* NULL when memory is out */
void crew_free_member(crew *c, host_unit *unit);                                  /* accepts NULL */
void crew_begin(host_unit *unit);                                                 /* it may run */
void crew_stand(host_unit *unit, crew_line *line, const ir_op *op);               /* it waits there */
void crew_wake(crew *c, crew_line *line);                                         /* all who do go on */
void crew_follow(crew *c, host_unit *unit, host_status status);                   /* what its last step came to */
/* Takes one that has not started off the launch; its place in the grid, or -1 when there is none for that unit. */
int32_t crew_take_cluster(crew *c, const host_unit *unit);

/* crew_choose.c: runs whose every step is chosen from outside */
void crew_run_chosen(crew *c);
/* The present step does so to an object. Nothing is done unless somebody chooses. */
void crew_tell(crew *c, choice_touch touch);
uint64_t crew_object(uint64_t a, uint64_t b); /* one name of two */
uint64_t crew_element_name(const crew_element *at);
uint64_t crew_block_name(const alloc_block *block);

/* crew_memory.c */
host_status crew_acquire(host_unit *unit, uint32_t which);
void crew_release(host_unit *unit, uint32_t which); /* what a cluster shares stays until all of it has ended */
void crew_release_all(host_unit *unit);
void crew_free_syncs(crew *c, bool finish); /* finish: what the end of their lives finds is told */
bool crew_locate(const host_unit *unit, uint32_t box, crew_element *out);          /* false: there is no such element */
bool crew_find(host_unit *unit, uint32_t box, const ir_op *op, crew_element *out); /* false after a fault */
uint32_t crew_block_index(const host_unit *unit); /* the place of the unit's block in its cluster */
bool crew_same_but(const crew *c, uint32_t block, uint32_t other, uint32_t axes); /* they differ on those alone */
uint32_t crew_first_along(const crew *c, uint32_t block, uint32_t axes);          /* of the blocks along the axes */
uint32_t crew_count_along(const crew *c, uint32_t block, uint32_t axes, uint32_t end); /* those numbered below `end` */
/* The same memory in another block of the cluster; NULL while that has none. */
alloc_block *crew_peer_block(const host_unit *unit, uint32_t root, uint32_t block);
/* It has none now: waits until it has, or fails when it never will again. */
host_status crew_await_memory(host_unit *unit, uint32_t root, uint32_t block, const ir_op *op);
static inline barrier *crew_barrier(const crew_element *at) {
  return &at->sync->barriers.of_block[at->block].elements[at->index];
}
static inline semaphore *crew_semaphore(const crew_element *at) { return &at->sync->semaphores.elements[at->index]; }
static inline crew_spot *crew_spot_of(const crew_element *at) {
  return &at->sync->spots[at->block * at->sync->count + at->index];
}

/* tasks.c */
crew_side crew_side_of(const host_unit *unit, uint32_t box, alloc_block *block); /* NULL: in the unit's own block */
ir_space crew_side_space(const crew_side *side);                                 /* REGS without a block */
uint64_t crew_side_bytes(const crew_side *side);
uint64_t crew_task_bytes(const crew_task *task); /* that a part keeps between its reads and its writes */
/* A wait of a unit, the user, has covered its copy. */
void crew_awaited(void *user, const copy *awaited, bool read_only, bool forgotten);
/* Starts a task; the caller's is copied. `queue` CREW_QUEUES: none; `closes` its group. False when memory is out. */
bool crew_issue(host_unit *unit, crew_task *task, crew_queue_id queue, bool closes);
unit_id crew_tensor_lane(const host_unit *unit); /* all that goes through a cluster's tensor cores is in order */
bool crew_advance_any(crew *c);                  /* false: nothing is in flight */
void crew_pass_time(crew *c);                    /* something in flight may move on now */
void crew_finish_task(crew *c, copy_queue *queue, uint64_t id, copy_stage stage); /* as far as that stage */
choice_who crew_task_who(const crew_task *task);              /* makes its steps: its lane, or it alone */
void crew_finish(crew *c, crew_task *task, copy_stage stage); /* that one, as far */
void crew_finish_unit(crew *c, const host_unit *unit);        /* all that it has in flight */
void crew_finish_block(crew *c, const alloc_block *block);    /* all that works on it */
void crew_free_tasks(crew *c);

/* copies.c, mma.c, claim.c: what tasks do, as task_kinds.def has it; `data` is the part's own */
uint64_t crew_copy_bytes(const crew_task *task);
void crew_copy_read(const crew_task *task, crew_part *part, uint8_t *data);
void crew_copy_write(const crew_task *task, const crew_part *part, uint8_t *data);
void crew_side_combine(const crew_side *to, ir_code combine, uint8_t *data, uint8_t *spare); /* spare: as large */
uint64_t crew_product_bytes(const crew_task *task);
void crew_product_read(const crew_task *task, crew_part *part, uint8_t *data);
void crew_product_write(const crew_task *task, const crew_part *part, uint8_t *data);
uint64_t crew_claim_bytes(const crew_task *task);
void crew_claim_read(const crew_task *task, crew_part *part, uint8_t *data);
void crew_claim_write(const crew_task *task, const crew_part *part, uint8_t *data);
/* A task of several blocks, which are those along the axes of its op; the caller's is copied. */
host_status crew_issue_in_blocks(host_unit *unit, const host_crew_op *what, crew_task *task, crew_queue_id queue);
host_status crew_commit_products(host_unit *unit, const host_crew_op *what, const ir_op *op);
host_status crew_copy_to_blocks(host_unit *unit, const host_crew_op *what, const ir_op *op); /* to tensor memory */

/* crew_shadow.c; without shadows none of them does anything */
void crew_mark_written(const crew_side *side);
void crew_check_written(const crew_task *task, const crew_side *side); /* a fault where something is not */
bool crew_all_written(const crew_side *side);
/* Which elements nothing wrote, a byte each; false, and nothing said, when there are none. Then: the same there. */
bool crew_note_unwritten(const crew_side *from, uint8_t *unwritten);
void crew_carry_unwritten(const crew_side *to, uint8_t *unwritten);

/* sync.c and others: the instructions */
/* An arrival made in the element's block, by a unit or a task; neighbours may be reached. */
sync_result crew_arrive_at(crew *c, const crew_element *at, unit_id unit, race_op *task);
/* One part of an arrival, which comes with the last of so many; 0: it is all of one. */
sync_result crew_arrive_in_parts(crew *c, const crew_element *at, unit_id unit, race_op *task, uint32_t whole);
host_status crew_arrive_as_part(host_unit *unit, const host_crew_op *what, const ir_op *op, uint32_t whole);
host_status crew_split(host_unit *unit, uint32_t begin, const host_instr *instr); /* warps.c */
void crew_join(host_unit *part);                                                  /* it has ended */
host_status crew_step(host_unit *unit, const host_instr *instr);
bool crew_would_wait(const host_unit *unit, const host_instr *instr); /* whether a wait would block now */
#define CREW_OP(id, function) host_status function(host_unit *unit, const host_crew_op *what, const ir_op *op);
#include "host/host_ops.def"

/* crew_race.c; without a detector none of them does anything */
void crew_race_open(crew *c);
void crew_race_close(crew *c); /* with its reports */
void crew_race_begin(crew *c, alloc_block *block, const host_root *root);
void crew_race_release(const host_unit *unit, alloc_block *block, const host_root *root);
void crew_race_issue(crew *c, crew_task *task);
void crew_race_awaited(host_unit *unit, const copy *awaited, bool read_only, bool forgotten);
/* An access of a unit, of a crew or not. */
void crew_touch(host_unit *unit, const host_access *access, race_kind kind, const ir_op *op);
/* By an ordered atomic, of a word that lies `at` and had the value before. */
host_status crew_hand_over(host_unit *unit, const void *at, uint64_t before, ir_order order);
void crew_order_element(host_unit *unit, uint32_t box, uint64_t offset, ir_order order);
void crew_touch_element(host_unit *unit, uint32_t box, uint64_t offset, race_kind kind, const ir_op *op);

/* trace_sync.c; only where a trace is recorded */
void trace_act(host_trace *trace, uint32_t event); /* what is handed over next comes from this task's event */
void trace_arrived(host_trace *trace, const crew_element *at, uint64_t phase);
void trace_completed(const crew_element *at); /* the phase, with that arrival */
void trace_observed(host_unit *unit, const crew_element *at);
void trace_signalled(host_trace *trace, const crew_element *at, semaphore_span given);
void trace_took(host_trace *trace, host_unit *unit, const crew_element *at, semaphore_span taken, bool keep);
uint32_t trace_issue(host_trace *trace, const crew_task *task); /* its event */
void trace_awaited(host_trace *trace, host_unit *unit, uint32_t event, bool read_only);
void trace_fork(host_trace *trace, host_unit *whole, host_unit *part, const ir_op *op);
void trace_join(host_trace *trace, host_unit *whole, const host_unit *part);
void trace_stuck(crew *c);                               /* whoever waits now does so for ever */
void trace_races(host_trace *trace, const race *r);      /* those found since */
void trace_race_told(host_trace *trace, uint32_t which); /* the latest diagnostic is that race's */

/* crew_reach.c, crew_deadlock.c */
bool crew_may_reach(const host_unit *unit, const ir_op *op); /* from where it waits, by its text */
void crew_report_deadlock(crew *c);

/* crew_report.c */
void crew_report_race(crew *c, const race_report *found);
void crew_report_diverged(host_unit *unit, uint32_t root);
void crew_report_unshared(crew *c); /* scratch that some of its units never asked for */
void crew_report_unawaited(crew *c, const host_unit *unit, sync_result result, const ir_op *op, crew_queue_id queue);
void crew_report_left(const host_unit *unit, uint32_t which, const ir_op *op);    /* a peer has ended */
void crew_report_outside(const host_unit *unit, uint32_t which, const ir_op *op); /* no such barrier */
/* A fault of a state machine; `unit` may be NULL at the end. Whether the unit may go on. */
bool crew_report_fault(crew *c, const host_unit *unit, sync_result result, const crew_element *at, const ir_op *op);

#endif
