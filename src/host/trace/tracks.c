/* Tracks for the events of a trace. */
#include "host/trace/tracks.h"

#include <stdlib.h>

/* Tracks in order of their first event; sorted at the end. */
typedef struct maker {
  arena *arena;
  const host_trace *trace;
  VEC(track) found;
  map lanes; /* the first track of each, by unit and lane */
} maker;

typedef struct lane_key {
  uint32_t unit, lane;
} lane_key;

static track *add_track(maker *m, const trace_event *event, uint32_t number) {
  const machine *units = &m->trace->plan->machine;
  const uint32_t depth = level_info_of(machine_info_of(units->kind)->program)->depth;
  const track made = {.block = trace_block_of(m->trace, event->unit),
                      .thread = unit_above(units, event->unit, depth),
                      .unit = event->unit,
                      .lane = event->lane,
                      .number = number,
                      .made = (uint32_t)m->found.count};
  VEC_PUSH(m->arena, &m->found, made);
  return &m->found.data[made.made];
}

/* The first of the lane's tracks where the event overlaps nothing. Events of a unit itself never do, but lie inside. */
static track *find(maker *m, const trace_event *event) {
  const lane_key key = {event->unit, event->lane};
  const kiln_str bytes = {(const char *)&key, sizeof key};
  const uint32_t *first = map_get(&m->lanes, bytes);
  if (!first) {
    track *made = add_track(m, event, 0);
    map_put(&m->lanes, bytes, arena_copy(m->arena, &made->made, sizeof made->made));
    return made;
  }
  for (track *t = &m->found.data[*first];; t = &m->found.data[t->next - 1]) {
    if (event->lane == TRACE_OWN || t->end <= event->begin) return t;
    if (t->next > 0) continue;
    const uint32_t before = t->made;
    track *made = add_track(m, event, t->number + 1);
    m->found.data[before].next = made->made + 1;
    return made;
  }
}

static int order(uint32_t a, uint32_t b) { return (a > b) - (a < b); }

static int compare(const void *a, const void *b) {
  const track *x = a, *y = b;
  int by = order(x->block, y->block);
  if (!by) by = order(x->thread, y->thread);
  if (!by) by = order(x->unit, y->unit);
  if (!by) by = order(x->lane, y->lane);
  return by ? by : order(x->number, y->number);
}

/* Puts the tracks in order; events follow. */
static void sort(maker *m, tracks *all) {
  uint32_t *place = ARENA_ARRAY(m->arena, uint32_t, all->count);
  qsort(all->at, all->count, sizeof *all->at, compare);
  for (uint32_t i = 0; i < all->count; i++) {
    track *t = &all->at[i];
    place[t->made] = i;
    all->processes += i == 0 || t->block != all->at[i - 1].block;
    t->process = all->processes - 1;
  }
  for (uint32_t e = 0; e < m->trace->count; e++) all->of_event[e] = place[all->of_event[e]];
}

tracks tracks_of(arena *a, const host_trace *trace) {
  maker m = {.arena = a, .trace = trace, .lanes = map_new(a)};
  tracks all = {.of_event = ARENA_ARRAY(a, uint32_t, trace->count + 1)};
  for (uint32_t e = 0; e < trace->count; e++) {
    track *t = find(&m, &trace->events[e]);
    all.of_event[e] = t->made;
    if (trace->events[e].end > t->end) t->end = trace->events[e].end;
  }
  all.at = m.found.data;
  all.count = (uint32_t)m.found.count;
  if (all.count > 0) sort(&m, &all);
  return all;
}

const track *track_of_mark(const tracks *all, const trace_mark *mark) {
  if (mark->event != TRACE_NONE) return &all->at[all->of_event[mark->event]];
  for (uint32_t t = 0; mark->unit != UNIT_NONE && t < all->count; t++)
    if (all->at[t].unit == mark->unit) return &all->at[t];
  return NULL;
}

void track_name(const host_trace *trace, const track *t, text *out) {
  static const char *const lanes[] = {"", " copies", " products"};
  trace_name_unit(trace, t->unit, out);
  text_add(out, str_from(lanes[t->lane]));
  if (t->number > 0) text_format(out, " %u", t->number + 1);
}
