/* Running a job somewhere, and how long it took. */
#ifndef KILN_SRC_TOOL_EXECUTE_H
#define KILN_SRC_TOOL_EXECUTE_H

#include "tool/report.h"

struct pictures;

typedef struct run_wish {
  bool check;
  uint64_t seed;
  uint64_t memory;           /* MiB; 0: the host's default */
  uint64_t resident;         /* blocks at a time; 0: any number */
  uint32_t order, timing;    /* of kiln_order, kiln_timing */
  uint64_t longest;          /* steps of a schedule that is explored; 0: as many as usual */
  struct pictures *pictures; /* of the run; NULL: none are wanted */
  uint32_t repeats;          /* timed runs after the one that counts; 0: that one is timed itself */
} run_wish;

#define SCHEDULE_OPTION                                                           \
  {                                                                               \
    "--schedule", 0, OPTION_VALUE, false, "NAME",                                 \
        "the order of units, as `kiln check --help` names them (default by-seed)" \
  }
#define RESIDENT_OPTION                                                                      \
  {                                                                                          \
    "--resident", 0, OPTION_VALUE, false, "N",                                               \
        "blocks of a GPU's kernel that there is room for at a time on the host (any number)" \
  }
bool execute_read_order(tool *t, run_wish *wish); /* of --schedule; false after a diagnostic */
bool execute_read_room(tool *t, run_wish *wish);  /* of --memory and --resident; likewise */

/* Milliseconds by a clock that the run's caller sees. */
double milliseconds_since(uint64_t start_ns);
double median(double *values, size_t count);

void execute_print(void *user, const char *line, size_t size); /* a line that a kernel prints; `user`: the tool */

/* Runs on `arrays` (of the job's shapes). Of the outcome it gives the usage and the time: the first run's, or the
 * median of the timed ones. */
kiln_result execute_host(job *j, const run_wish *wish, kiln_array *arrays, outcome *o);

/* Checks by all schedules, `limit` of them at most; or by one that is written down. What `out` points to belongs to the
 * tool's arena. */
kiln_result execute_explore(job *j, const run_wish *wish, uint64_t limit, kiln_array *arrays, outcome *o,
                            kiln_exploration *out);
kiln_result execute_replay(job *j, const run_wish *wish, const char *choices, kiln_array *arrays, outcome *o,
                           kiln_exploration *out);

#endif
