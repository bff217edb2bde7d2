/* The machine tables, expanded from machines.def, and the arithmetic of a machine's sizes. */
#include "model/machine.h"

static const machine_info machine_table[MACHINE_KINDS] = {
#define MACHINE(id, run_by, global_space, shared_space, tile_space, words) \
  [MACHINE_##id] = {.named = IR_MACHINE_##id,                              \
                    .doc = words,                                          \
                    .top = LEVEL_##id##_DEVICE,                            \
                    .program = LEVEL_##id##_##run_by,                      \
                    .global = SPACE_##id##_##global_space,                 \
                    .shared = SPACE_##id##_##shared_space,                 \
                    .tiles = SPACE_##id##_##tile_space},
#include "model/machines.def"
};

static const level_info level_table[LEVEL_COUNT] = {
#define LEVEL(machine, id, name, size, doc) \
  [LEVEL_##machine##_##id] = {name, doc, MACHINE_##machine, LEVEL_##machine##_##id - LEVEL_##machine##_DEVICE, size},
#include "model/machines.def"
};

static const space_info space_table[SPACE_COUNT] = {
#define SPACE(of, id, owner, where, most, least, words)                       \
  [SPACE_##of##_##id] = {.named = IR_SPACE_##id,                              \
                         .doc = words,                                        \
                         .machine = MACHINE_##of,                             \
                         .depth = LEVEL_##of##_##owner - LEVEL_##of##_DEVICE, \
                         .storage = SPACE_##where,                            \
                         .limit = most,                                       \
                         .align = least},
#include "model/machines.def"
};

const machine_info *machine_info_of(machine_kind kind) { return &machine_table[kind]; }
const level_info *level_info_of(level_id level) { return &level_table[level]; }
const space_info *space_info_of(space_id space) { return &space_table[space]; }

bool machine_find_level(machine_kind kind, kiln_str name, level_id *out) {
  for (uint32_t level = 0; level < LEVEL_COUNT; level++)
    if (level_table[level].machine == kind && str_is(name, level_table[level].name))
      return *out = (level_id)level, true;
  return false;
}

bool machine_space(machine_kind kind, ir_space named, space_id *out) {
  if (named == IR_SPACE_GMEM) return *out = machine_table[kind].global, true;
  for (uint32_t space = 0; space < SPACE_COUNT; space++)
    if (space_table[space].machine == kind && space_table[space].named == named) return *out = (space_id)space, true;
  return false;
}

bool machine_make(machine_kind kind, const uint32_t *sizes, machine *out) {
  *out = (machine){.kind = kind};
  uint32_t top = machine_table[kind].top;
  uint64_t count = 1, units = 0;
  for (uint32_t depth = 0; top + depth < LEVEL_COUNT && level_table[top + depth].machine == kind; depth++) {
    uint32_t size = sizes && sizes[depth] ? sizes[depth] : level_table[top + depth].size;
    count *= size;
    if (count > MACHINE_MAX_UNITS) return false;
    out->size[depth] = size;
    out->count[depth] = (uint32_t)count;
    out->first[depth] = (uint32_t)units;
    units += count;
    if (units > MACHINE_MAX_UNITS) return false;
    out->levels = depth + 1;
  }
  out->units = (uint32_t)units;
  for (uint32_t space = 0; space < SPACE_COUNT; space++) out->limit[space] = space_table[space].limit;
  return true;
}

level_id machine_level(const machine *m, uint32_t depth) { return (level_id)(machine_table[m->kind].top + depth); }

uint32_t machine_copies(const machine *m, space_id space) { return m->count[space_table[space].depth]; }
