/* The name of an allocation: (space, owner unit, serial).
 *
 * Nobody hands out names. Every unit counts the allocations that it makes in spaces of each level, and units that run
 * the same program count in lock step: the third smem buffer of every block has serial 2. So the sharers of a buffer
 * arrive at one key without talking, and a remote copy names "the same buffer over there" by changing the owner alone.
 * Counting per owning level keeps private allocations, which threads may make unequally, from disturbing shared ones.
 */
#ifndef KILN_SRC_MODEL_KEY_H
#define KILN_SRC_MODEL_KEY_H

#include "model/unit.h"

typedef struct alloc_key {
  space_id space;
  unit_id owner;
  uint32_t serial;
} alloc_key;

bool key_equal(alloc_key a, alloc_key b);
uint64_t key_hash(alloc_key key);

/* One unit's counters; zero at the start of a program. */
typedef struct key_serials {
  uint32_t next[MACHINE_MAX_LEVELS]; /* by depth of the owning level */
} key_serials;

/* The key of the next allocation that `u` makes in `space`. */
alloc_key key_take(const machine *m, key_serials *serials, unit_id u, space_id space);

/* A unit that splits hands its counters to its children; when they join it goes on behind the one that counted most.
 * Without this a child's "new" buffer would carry the key of an old one. */
key_serials key_fork(const key_serials *parent);
void key_join(key_serials *parent, const key_serials *child);

#endif
