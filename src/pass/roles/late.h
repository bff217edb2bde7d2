/* Private to spin_roles: what a role waited for may come when it has given up. Then it was no deadlock: the role did
 * not get its turn in time, which is told once all have ended.
 *
 *   role, wait, element, enough of it     one row a role of shared memory, written by whoever gives up */
#ifndef KILN_SRC_PASS_ROLES_LATE_H
#define KILN_SRC_PASS_ROLES_LATE_H

#include "pass/roles/phase.h"

typedef struct late_wait {
  const role *role;
  const tally *tally;
  ir_told told; /* made while units have the names that they were written with */
} late_wait;

typedef struct lateness {
  phasing *p;
  val left; /* i32[roles, 3]: 1 + the number of the wait, or 0, and the others */
  VEC(late_wait) waits;
} lateness;

lateness late_begin(phasing *p);
/* The role gives up here, and would have gone on with `enough` in the word. */
void late_note(lateness *l, ir_builder *b, const late_wait *wait, val element, val enough);
void late_tell(const lateness *l, ir_builder *b, val index);

#endif
