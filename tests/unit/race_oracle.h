/* What the race detector must find, in the plainest way: a graph of what is known where, closed under reachability,
 * and a log of every access, each compared with all before it. Nothing is ever forgotten, merged or numbered.
 *
 * A node is a piece of knowledge: a unit's generic or asynchronous view at one point, what an operation knew at its
 * issue, an access. An edge leads from what is known to who knows it. An access is behind another when there is a path
 * from that one to the view it is checked against. */
#ifndef KILN_TESTS_UNIT_RACE_ORACLE_H
#define KILN_TESTS_UNIT_RACE_ORACLE_H

#include "race/race.h"

#define ORACLE_NODES 6144
#define ORACLE_UNITS 32
#define ORACLE_OPS 256
#define ORACLE_PLACES 64 /* phases of barriers, signals */
#define ORACLE_LOG 512
#define ORACLE_ELEMENTS 150
#define ORACLE_BUFFERS 4

typedef struct oracle_set {
  uint64_t bits[ORACLE_NODES / 64];
} oracle_set;

typedef struct oracle_ops {
  bool has[ORACLE_OPS];
} oracle_ops;

typedef struct oracle_view {
  uint32_t generic, async; /* nodes; 0: nothing is known */
} oracle_view;

typedef struct oracle_place { /* where knowledge waits to be taken */
  oracle_view view;
  oracle_ops done, tasks;
} oracle_place;

typedef struct oracle_unit {
  oracle_view view;
  oracle_ops tasks, issued, products, loads, stores;
} oracle_unit;

typedef struct oracle_op {
  race_task task;
  uint32_t pipe, across;
  oracle_view view;
  uint32_t read, done; /* nodes: its reads; all of it */
  uint32_t observed;   /* node: it, and all that it follows */
  oracle_ops tasks, before;
  unit_id unit;
} oracle_op;

typedef struct oracle_access {
  unit_id unit;
  int op; /* -1: none */
  race_kind kind;
  uint32_t buffer, source;
  oracle_view view; /* before it */
  bool touches[ORACLE_ELEMENTS];
} oracle_access;

typedef struct oracle {
  oracle_set *known; /* by node: everything with a path to it */
  uint32_t nodes;
  oracle_unit units[ORACLE_UNITS];
  oracle_op ops[ORACLE_OPS];
  uint32_t op_count;
  oracle_place places[ORACLE_PLACES];
  oracle_access log[ORACLE_LOG];
  uint32_t log_count;
} oracle;

oracle *oracle_new(void);
void oracle_free(oracle *o);
bool oracle_full(const oracle *o); /* no room for another event */

void oracle_fence(oracle *o, unit_id unit);
void oracle_fork(oracle *o, unit_id whole, unit_id part);
void oracle_join(oracle *o, unit_id whole, unit_id part);
uint32_t oracle_issue(oracle *o, unit_id unit, race_task task, uint32_t pipe, uint32_t across);
void oracle_await(oracle *o, unit_id unit, uint32_t op, bool read_only);
void oracle_await_tmem(oracle *o, unit_id unit);
void oracle_commit_tmem(oracle *o, unit_id unit);
void oracle_clear_place(oracle *o, uint32_t place);
void oracle_put(oracle *o, uint32_t place, unit_id unit);
void oracle_put_op(oracle *o, uint32_t place, uint32_t op);
void oracle_take(oracle *o, uint32_t place, unit_id unit);
uint32_t oracle_touch(oracle *o, unit_id unit, int op, race_kind kind, uint32_t buffer); /* its number in the log */

/* Whether two accesses of the log race on an element; -1: on any. */
bool oracle_races(const oracle *o, uint32_t a, uint32_t b, int element);
/* Whether only the asynchronous view kept the later one from being behind the earlier one. */
bool oracle_lacks_fence(const oracle *o, uint32_t a, uint32_t b);

#endif
