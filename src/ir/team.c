/* Teams: the axes that the units of a machine are counted in. A kernel has them level by level. */
#include "ir/ir.h"

ir_team_axes ir_team_axes_of(const ir_kernel *k, ir_team_level level) {
  uint32_t first = 0, end;
  while (first < k->team_count && k->teams[first].level != level) first++;
  for (end = first; end < k->team_count && k->teams[end].level == level;) end++;
  return end > first ? (ir_team_axes){&k->teams[first], end - first} : (ir_team_axes){0};
}

uint32_t ir_team_units(const ir_kernel *k, ir_team_level level, uint32_t along) {
  const ir_team_axes axes = ir_team_axes_of(k, level);
  uint32_t units = 1;
  for (uint32_t i = 0; i < axes.count; i++)
    if (along >> i & 1) units *= (uint32_t)axes.at[i].extent->value;
  return units;
}

void ir_team_places(const ir_kernel *k, const uint32_t *numbers, uint32_t *places) {
  uint32_t left[IR_TEAM_COUNT];
  for (uint32_t level = 0; level < IR_TEAM_COUNT; level++) left[level] = numbers[level];
  for (uint32_t i = k->team_count; i-- > 0;) {
    const uint32_t extent = (uint32_t)k->teams[i].extent->value;
    places[i] = left[k->teams[i].level] % extent;
    left[k->teams[i].level] /= extent;
  }
}

uint32_t ir_team_number(ir_team_axes axes, const int64_t *place) {
  uint32_t number = 0;
  for (uint32_t i = 0; i < axes.count; i++) {
    const int64_t extent = axes.at[i].extent->value;
    if (place[i] < 0 || place[i] >= extent) return UINT32_MAX;
    number = number * (uint32_t)extent + (uint32_t)place[i];
  }
  return number;
}
