/* Where the events of a trace are drawn: a track for each unit, and as many beside it as its copies need to lie side by
 * side. */
#ifndef KILN_SRC_HOST_TRACE_TRACKS_H
#define KILN_SRC_HOST_TRACE_TRACKS_H

#include "host/trace/trace.h"

typedef struct track {
  unit_id block, thread, unit;
  trace_lane lane;
  uint32_t number;  /* of those of its lane */
  uint32_t process; /* counted by blocks */
  uint64_t end;     /* of its last event */
  uint32_t made;    /* how many were made before it */
  uint32_t next;    /* of its lane, by `made` + 1; 0: none */
} track;

typedef struct tracks {
  track *at; /* block by block */
  uint32_t count, processes;
  uint32_t *of_event;
} tracks;

tracks tracks_of(arena *a, const host_trace *trace);
/* Where a fault is drawn: where its event is, or its unit; NULL: nowhere. */
const track *track_of_mark(const tracks *all, const trace_mark *mark);
void track_name(const host_trace *trace, const track *t, text *out); /* "t 0", "t 0 copies 2" */

/* trace_json.c, trace_svg.c */
void trace_json(const host_trace *trace, text *out);
void trace_svg(const host_trace *trace, text *out);

#endif
