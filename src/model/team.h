/* What the teams of a kernel make of a GPU: its units, where each of them stands, and the barriers of its clusters. */
#ifndef KILN_SRC_MODEL_TEAM_H
#define KILN_SRC_MODEL_TEAM_H

#include "model/barrier.h"
#include "model/unit.h"

bool team_machine(const ir_kernel *k, uint32_t clusters, machine *out); /* of each device; false: too many units */
/* A thread's, or the thread's that it is a part of, on the axes of all teams. */
void team_places(const ir_kernel *k, const machine *m, unit_id unit, uint32_t places[IR_MAX_TEAMS]);
cluster_barrier_desc team_barrier(const ir_kernel *k, const ir_op *scratch); /* its elements in a row */

#endif
