/* Running a kernel on the host executor: no driver, every check on request. */
#ifndef KILN_HOST_H
#define KILN_HOST_H

#include "kiln/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which unit runs next, and when copies in flight move on; `kiln check --help` says more of each. */
typedef enum kiln_order {
  KILN_ORDER_BY_SEED,
  KILN_ORDER_ROUND_ROBIN,
  KILN_ORDER_REVERSE,
  KILN_ORDER_RANDOM,
  KILN_ORDER_PCT,
  KILN_ORDER_STARVE
} kiln_order;
typedef enum kiln_timing { KILN_TIMING_BY_SEED, KILN_TIMING_EAGER, KILN_TIMING_LATE, KILN_TIMING_RANDOM } kiln_timing;

/* Zero: no checks, seed 0, no limit. */
typedef struct kiln_host_desc {
  const kiln_size *sizes; /* symbolic sizes that no input determines */
  size_t size_count;
  bool check; /* out of bounds, uninitialised reads: diagnostics of severity KILN_FAULT, KILN_ERROR_FAULT at the end */
  uint64_t seed;                                 /* orders units that are free to run */
  uint64_t step_limit;                           /* ops executed before giving up with `livelock`; 0: none */
  uint64_t memory_limit;                         /* bytes of kernel memory; 0: 16 GiB */
  void (*progress)(void *user, double fraction); /* at most ten times a second, from one thread; may be NULL */
  void *progress_user;
  void (*print)(void *user, const char *line, size_t size); /* what kernels print; one call at a time; may be NULL */
  void *print_user;
  kiln_order order;   /* of units that order themselves */
  kiln_timing timing; /* of their copies and products; those of a run without checks are eager */
  uint32_t resident;  /* blocks that a machine has room for at a time: more clusters wait to start; 0: any number */
  uint32_t longest_schedule; /* most steps of a schedule that is explored; 0: 4096 */
} kiln_host_desc;

/* Runs `kernel` once. `arrays` has one entry per parameter in order; outputs must have data of the right shape (see
 * kiln_kernel_shapes). In-out parameters are read and written in place. `desc` may be NULL. Blocks until done. */
KILN_API kiln_result kiln_host_run(kiln_context *context, const kiln_kernel *kernel, const kiln_host_desc *desc,
                                   const kiln_array *arrays, size_t array_count);

/* A kernel made ready once and run often: sizes bound, plan flattened, memory placed. */
typedef struct kiln_host_plan kiln_host_plan;
/* `arrays` gives the shapes; data is not read. */
KILN_API kiln_result kiln_host_prepare(kiln_context *context, const kiln_kernel *kernel, const kiln_host_desc *desc,
                                       const kiln_array *arrays, size_t array_count, kiln_host_plan **out);
KILN_API kiln_result kiln_host_launch(kiln_host_plan *plan, const kiln_array *arrays, size_t array_count);
/* What the latest launch of a plan took. */
typedef struct kiln_host_usage {
  uint64_t memory_bytes; /* the kernel's: its arrays, and the most scratch that was alive at a time */
  uint64_t shadow_bytes; /* the most that checkers kept about it; 0 unless checking */
} kiln_host_usage;
KILN_API kiln_host_usage kiln_host_plan_usage(const kiln_host_plan *plan);
KILN_API void kiln_host_plan_destroy(kiln_host_plan *plan);

/* ---- schedules ---- */

/* What one unit does, or a copy or product in flight, before another goes on. */
typedef struct kiln_step {
  kiln_str who, does;
  kiln_place place; /* of the statement; line 0: the end */
} kiln_step;

/* A schedule, and the fault that it shows: the shortest that was found. */
typedef struct kiln_schedule {
  const char *fault; /* its name, as in kiln_diag; NULL: none */
  kiln_str choices;  /* for kiln_host_replay */
  const kiln_step *steps;
  size_t step_count; /* up to the fault */
  uint32_t switches; /* how often somebody else goes on */
} kiln_schedule;

typedef struct kiln_exploration {
  uint64_t schedules;   /* different ones that were run: no two differ by the order of independent steps alone */
  uint64_t open;        /* choices that were found and not tried */
  uint32_t longest;     /* steps of the longest; where one was too long, the most that were allowed */
  bool complete;        /* there are no others */
  bool too_long;        /* given up: a schedule has too many steps */
  kiln_place either[2]; /* of two steps that may come in either order, where there are such; else lines 0 */
  kiln_place on_data;   /* where the order of units depends on data; line 0: it does not */
  const kiln_schedule *found;
  size_t found_count;
} kiln_exploration;

/* Runs a plan that checks by all schedules, or by `limit` of them. Faults are reported once each, from a schedule made
 * short. A kernel whose units do not order themselves runs once. What `out` points to lives until the plan's next
 * exploration or replay. */
KILN_API kiln_result kiln_host_explore(kiln_host_plan *plan, const kiln_array *arrays, size_t array_count,
                                       uint64_t limit, kiln_exploration *out);
/* Runs once more by a schedule, which may be one that was found. KILN_ERROR_INVALID without a diagnostic: `choices` is
 * not written like one. */
KILN_API kiln_result kiln_host_replay(kiln_host_plan *plan, const kiln_array *arrays, size_t array_count,
                                      kiln_str choices, kiln_schedule *out);

#ifdef __cplusplus
}
#endif
#endif
