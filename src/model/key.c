/* Allocation keys and the counters behind them. */
#include "model/key.h"

bool key_equal(alloc_key a, alloc_key b) { return a.space == b.space && a.owner == b.owner && a.serial == b.serial; }

/* Two multiplications, as scratch of a loop asks for it often. */
uint64_t key_hash(alloc_key key) {
  const uint64_t odd = UINT64_C(0x9E3779B97F4A7C15);
  uint64_t hash = ((uint64_t)key.owner << 32 | key.serial) * odd;
  hash = (hash ^ hash >> 32 ^ (uint64_t)key.space) * odd;
  return hash ^ hash >> 32;
}

alloc_key key_take(const machine *m, key_serials *serials, unit_id u, space_id space) {
  uint32_t *next = &serials->next[space_info_of(space)->depth];
  return (alloc_key){space, unit_owner(m, u, space), (*next)++};
}

key_serials key_fork(const key_serials *parent) { return *parent; }

void key_join(key_serials *parent, const key_serials *child) {
  for (uint32_t depth = 0; depth < MACHINE_MAX_LEVELS; depth++)
    if (child->next[depth] > parent->next[depth]) parent->next[depth] = child->next[depth];
}
