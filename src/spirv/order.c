/* The order of memory between lanes: a barrier stands before what other lanes wrote is read, and before what they may still have
 * to read is written. Everything is decided at the start of a root, outside of its loops. */
#include "spirv/lower.h"

void spv_barrier(spv_lower *low) {
  spv_code *c = &low->code;
  spv_id scope = spv_int(c, SpvScopeWorkgroup);
  uint32_t semantics =
      SpvMemorySemanticsAcquireReleaseMask | SpvMemorySemanticsUniformMemoryMask | SpvMemorySemanticsWorkgroupMemoryMask;
  SPV_DO(c->m, SpvOpControlBarrier, scope, scope, spv_int(c, semantics));
  low->exchanges = true;
  for (size_t i = 0; i < low->memories.count; i++) {
    spv_memory *memory = &low->memories.data[i];
    if (memory->dirty) memory->version++;
    memory->dirty = memory->read = false;
  }
}

/* Before another lane's writes are read, and before what another lane may still have to read is written. */
void spv_before_read(spv_lower *low, uint32_t memory) {
  if (low->memories.data[memory].dirty) spv_barrier(low);
}

void spv_before_write(spv_lower *low, uint32_t memory) {
  const spv_memory *of = &low->memories.data[memory];
  if (of->read && !of->own) spv_barrier(low);
}

static void prepare_value(spv_lower *low, const ir_value *value) {
  if (low->seen[value->id] == low->walk) return;
  low->seen[value->id] = low->walk;
  const spv_home *home = &low->homes[value->id];
  if (home->kind == SPV_MEMORY) spv_before_read(low, home->memory);
  if (home->kind != SPV_VIRTUAL || !value->def) return;
  if (value->def->code == IR_load) {
    uint32_t memory = spv_memory_of_ref(low, value->def->operands[0]);
    if (!low->memories.data[memory].own) spv_before_read(low, memory);
  }
  for (uint32_t i = 0; i < value->def->operand_count; i++)
    if (value->def->operands[i]->type.kind == IR_TILE) prepare_value(low, value->def->operands[i]);
}

void spv_prepare(spv_lower *low, const ir_value *value) {
  low->walk++;
  prepare_value(low, value);
}
