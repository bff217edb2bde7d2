/* The rule table, and the indexing that arrays of barriers and semaphores share. */
#include "model/sync.h"

static const struct {
  diag_id fault;
  const char *text;
} rules[SYNC_RULES] = {
#define SYNC_RULE(id, fault, text) [SYNC_##id] = {DIAG_##fault, text},
#include "model/sync_rules.def"
};

const char *sync_rule_text(sync_rule rule) { return rules[rule].text; }
diag_id sync_rule_diag(sync_rule rule) { return rules[rule].fault; }

bool sync_place(uint32_t rank, const int64_t *dims, const int64_t *index, uint64_t *out) {
  uint64_t place = 0;
  for (uint32_t axis = 0; axis < rank; axis++) {
    if (index[axis] < 0 || index[axis] >= dims[axis]) return false;
    place = place * (uint64_t)dims[axis] + (uint64_t)index[axis];
  }
  *out = place;
  return true;
}

bool sync_count(uint32_t rank, const int64_t *dims, uint64_t *out) {
  uint64_t count = 1;
  for (uint32_t axis = 0; axis < rank; axis++)
    if (dims[axis] < 1 || __builtin_mul_overflow(count, (uint64_t)dims[axis], &count)) return false;
  *out = count;
  return true;
}
