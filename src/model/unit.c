/* Units by arithmetic: see unit.h for the numbering. */
#include "model/unit.h"

uint32_t unit_depth(const machine *m, unit_id u) {
  uint32_t depth = m->levels - 1;
  while (depth > 0 && u < m->first[depth]) depth--;
  return depth;
}

uint32_t unit_ordinal(const machine *m, unit_id u) { return u - m->first[unit_depth(m, u)]; }

uint32_t unit_index(const machine *m, unit_id u) {
  uint32_t depth = unit_depth(m, u);
  return (u - m->first[depth]) % m->size[depth];
}

unit_id unit_at(const machine *m, uint32_t depth, uint32_t ordinal) {
  return depth < m->levels && ordinal < m->count[depth] ? m->first[depth] + ordinal : UNIT_NONE;
}

unit_id unit_parent(const machine *m, unit_id u) {
  uint32_t depth = unit_depth(m, u);
  return depth == 0 ? UNIT_NONE : m->first[depth - 1] + (u - m->first[depth]) / m->size[depth];
}

unit_id unit_child(const machine *m, unit_id u, uint32_t index) {
  uint32_t depth = unit_depth(m, u);
  if (depth + 1 >= m->levels || index >= m->size[depth + 1]) return UNIT_NONE;
  return m->first[depth + 1] + (u - m->first[depth]) * m->size[depth + 1] + index;
}

unit_id unit_above(const machine *m, unit_id u, uint32_t depth) {
  uint32_t own = unit_depth(m, u);
  if (depth > own) return UNIT_NONE;
  return m->first[depth] + (u - m->first[own]) / (m->count[own] / m->count[depth]);
}

unit_range unit_below(const machine *m, unit_id u, uint32_t depth) {
  uint32_t own = unit_depth(m, u);
  if (depth < own || depth >= m->levels) return (unit_range){UNIT_NONE, 0};
  uint32_t each = m->count[depth] / m->count[own];
  return (unit_range){m->first[depth] + (u - m->first[own]) * each, each};
}

bool unit_contains(const machine *m, unit_id outer, unit_id inner) {
  return unit_above(m, inner, unit_depth(m, outer)) == outer;
}

unit_id unit_owner(const machine *m, unit_id u, space_id space) {
  uint32_t depth = space_info_of(space)->depth;
  return unit_depth(m, u) >= depth ? unit_above(m, u, depth) : unit_below(m, u, depth).first;
}

void unit_print(const machine *m, unit_id u, text *out) {
  if (u >= m->units) {
    text_add(out, STR("no unit"));
    return;
  }
  uint32_t own = unit_depth(m, u);
  bool any = false;
  for (uint32_t depth = 0; depth <= own; depth++) {
    if (m->size[depth] == 1 && (depth < own || any)) continue;
    const char *name = level_info_of(machine_level(m, depth))->name;
    text_format(out, any ? " %s %u" : "%s %u", name, unit_index(m, unit_above(m, u, depth)));
    any = true;
  }
}
