/* What the state machines of barriers, semaphores and copies answer with.
 *
 * None of them waits: a call is one step, made by whoever runs the units. BLOCKED changes nothing and may be asked
 * again; FAULT says which rule was broken and by whom. A fault has still taken effect where the text of its rule says
 * so, so that an executor may report it and go on. */
#ifndef KILN_SRC_MODEL_SYNC_H
#define KILN_SRC_MODEL_SYNC_H

#include "base/diag.h"
#include "model/unit.h"

typedef enum sync_state { SYNC_READY, SYNC_BLOCKED, SYNC_FAULT } sync_state;

typedef enum sync_rule {
#define SYNC_RULE(id, fault, text) SYNC_##id,
#include "model/sync_rules.def"
  SYNC_RULES
} sync_rule;

typedef struct sync_result {
  sync_state state;
  sync_rule rule;      /* FAULT: the broken rule */
  unit_id unit;        /* FAULT: the unit that the rule speaks of, or UNIT_NONE */
  uint64_t have, want; /* BLOCKED, FAULT: the counts the rule compares */
} sync_result;

const char *sync_rule_text(sync_rule rule);
diag_id sync_rule_diag(sync_rule rule); /* the row of diag.def that reports it */

static inline sync_result sync_ready(void) { return (sync_result){.state = SYNC_READY, .unit = UNIT_NONE}; }
static inline sync_result sync_blocked(uint64_t have, uint64_t want) {
  return (sync_result){SYNC_BLOCKED, SYNC_NONE, UNIT_NONE, have, want};
}
static inline sync_result sync_fault(sync_rule rule, unit_id u, uint64_t have, uint64_t want) {
  return (sync_result){SYNC_FAULT, rule, u, have, want};
}

/* Row-major place of `index` in an array of any rank; false when outside. */
bool sync_place(uint32_t rank, const int64_t *dims, const int64_t *index, uint64_t *out);
/* Number of elements; false when a size is below 1 or it does not fit. */
bool sync_count(uint32_t rank, const int64_t *dims, uint64_t *out);

#endif
