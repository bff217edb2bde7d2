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

/* One thing to time again and again. */
typedef struct bench_turn {
  kiln_result (*run)(const struct bench_turn *self, double *ms);
  void *user;
  uint32_t repeat; /* runs in one submission */
  bool processor;  /* count this process's processor time: what a CPU driver takes, whatever else runs */
  double best;     /* ms; 0: none yet */
} bench_turn;

/* Runs them turn by turn until `seconds` are spent, three times each at least, and keeps the best time of each. */
kiln_result bench_turns(bench_turn *turns, size_t count, double seconds);

#ifdef KILN_VULKAN
/* A turn of submissions that take about `seconds` each; the launch has run before. */
kiln_result bench_launch_turn(kiln_launch *launch, double seconds, bench_turn *out);
#endif

void bench_print_header(bool csv);
void bench_print(const workload *w, const char *device, const bench_result *result, bool csv);

#endif
