/* All schedules of a run, but for those that only exchange steps which may be exchanged.
 *
 * A stateless search (dynamic partial-order reduction with source sets and sleep sets, Abdulla and others 2014): the
 * run is made again and again from its start, each time with the choices of the last one up to some step, and another
 * one there. Which other choices are worth trying is learned from the runs: two steps that could have come the other
 * way round, and nothing that orders them. */
#ifndef KILN_SRC_HOST_SCHEDULE_EXPLORE_H
#define KILN_SRC_HOST_SCHEDULE_EXPLORE_H

#include "base/mem.h"
#include "host/schedule/choice.h"

typedef struct explore_desc {
  mem mem;
  uint64_t limit;   /* runs; 0: none */
  uint32_t longest; /* steps of a run; 0: any number */
  void *user;
  bool (*run)(void *user, const chooser *by);                           /* false: it cannot be run, so stop */
  bool (*ended)(void *user, const choice_who *choices, uint32_t count); /* a new schedule; false: stop */
} explore_desc;

typedef struct explore_result {
  uint64_t schedules;    /* different ones */
  uint64_t cut;          /* runs given up, as they went where others had been */
  uint64_t open;         /* choices that were found and not tried */
  uint32_t longest;      /* steps of the longest */
  const void *either[2]; /* sites of the first two steps that were found to come in either order; NULL: none */
  bool complete;         /* there are no others */
  bool too_long, failed; /* a run passed the limit of steps; memory is out or it could not be run */
} explore_result;

explore_result explore(const explore_desc *desc);

#endif
