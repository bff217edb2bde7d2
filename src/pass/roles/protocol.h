/* Units that meet: what they share while they run. Private to protocol.c and report.c. */
#ifndef KILN_SRC_PASS_ROLES_PROTOCOL_H
#define KILN_SRC_PASS_ROLES_PROTOCOL_H

#include "pass/roles/roles.h"

/* One unit's copy of a scratch, as long as any that share it has not left its region. */
typedef struct protocol_share {
  bool alive;
  uint32_t round;           /* how many there were before */
  uint32_t opened, closed;  /* by how many of those that share it */
  cluster_barrier barriers; /* of a scratch of barriers */
  semaphore_array semaphores;
} protocol_share;

typedef struct protocol {
  roles *r;
  mem mem;
  protocol_share **shares; /* by scratch, then by the owner's place among its level's units */
} protocol;

protocol_share *protocol_share_of(const protocol *p, const roles_event *event);
barrier *protocol_barrier(const protocol *p, const roles_event *event); /* NULL: its block has none yet */

/* report.c: diagnostics as the host's crews give them */
void protocol_report_deadlock(const protocol *p);
void protocol_report_fault(const protocol *p, const roles_unit *unit, const roles_event *event, sync_result result);

#endif
