/* The order of memory between lanes: a barrier stands before what other lanes wrote is read, and before what they may
 * still have to read is written. Everything is decided at the start of a root, outside of its loops. */
#include "spirv/lower.h"

/* Lanes of one role meet by themselves, as do those of a subgroup that runs all roles: drivers stop and resume whole
 * programs at a workgroup's barrier. Where they run in lock step they always have: only memory is to be ordered.
 * `reach`: among whom memory is ordered. */
static void meet(spv_lower *low, SpvScope reach) {
  spv_code *c = &low->code;
  const bool apart = low->in_role || low->takes_turns;
  spv_id scope = spv_int(c, apart ? SpvScopeSubgroup : SpvScopeWorkgroup);
  spv_id semantics = spv_int(c, SpvMemorySemanticsAcquireReleaseMask | SPV_ALL_MEMORY);
  if (apart && low->profile.lock_step)
    SPV_DO(c->m, SpvOpMemoryBarrier, spv_int(c, reach), semantics);
  else
    SPV_DO(c->m, SpvOpControlBarrier, scope, spv_int(c, reach), semantics);
}

static void barrier_among(spv_lower *low, SpvScope reach) {
  meet(low, reach);
  low->exchanges = true;
  for (size_t i = 0; i < low->memories.count; i++) {
    spv_memory *memory = &low->memories.data[i];
    if (memory->dirty) memory->version++;
    memory->dirty = memory->read = false;
  }
}

void spv_hand_over(spv_lower *low) {
  barrier_among(low, SpvScopeWorkgroup);
  for (size_t i = 0; i < low->memories.count; i++) low->memories.data[i].version++;
}

void spv_barrier(spv_lower *low) { barrier_among(low, low->in_role ? SpvScopeSubgroup : SpvScopeWorkgroup); }

/* Before another lane's writes are read, and before what another lane may still have to read is written. */
void spv_before_read(spv_lower *low, uint32_t memory) {
  if (low->memories.data[memory].dirty) spv_barrier(low);
}

/* Also what lay in the same words before must be done with. */
void spv_before_write(spv_lower *low, uint32_t memory) {
  const spv_memory *of = low->memories.data;
  bool busy = of[memory].read && !of[memory].own;
  for (uint32_t m = 0; m < low->memories.count && !busy; m++)
    busy = m != memory && (of[m].read || of[m].dirty) && spv_share_words(low, m, memory);
  if (busy) spv_barrier(low);
}

/* Whether four elements in a row of the last dimension lie in a row, in one vector, so that they can be one access. */
static bool is_aligned(const spv_memory *memory) {
  bool in_a_row = false;
  for (uint32_t k = 0; k < memory->address->count; k++) {
    const ir_digit *d = &memory->address->digits[k];
    bool lowest = d->dim + 1 == memory->rank && d->divisor == 1 && d->stride == 1 && d->modulus % 4 == 0;
    if (!lowest && d->stride % 4) return false;
    in_a_row = in_a_row || lowest;
  }
  return in_a_row && memory->kind != SPV_SHARED;
}

/* Memory instructions for four elements of the last axis. */
uint32_t spv_access_cost(spv_lower *low, const ir_value *ref) {
  return is_aligned(&low->memories.data[spv_memory_of_ref(low, ref)]) ? 1 : 4;
}

static void prepare_value(spv_lower *low, const ir_value *value) {
  if (low->seen[value->id] == low->walk) return;
  low->seen[value->id] = low->walk;
  const spv_home *home = &low->homes[value->id];
  if (home->kind == SPV_MEMORY) low->cost += 4;
  if (home->kind == SPV_MEMORY) spv_before_read(low, home->memory);
  if (home->kind != SPV_VIRTUAL || !value->def) return;
  if (value->def->code == IR_load) {
    uint32_t memory = spv_memory_of_ref(low, value->def->operands[0]);
    if (!low->memories.data[memory].own) spv_before_read(low, memory);
    if (value->type.shape.rank > 0) low->cost += spv_access_cost(low, value->def->operands[0]);
  }
  for (uint32_t i = 0; i < value->def->operand_count; i++)
    if (value->def->operands[i]->type.kind == IR_TILE) prepare_value(low, value->def->operands[i]);
}

uint32_t spv_prepare(spv_lower *low, const ir_value *value) {
  low->walk++;
  low->cost = 0;
  prepare_value(low, value);
  return low->cost;
}

/* Larger strips are no faster: compilers of CPU drivers spill what 16 chains of arithmetic keep alive, and take far
 * more than twice the time for twice the accesses. */
spv_effort spv_effort_of(uint32_t cost) {
  static const spv_effort rows[] = {{2, 8, 64}, {4, 8, 32}, {8, 8, 16}, {UINT32_MAX, 4, 8}};
  const spv_effort *row = rows;
  while (cost > row->cost) row++;
  return *row;
}
