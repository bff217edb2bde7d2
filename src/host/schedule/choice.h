/* A run whose order is chosen from outside, step by step; and which steps may be exchanged.
 *
 * Who makes steps are units, and copies and products in flight. A step is one statement by which its unit orders
 * itself, or tells others something, with all that is the unit's own behind it. What a step touches tells whether two
 * neighbours could as well come the other way round: then the two runs are the same, and one of them is enough. Plain
 * loads and stores are not among it: if they order two steps, the race detector tells. */
#ifndef KILN_SRC_HOST_SCHEDULE_CHOICE_H
#define KILN_SRC_HOST_SCHEDULE_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum choice_kind {
#define CHOICE(id, words) CHOICE_##id,
#include "host/schedule/choice.def"
  CHOICE_KINDS
} choice_kind;

typedef uint64_t choice_who; /* the same in every run: a unit's number, one of its tasks, or a lane of tasks */
#define CHOICE_NONE UINT64_MAX
#define CHOICE_TASK (UINT64_C(1) << 62)
#define CHOICE_LANE (UINT64_C(1) << 61)
static inline choice_who choice_task(uint32_t unit, uint32_t serial) {
  return CHOICE_TASK | (uint64_t)unit << 24 | (serial & 0xffffff);
}

typedef struct choice_touch {
  choice_kind kind;
  bool last;           /* of the arrivals that a phase takes */
  uint64_t object;     /* the same in every run */
  uint64_t begin, end; /* see choice.def */
} choice_touch;

typedef struct choice_step {
  choice_who who;
  const choice_touch *touches;
  uint32_t count;
  const void *site; /* what it executes, to the client; may be NULL */
} choice_step;

/* How two steps of one run are related, the first before the second. */
typedef enum choice_relation {
  CHOICE_APART, /* they may be exchanged */
  CHOICE_BOUND, /* the second could not come first: it needs the first */
  CHOICE_RACING /* it could, and the run may go on otherwise */
} choice_relation;
choice_relation choice_relate(const choice_step *first, const choice_step *second);

/* Whether the first took some of the count that the second waits for, which then may have been left waiting. */
bool choice_robs(const choice_step *first, const choice_step *second);

bool choice_waits_for_count(const choice_step *step);

/* Whether the step waits for the phase before the arrival's: it would be too late behind the last arrival there. */
bool choice_left_behind_by(const choice_step *wait, const choice_touch *arrival);
bool choice_same_phase(const choice_touch *arrival, const choice_step *step); /* it arrives there, too */

/* Whether of two steps that both come next, the one that is put off stays what it is when the other is made. */
bool choice_keeps(const choice_step *made, const choice_step *put_off);

/* Who chooses. A run asks before every step and tells behind it what the step touched. */
typedef struct chooser {
  void *user;
  choice_who (*choose)(void *user, const choice_who *ready, uint32_t count); /* CHOICE_NONE: give this run up */
  void (*made)(void *user, const choice_step *step, bool faulty);            /* faulty: a fault was found by now */
  void (*stuck)(void *user, const choice_step *step); /* at the end: a step that is waited with for ever */
} chooser;

#endif
