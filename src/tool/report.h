/* What a run came to, for people and as the JSON object of `--json`. */
#ifndef KILN_SRC_TOOL_REPORT_H
#define KILN_SRC_TOOL_REPORT_H

#include "kiln/host.h"
#include "tool/job.h"
#include "tool/number.h"

/* One place where the job ran. */
typedef struct outcome {
  kiln_str device;
  kiln_result result;
  kiln_str skipped; /* why this device cannot run the job; empty: it can */
  double ms;
  kiln_host_usage usage;   /* on the host; else zeros */
  difference *differences; /* one per argument, against the host; NULL: not compared */
} outcome;

typedef struct report {
  job *job;
  kiln_str device; /* as asked for, or the one device's name */
  exit_code code;
  double ms;
  kiln_host_usage usage;
  const outcome *outcomes; /* the first one's arrays are the job's */
  size_t outcome_count;
  const kiln_exploration *explored; /* NULL: schedules were not */
} report;

void report_print(const report *r);
void report_json(const report *r);

#endif
