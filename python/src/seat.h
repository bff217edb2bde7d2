/* Where launches from Python and from XLA happen.
 *
 * A context, its devices and its plans belong to one thread at a time, but Python's and XLA's threads come as they
 * like. So launches take a *seat*: a context of their own, on one device, with the plans made there. Seats that nobody
 * sits on wait in one list for the whole process, so kernels that run again and again find their plan ready. After a
 * failure the diagnostics are the seat's context's, until the seat is given back. */
#ifndef KILN_PYTHON_SEAT_H
#define KILN_PYTHON_SEAT_H

#include "kiln/kiln.h"

/* One launch: what, where, how, and on which arrays (one per parameter). Mirrored by kiln/_native.py. */
typedef struct kiln_request {
  const kiln_kernel *kernel;
  kiln_str on;   /* "host", "vulkan" or "vulkan:TEXT" */
  uint64_t seed; /* of a check, as all up to `svg` */
  bool check;
  kiln_order order;
  kiln_timing timing;
  uint64_t exhaustive;     /* all schedules, so many at most; 0: one, by seed, order and timing */
  uint32_t longest;        /* steps of a schedule then; 0: as many as usual */
  uint32_t resident;       /* blocks at a time, checking or not; 0: any number */
  const char *trace, *svg; /* files to draw into; NULL: none */
  const kiln_size *sizes;
  size_t size_count;
  const kiln_array *arrays;
  size_t array_count;
} kiln_request;

/* What an exhaustive launch came to. Mirrored as well. */
typedef struct kiln_explored {
  uint64_t schedules, open; /* run, and known of but not run; schedules 0: not exhaustive */
  uint32_t longest;         /* steps; where one was too long, the most that were allowed */
  bool complete, too_long;
} kiln_explored;

typedef struct kiln_seat kiln_seat;

/* Runs the request on a seat. `*out` is the seat, to be given back in any case; NULL when memory was out for it. */
KILN_API kiln_result kiln_seat_run(const kiln_request *request, kiln_seat **out);
KILN_API kiln_context *kiln_seat_context(kiln_seat *seat);
KILN_API kiln_explored kiln_seat_explored(const kiln_seat *seat); /* of its last launch */
KILN_API void kiln_seat_give_back(kiln_seat *seat);               /* accepts NULL */

/* Where lines go that kernels print, one call at a time in a launch; NULL: nowhere. Called from any thread. */
typedef void (*kiln_print_fn)(const char *line, size_t size);
KILN_API void kiln_seat_print_to(kiln_print_fn fn);

/* Drops every plan of a kernel that is about to be destroyed. No launch of it may be running. */
KILN_API void kiln_seat_forget(const kiln_kernel *kernel);

#endif
