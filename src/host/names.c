/* What the parts of a launch are called: units by the axes of grid and teams, elements of scratch by their index. */
#include <string.h>

#include "host/crew/crew.h"
#include "ir/text/say.h"

void host_name_element(text *t, const kiln_host_plan *plan, const host_root *root, uint64_t element) {
  const host_box_info *whole = &plan->boxes[root->box];
  ir_say_element(t, root->name, whole->rank, whole->dims, element);
}

static const char *next(const char **between) {
  const char *before = *between;
  *between = ", ";
  return before;
}

bool host_name_places(text *t, const kiln_host_plan *plan, unit_id id, host_places which, const char *before) {
  const machine *m = &plan->machine;
  const ir_kernel *k = plan->kernel;
  const char *between = before;
  int64_t index[STEP_MAX_AXES];
  uint32_t places[IR_MAX_TEAMS];
  step_unflatten(&plan->grid, unit_ordinal(m, unit_above(m, id, DEPTH_GPU_CLUSTER)) % plan->points, index);
  team_places(k, m, id, places);
  for (uint32_t a = 0; which != HOST_PLACES_THREADS && a < plan->grid.rank; a++)
    text_format(t, "%s%.*s %lld", next(&between), STR_FMT(k->axes[a].name), (long long)index[a]);
  for (uint32_t i = 0; i < k->team_count; i++) {
    const bool threads = k->teams[i].level == IR_TEAM_THREADS;
    if (which == HOST_PLACES_ALL || threads == (which == HOST_PLACES_THREADS))
      text_format(t, "%s%.*s %u", next(&between), STR_FMT(k->teams[i].name), places[i]);
  }
  return between != before;
}

void host_name_unit(text *t, const kiln_host_plan *plan, unit_id id) {
  const unit_id thread = unit_above(&plan->machine, id, DEPTH_GPU_THREAD);
  const bool any = host_name_places(t, plan, thread, HOST_PLACES_ALL, "unit (");
  if (!any) text_add(t, STR("the only unit"));
  if (thread != id) text_format(t, any ? ", warp %u" : " (warp %u", unit_index(&plan->machine, id));
  if (any || thread != id) text_char(t, ')');
}

/* ---- who did something ---- */

enum { PLACES_MOST = KILN_MAX_RANK * (2 + IR_TEAM_COUNT + 2) + 1 };

static uint32_t places_of(const host_unit *unit, ir_place *places) {
  const kiln_host_plan *plan = unit->plan;
  const ir_kernel *k = plan->kernel;
  uint32_t count = 0;
  for (uint32_t a = 0; a < k->axis_count; a++)
    places[count++] = (ir_place){IR_AXIS_GRID, k->axes[a].name, host_cell(unit, plan->axis_slots[a])};
  for (uint32_t i = 0; i < k->team_count; i++)
    places[count++] = (ir_place){IR_AXIS_UNITS, k->teams[i].name, host_cell(unit, plan->team_slots[i])};
  if (k->team_count > 0 && unit_depth(&plan->machine, unit->id) > DEPTH_GPU_THREAD)
    places[count++] = (ir_place){IR_AXIS_UNITS, STR("warp"), unit_index(&plan->machine, unit->id)};
  for (uint32_t s = 0; s < plan->step_count; s++)
    places[count++] = (ir_place){IR_AXIS_STEPS, plan->steps[s].name, host_cell(unit, plan->steps[s].slot)};
  return count;
}

void host_describe_unit(const host_unit *unit, char *out, size_t size) {
  ir_place places[PLACES_MOST];
  arena a;
  jmp_buf memory;
  arena_init(&a, unit->plan->context->mem, 0);
  out[0] = '\0';
  if (ARENA_GUARD(&a, memory)) {
    text words = text_new(&a);
    ir_say_places(&words, unit->step.flat, places, places_of(unit, places));
    const size_t used = words.size < size ? words.size : size - 1;
    memcpy(out, words.data, used);
    out[used] = '\0';
  }
  arena_finish(&a);
}
