/* A unit: one node of a machine's tree, named by its number. Nothing is stored: parents, children and the units below
 * are arithmetic on the machine's sizes.
 *
 * Units are numbered level by level, in the order of their parents. For 1 device of 2 clusters of 2 blocks:
 *
 *     0                device
 *     1    2           clusters
 *     3 4  5 6         blocks
 *
 * so the units of one level below any unit are one range of numbers. */
#ifndef KILN_SRC_MODEL_UNIT_H
#define KILN_SRC_MODEL_UNIT_H

#include "model/machine.h"

typedef uint32_t unit_id;
#define UNIT_NONE UINT32_MAX

typedef struct unit_range {
  unit_id first;
  uint32_t count;
} unit_range;

uint32_t unit_depth(const machine *m, unit_id u);
uint32_t unit_index(const machine *m, unit_id u);                /* within its parent; a device: within the machine */
unit_id unit_parent(const machine *m, unit_id u);                /* UNIT_NONE for a device */
unit_id unit_child(const machine *m, unit_id u, uint32_t index); /* UNIT_NONE when there is no such child */
unit_id unit_at(const machine *m, uint32_t depth, uint32_t ordinal); /* the ordinal-th unit of a level */
uint32_t unit_ordinal(const machine *m, unit_id u); /* the inverse: place among all units of its level */

unit_id unit_above(const machine *m, unit_id u, uint32_t depth); /* the ancestor of that depth; `u` itself at its own */
unit_range unit_below(const machine *m, unit_id u,
                      uint32_t depth); /* its descendants of that depth; count 0 when none */
bool unit_contains(const machine *m, unit_id outer, unit_id inner); /* inner is outer, or below it */

/* The unit whose copy of `space` is meant when `u` names the space: the owner above `u`. A unit above the owning level
 * that is not split means its first descendant there. */
unit_id unit_owner(const machine *m, unit_id u, space_id space);

/* "cluster 2 block 1 thread 0": every level but those of one unit in the whole machine; a device alone is "device 0".
 */
void unit_print(const machine *m, unit_id u, text *out);

#endif
