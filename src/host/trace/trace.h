/* A trace: what the units of a checked run did, and when, in simulated time.
 *
 * The executor runs units one at a time and in any order; a trace lays what they did side by side. Every unit has a
 * clock of its own. Each instruction moves it on by a cost (trace_costs.def); a wait moves it on to when it was
 * released: the end of the arrival, signal or copy that came last, by *its* unit's clock. So the picture does not
 * depend on the order in which the units were run, unless what they do depends on it. Copies and products run beside
 * their unit.
 *
 * trace.c keeps events and clocks, trace_cost.c says what instructions take, trace_sync.c follows hand-offs and tasks,
 * trace_text.c names things for those who write pictures: draw.c, with tracks.c, trace_json.c and trace_svg.c. Whoever
 * runs units asks `plan->trace`, once for each slice of a unit or hand-off: without a trace nothing else is done.
 *
 * Memory is bounded: of a long run the first TRACE_EVENTS events are kept, and the rest are counted. */
#ifndef KILN_SRC_HOST_TRACE_TRACE_H
#define KILN_SRC_HOST_TRACE_TRACE_H

#include "host/host.h"

#define TRACE_NONE UINT32_MAX /* no event */

enum { TRACE_EVENTS = 1 << 18, TRACE_MARKS = 64 };

typedef enum trace_kind {
#define TRACE_KIND(id, ...) TRACE_##id,
#include "host/trace/trace_kinds.def"
  TRACE_KINDS
} trace_kind;

typedef struct trace_kind_info {
  const char *name, *color, *chrome, *doc;
} trace_kind_info;

/* What a unit does itself, its copies, and its products: copies overlap. */
typedef enum trace_lane { TRACE_OWN, TRACE_COPIES, TRACE_PRODUCTS, TRACE_LANES } trace_lane;

typedef struct trace_event {
  trace_kind kind;
  trace_lane lane;
  unit_id unit;
  uint32_t cause;            /* the event that released a wait; TRACE_NONE: none, or one that is not kept */
  uint32_t depth;            /* of a frame, in others */
  uint64_t begin, end, read; /* ticks; read: when a copy has read its source */
  uint64_t amount; /* bytes, lane operations, multiply-adds; of a hand-off or wait: the phase or count; of a step: its
                      axis */
  const ir_op *op; /* NULL: none */
  const host_root *root, *other; /* what it works on; other: where a copy goes */
  uint64_t element;              /* of barriers and semaphores; of a point: its number; of a step: its index */
} trace_event;

/* A fault that was found. */
typedef struct trace_mark {
  kiln_str name, message;
  uint64_t at;
  unit_id unit;          /* UNIT_NONE: nobody's */
  uint32_t first, event; /* of a race: both accesses; TRACE_NONE: not known */
  uint32_t race;         /* its number among the detector's reports; TRACE_NONE: another fault */
} trace_mark;

typedef struct trace_unit trace_unit;     /* a unit's clock and what belongs to it */
typedef struct trace_signal trace_signal; /* one that may still be taken */

typedef struct host_trace {
  mem mem;
  arena texts;
  const kiln_host_plan *plan;
  trace_event *events;
  uint32_t count, capacity;
  uint64_t dropped; /* events that found no room */
  trace_mark marks[TRACE_MARKS];
  uint32_t mark_count, races; /* races: reports seen */
  size_t told;                /* diagnostics seen */
  uint64_t end;               /* the last tick of all */
  trace_unit *units;
  host_unit *running; /* whose instruction is run now; it may end before the trace does: then these are left */
  trace_unit *clock;  /* its; NULL before the first */
  unit_id who;
  uint32_t actor; /* the event that hand-offs come from; TRACE_NONE: the running unit's, not made yet */
  trace_signal *signals;
  uint32_t signal_count, free_signal;
} host_trace;

/* What a barrier or semaphore knows of time. Events are numbered from 1 here: a zeroed one knows nothing. */
typedef struct trace_spot {
  uint64_t latest, complete; /* the latest arrival of this phase; when the last phase was complete */
  uint32_t latest_by, complete_by;
  uint32_t first_signal, last_signal;
} trace_spot;

/* ---- for whoever wants a picture ---- */

host_trace *host_trace_create(mem m);       /* NULL when memory is out */
void host_trace_destroy(host_trace *trace); /* accepts NULL */
/* The next launch of the plan, which must be a checking one, is recorded, and no other. The trace refers to the plan.
 */
void host_trace_attach(kiln_host_plan *plan, host_trace *trace);

/* Records what an exploration found: the schedule that had a fault, or any, run once more on arrays as they were
 * before. What it says was said then. */
void host_trace_explored(host_trace *trace, kiln_host_plan *plan, const kiln_array *arrays, size_t array_count,
                         const kiln_exploration *explored);

/* Writes files of what was recorded: for Perfetto, and drawn; NULL: none. */
kiln_result host_trace_write(const host_trace *trace, kiln_context *context, const char *json, const char *svg);

const trace_kind_info *trace_kind_of(trace_kind kind);
void trace_name_event(const host_trace *trace, const trace_event *event, text *out); /* "wait full[1]" */
void trace_name_block(const host_trace *trace, unit_id unit, text *out);             /* "block (g 0, c 1)" */
void trace_name_unit(const host_trace *trace, unit_id unit, text *out);              /* in its block: "t 0 warp 2" */
unit_id trace_block_of(const host_trace *trace, unit_id unit); /* the unit that a track is grouped under */

/* ---- for whoever runs units ---- */

host_status trace_step(host_unit *unit, uint64_t budget); /* host_unit_step, recorded */
void trace_start(host_trace *trace, host_unit *unit);     /* it begins a grid point */
/* They begin together, when the last of them can. */
void trace_meet(host_trace *trace, host_unit *const *units, uint32_t count);
void trace_finish(host_trace *trace); /* the launch has ended */

/* Up to `budget` instructions; recorded if that is wanted. */
static inline host_status host_unit_go(host_unit *unit, uint64_t budget) {
  return unit->plan->trace ? trace_step(unit, budget) : host_unit_step(unit, budget);
}

#endif
