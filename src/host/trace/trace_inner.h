/* Private to the files of the recorder. */
#ifndef KILN_SRC_HOST_TRACE_TRACE_INNER_H
#define KILN_SRC_HOST_TRACE_TRACE_INNER_H

#include "host/crew/crew.h"
#include "host/trace/trace.h"

typedef enum trace_cost {
#define TRACE_COST(id, base, each) TRACE_COST_##id,
#include "host/trace/trace_costs.def"
  TRACE_COSTS
} trace_cost;

struct trace_unit {
  trace_unit *next;
  uint64_t now;
  uint64_t free_at[TRACE_LANES];                    /* when the next copy may move bytes, the next product begin */
  uint64_t released;                                /* when the present instruction was let go on; 0: it did not ask */
  uint32_t cause;                                   /* by which event */
  crew_element asked;                               /* and what it asked */
  uint64_t amount;                                  /* phase or count */
  uint32_t last;                                    /* event that the next one may be a continuation of */
  uint32_t open[KILN_MAX_RANK * 2 + 1], open_count; /* the grid point and the steps that it is in */
};

struct trace_signal {
  uint64_t end, at; /* number of its last unit of count, +1; ticks */
  uint32_t by, next;
};

uint64_t trace_ticks(trace_cost cost, uint64_t amount);

/* What an instruction does: `kind` TRACE_KINDS: nothing that is shown. */
typedef struct trace_work {
  trace_kind kind;
  uint64_t ticks, amount;
  const host_root *root;
} trace_work;
trace_work trace_work_of(const host_unit *unit, const host_instr *instr);

trace_unit *trace_unit_of(host_trace *trace, host_unit *unit);   /* made if need be; NULL when memory is out */
uint32_t trace_add(host_trace *trace, const trace_event *event); /* its number; TRACE_NONE when there is no room */
/* A frame of the unit's track: what it does until trace_close lies inside. */
void trace_open(host_trace *trace, host_unit *unit, trace_event frame);
void trace_close(host_trace *trace, host_unit *unit);
void trace_add_mark(host_trace *trace, const trace_mark *mark);
void trace_tell(host_trace *trace, trace_mark *mark, const kiln_diag *diag); /* the mark's words */

#endif
