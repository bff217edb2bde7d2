/* Measuring: best of several runs, on the host or on a device, checked first. */
#ifndef KILN_SRC_TOOL_BENCH_H
#define KILN_SRC_TOOL_BENCH_H

#include "kiln/kiln.h"
#include "tool/workloads.h"

typedef struct bench_result {
  double ms;
  bool right;          /* checked against the reference */
  double error;        /* the largest found */
  const char *skipped; /* why it was not run; NULL when it was */
} bench_result;

/* Runs `once` until `seconds` are spent, three times at least, and keeps the best time. */
typedef kiln_result (*bench_run)(void *user, double *ms);
kiln_result bench_best(bench_run once, void *user, double seconds, double *ms);

#ifndef KILN_NO_VULKAN
/* The time of one run of a launch, from submissions of many. */
kiln_result bench_launch(kiln_launch *launch, double seconds, double *ms);
#endif

void bench_print_header(bool csv);
void bench_print(const workload *w, const char *device, const bench_result *result, bool csv);

#endif
