/* The units of a launch: threads of all its blocks, and where each stands on the axes of its teams. */
#include "pass/roles/roles.h"

static uint64_t grid_points(const ir_kernel *k) {
  uint64_t points = 1;
  for (uint32_t i = 0; i < k->axis_count; i++)
    if (__builtin_mul_overflow(points, (uint64_t)k->axes[i].extent->value, &points)) return UINT64_MAX;
  return points;
}

static bool counts_in_gmem(void *user, ir_op *op) {
  (void)user;
  return op->code != IR_scratch || op->attrs->kind != IR_SEMAPHORE || op->attrs->space != IR_SPACE_GMEM;
}

static void add_unit(roles *r, uint32_t number) {
  roles_unit *unit = ARENA_NEW(r->arena, roles_unit);
  *unit = (roles_unit){.id = unit_at(&r->machine, DEPTH_GPU_THREAD, number), .number = number, .begun = true};
  VEC_PUSH(r->arena, &r->units, unit);
}

bool roles_make_units(roles *r) {
  const ir_kernel *k = r->kernel;
  const uint64_t points = grid_points(k);
  r->whole_grid = !ir_walk(k->body, counts_in_gmem, NULL) && points > 1;
  const uint64_t clusters = r->whole_grid ? points : 1;
  const uint32_t some = clusters > ROLES_UNITS_MOST ? ROLES_UNITS_MOST + 1 : (uint32_t)clusters;
  if (!team_machine(k, some, &r->machine) || r->machine.count[DEPTH_GPU_THREAD] > ROLES_UNITS_MOST)
    return roles_decline(r, k->loc, "more than %d units know of one another", ROLES_UNITS_MOST);
  r->threads = r->machine.count[DEPTH_GPU_THREAD];
  for (uint32_t i = 0; i < r->threads; i++) add_unit(r, i);
  return true;
}

uint32_t roles_block(const roles *r, const roles_unit *unit) {
  return unit_ordinal(&r->machine, unit_above(&r->machine, unit->id, DEPTH_GPU_BLOCK));
}

/* ---- places ---- */

static int64_t place_in_teams(const roles *r, const roles_unit *unit, const ir_value *axis, bool *known) {
  uint32_t places[IR_MAX_TEAMS];
  team_places(r->kernel, &r->machine, unit->id, places);
  for (uint32_t i = 0; i < r->kernel->team_count; i++)
    if (r->kernel->teams[i].index == axis) return *known = true, places[i];
  return 0;
}

static int64_t place_in_grid(const roles *r, const roles_unit *unit, const ir_value *axis, bool *known) {
  uint32_t left = unit_index(&r->machine, unit_above(&r->machine, unit->id, DEPTH_GPU_CLUSTER));
  for (uint32_t i = r->kernel->axis_count; r->whole_grid && i-- > 0;) {
    const uint32_t extent = (uint32_t)r->kernel->axes[i].extent->value;
    if (r->kernel->axes[i].index == axis) return *known = true, left % extent;
    left /= extent;
  }
  return 0;
}

int64_t roles_place(const roles *r, const roles_unit *unit, const ir_value *axis, bool *known) {
  *known = false;
  if (unit->part == axis) return *known = true, unit_index(&r->machine, unit->id);
  int64_t place = place_in_teams(r, unit, axis, known);
  return *known ? place : place_in_grid(r, unit, axis, known);
}
