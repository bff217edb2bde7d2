/* Plays events to the race detector and to its oracle at once, and compares what they say. Barriers count their
 * arrivals and phases here, as an executor does by src/model. */
#ifndef KILN_TESTS_UNIT_RACE_PLAY_H
#define KILN_TESTS_UNIT_RACE_PLAY_H

#include "race_oracle.h"

#define PLAY_BARRIERS 6
#define PLAY_SEMAPHORES 2

typedef struct play_barrier {
  race_barrier barrier;
  uint32_t expected, arrived;
  uint64_t phase;
} play_barrier;

typedef struct play_semaphore {
  race_semaphore race;
  semaphore model;
  uint32_t place_of[24]; /* by unit of count: where the oracle keeps what its signal carried */
  uint32_t places;
} play_semaphore;

typedef struct play {
  race *r;
  oracle *o;
  race_buffer *buffers[ORACLE_BUFFERS];
  race_op *ops[ORACLE_OPS]; /* by the oracle's number; NULL once ended */
  play_barrier barriers[PLAY_BARRIERS];
  play_semaphore semaphores[PLAY_SEMAPHORES];
  char sites[ORACLE_LOG]; /* an access's site is its number in the log */
} play;

/* Buffers have ORACLE_ELEMENTS elements; every barrier expects one arrival, the last two of them. */
void play_start(play *p, mem m);
void play_finish(play *p);

void play_fence(play *p, unit_id unit);
void play_fork(play *p, unit_id whole, unit_id part);
void play_join(play *p, unit_id whole, unit_id part);
uint32_t play_issue(play *p, unit_id unit, race_task task, uint32_t pipe, uint32_t across);
void play_end(play *p, uint32_t op);
void play_await(play *p, unit_id unit, uint32_t op, bool read_only);
void play_await_tmem(play *p, unit_id unit);
void play_commit_tmem(play *p, unit_id unit);
void play_arrive(play *p, uint32_t barrier, unit_id unit);
void play_arrive_op(play *p, uint32_t barrier, uint32_t op);
bool play_wait(play *p, uint32_t barrier, unit_id unit); /* observes the last completed phase; false: there is none */
void play_signal(play *p, uint32_t semaphore, unit_id unit, int op, uint32_t amount);
bool play_take(play *p, uint32_t semaphore, unit_id unit, uint32_t amount, bool keep);
void play_touch(play *p, unit_id unit, int op, race_kind kind, uint32_t buffer, race_area area);

/* How many elements race according to the oracle, when the detector agrees; else says where not, and gives -1. The
 * detector agrees when each of its reports is a race, and the first race on each element is reported. */
int play_compare(const play *p);

#endif
