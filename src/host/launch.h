/* Private to the files that run a plan: one launch, and what all ways to run it count and tell. */
#ifndef KILN_SRC_HOST_LAUNCH_H
#define KILN_SRC_HOST_LAUNCH_H

#include <stdatomic.h>

#include "host/host.h"

enum { LAUNCH_SLICE = 1 << 14 }; /* instructions between looks at limits and progress */

typedef struct launch {
  kiln_host_plan *plan;
  host_faults *faults;              /* NULL unless checking */
  atomic_uint_fast64_t steps, done; /* instructions run; grid points finished */
  atomic_bool stop, failed;         /* failed: memory is out */
  atomic_bool limited;              /* the memory limit was in the way */
  atomic_bool faulty;               /* a fault was found that lets the run go on */
  uint64_t reported;                /* when progress was last told; the caller's thread only */
} launch;

/* run.c */
bool launch_count_steps(launch *l, const host_unit *unit, uint64_t steps);   /* true when the limit is passed */
void launch_stop_livelock(launch *l, const host_unit *unit, uint64_t steps); /* after so many */
void launch_run_out(launch *l);                                              /* of memory: stops */
/* Stops: the memory limit is in the way; `hint` NULL: the diagnostic's own. */
void launch_pass_limit(launch *l, loc at, const char *hint);
uint64_t launch_slice(const launch *l, uint64_t slice);
void launch_tell_progress(launch *l);

#endif
