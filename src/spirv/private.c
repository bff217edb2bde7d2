/* Tiles that a role keeps between its steps: a variable a lane for each register of the tile's usual layout. They are
 * read and written whole only, so that no lane asks for what another has. */
#include "spirv/lower.h"

uint32_t spv_memory_private(spv_lower *low, const ir_op *scratch) {
  VEC_PUSH(low->arena, &low->memories,
           (spv_memory){.kind = SPV_PRIVATE, .written = true, .rank = scratch->results[0]->type.shape.rank});
  return (uint32_t)low->memories.count - 1;
}

spv_memory *spv_private_of(spv_lower *low, const ir_op *access) {
  spv_memory *memory = &low->memories.data[spv_memory_of_ref(low, access->operands[0])];
  return memory->kind == SPV_PRIVATE ? memory : NULL;
}

static const spv_id *variables_of(spv_lower *low, spv_memory *memory, spv_id type, size_t count) {
  if (memory->registers) return memory->registers;
  memory->registers = ARENA_ARRAY(low->arena, spv_id, count + 1);
  for (size_t i = 0; i < count; i++) memory->registers[i] = spv_variable(&low->module, SpvStorageClassFunction, type);
  return memory->registers;
}

void spv_private_load(spv_lower *low, const ir_op *load) {
  spv_memory *memory = spv_private_of(low, load);
  const ir_value *value = load->results[0];
  const spv_id type = spv_num_type(low, value->type.dtype);
  spv_points points = {0};
  spv_register_points(low, &value->type, &points);
  const spv_id *variables = variables_of(low, memory, type, points.count);
  spv_id *ids = ARENA_ARRAY(low->arena, spv_id, points.count + 1);
  for (size_t i = 0; i < points.count; i++) {
    ids[i] = SPV(&low->module, SpvOpLoad, type, variables[i]);
    spv_here(&low->code, ids[i]);
  }
  spv_set_registers(low, value, &points, ids);
}

/* Everything is computed before anything is written. */
void spv_private_store(spv_lower *low, const ir_op *store) {
  spv_memory *memory = spv_private_of(low, store);
  const ir_value *value = store->operands[1];
  spv_points points = {0};
  spv_prepare(low, value);
  spv_register_points(low, &value->type, &points);
  const spv_id *variables = variables_of(low, memory, spv_num_type(low, value->type.dtype), points.count);
  spv_id *ids = ARENA_ARRAY(low->arena, spv_id, points.count + 1);
  for (size_t i = 0; i < points.count; i++) ids[i] = spv_eval(low, value, &points.data[i]);
  for (size_t i = 0; i < points.count; i++) SPV_DO(&low->module, SpvOpStore, variables[i], ids[i]);
}
