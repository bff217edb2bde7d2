/* Kernels with teams on the machine. */
#include "model/team.h"

bool team_machine(const ir_kernel *k, uint32_t clusters, machine *out) {
  const uint32_t sizes[MACHINE_MAX_LEVELS] = {[DEPTH_GPU_DEVICE] = ir_team_units(k, IR_TEAM_DEVICES, IR_ALL_AXES),
                                              [DEPTH_GPU_CLUSTER] = clusters,
                                              [DEPTH_GPU_BLOCK] = ir_team_units(k, IR_TEAM_CLUSTER, IR_ALL_AXES),
                                              [DEPTH_GPU_THREAD] = ir_team_units(k, IR_TEAM_THREADS, IR_ALL_AXES)};
  return machine_make(MACHINE_GPU, sizes, out);
}

void team_places(const ir_kernel *k, const machine *m, unit_id unit, uint32_t places[IR_MAX_TEAMS]) {
  const unit_id thread = unit_above(m, unit, DEPTH_GPU_THREAD);
  const uint32_t numbers[IR_TEAM_COUNT] = {[IR_TEAM_DEVICES] = unit_index(m, unit_above(m, thread, DEPTH_GPU_DEVICE)),
                                           [IR_TEAM_CLUSTER] = unit_index(m, unit_above(m, thread, DEPTH_GPU_BLOCK)),
                                           [IR_TEAM_THREADS] = unit_index(m, thread)};
  ir_team_places(k, numbers, places);
}

cluster_barrier_desc team_barrier(const ir_kernel *k, const ir_op *scratch) {
  const ir_attrs *attrs = scratch->attrs;
  const ir_team_axes axes = ir_team_axes_of(k, IR_TEAM_CLUSTER);
  cluster_barrier_desc desc = {.cluster_rank = attrs->across ? axes.count : 0,
                               .collective = attrs->across,
                               .leader_only = attrs->leader,
                               .open = attrs->open,
                               .rank = 1,
                               .dims = {ir_count(&scratch->results[0]->type)},
                               .arrivals = attrs->arrivals};
  for (uint32_t i = 0; i < desc.cluster_rank; i++) desc.cluster_dims[i] = axes.at[i].extent->value;
  return desc;
}
