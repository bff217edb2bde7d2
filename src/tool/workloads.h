/* The benchmarked workloads: kernel text, arrays, and an independent reference for every element of the result. */
#ifndef KILN_SRC_TOOL_WORKLOADS_H
#define KILN_SRC_TOOL_WORKLOADS_H

#include "kiln/kernel.h"

enum { WORKLOAD_MAX_PARAMS = 4 };

typedef struct workload_param {
  kiln_dtype dtype;
  uint32_t rank;
  int64_t dims[3 + 1];
} workload_param;

typedef struct workload {
  const char *name;
  const char *text;     /* the kernel; NULL for a workload that Kiln cannot run yet */
  const char *missing;  /* why not */
  double work;          /* of one run, in units of 1e9; 0: runs per second are counted */
  const char *unit;     /* "GFLOP/s", "GB/s" or "1/s" */
  uint32_t param_count; /* the last one is the output */
  workload_param params[WORKLOAD_MAX_PARAMS];
  double (*element)(const kiln_array *arrays, int64_t index); /* of the output, in double */
  double tolerance;                                           /* relative to the larger of 1 and the value */
} workload;

extern const workload workloads[];
extern const size_t workload_count;

const workload *workload_find(kiln_str name); /* NULL when there is none */

/* Arrays in one block of malloc, each aligned to 64 bytes: inputs filled from a fixed seed, the output with NaN. False
 * when memory is out. */
bool workload_make(const workload *w, kiln_array arrays[WORKLOAD_MAX_PARAMS]);
void workload_free(kiln_array arrays[WORKLOAD_MAX_PARAMS]);
void workload_spoil(const workload *w, const kiln_array *arrays); /* fills the output with NaN again */

/* Whether the output is right, at up to 2048 places spread over it; *error is the largest error found. */
bool workload_check(const workload *w, const kiln_array *arrays, double *error);

#endif
