/* The module around a kernel: builtins, buffers, the number of the unit and its place in the grid, and the counts that
 * are only known when all is written. */
#include "model/step.h"
#include "pass/util.h"
#include "spirv/lower.h"

_Noreturn void spv_give_up(spv_lower *low) {
  low->failure = diag_sink_result(low->diags);
  arena_out(low->arena);
}

/* ---- variables ---- */

static spv_id storage_buffer(spv_lower *low, uint32_t binding, spv_id element, uint32_t stride, bool written) {
  spv_code *c = &low->code;
  spv_id id = spv_variable(c->m, SpvStorageClassStorageBuffer, spv_type_buffer(c->m, element, stride));
  spv_decorate(c->m, id, SpvDecorationDescriptorSet, SPV_LIST(0));
  spv_decorate(c->m, id, SpvDecorationBinding, SPV_LIST(binding));
  spv_decorate(c->m, id, written ? SpvDecorationAliased : SpvDecorationNonWritable, NULL, 0);
  return id;
}

/* The same buffer as single words: vectors with a component chosen at run time cost some drivers four accesses. */
static spv_id seen_as(spv_lower *low, spv_id *views, uint32_t binding, spv_id element, uint32_t stride) {
  bool written = binding == low->kernel->param_count || low->memories.data[binding].written;
  if (!views[binding]) views[binding] = storage_buffer(low, binding, element, stride, written);
  return views[binding];
}

spv_id spv_single_words(spv_lower *low, uint32_t binding) {
  return seen_as(low, low->singles, binding, low->code.u32, 4);
}

spv_id spv_word_pairs(spv_lower *low, uint32_t binding) {
  return seen_as(low, low->pairs, binding, spv_num_type(low, IR_U64), 8);
}

static const ir_address *address_of(arena *a, const ir_param *param) {
  ir_address *address = ARENA_NEW(a, ir_address);
  *address = ir_param_address(param);
  return address;
}

static void declare_params(spv_lower *low) {
  for (uint32_t i = 0; i < low->kernel->param_count; i++) {
    const ir_param *param = &low->kernel->params[i];
    const ir_value *ref = param->ref;
    spv_memory memory = {.kind = SPV_BUFFER, .packed = true, .binding = i, .rank = ref->type.shape.rank};
    memory.address = address_of(low->arena, param);
    memory.element_bits = param->layout.element_bits;
    uint64_t bytes = (uint64_t)ir_param_bytes(param);
    memory.spare = (uint32_t)((bytes + 15) / 16 * 4);
    VEC_PUSH(low->arena, &low->memories, memory);
    low->memory_of[ref->id] = (uint32_t)low->memories.count;
  }
}

/* After place.c has found which are written. */
static void declare_buffers(spv_lower *low) {
  for (uint32_t i = 0; i < low->kernel->param_count; i++) {
    spv_memory *memory = &low->memories.data[i];
    memory->variable = storage_buffer(low, i, low->code.words, 16, memory->written);
    spv_name(&low->module, memory->variable, low->kernel->params[i].name);
  }
}

static bool declare_scratch(void *user, ir_op *op) {
  spv_lower *low = user;
  if (op->code == IR_scratch) {
    const bool own = op->attrs->space == IR_SPACE_ACC || op->attrs->space == IR_SPACE_REGS;
    low->memory_of[op->results[0]->id] = (own ? spv_memory_private(low, op) : spv_memory_placed(low, op)) + 1;
  }
  if (op->code == IR_load && spv_private_of(low, op)) low->homes[op->results[0]->id].must_keep = true;
  return true;
}

/* The array's length is known last; until then only its variable has an id. */
spv_id spv_shared_variable(spv_lower *low) {
  if (!low->shared) low->shared = spv_new(&low->module);
  return low->shared;
}

spv_id spv_slab_variable(spv_lower *low) {
  if (!low->slab) {
    low->slab = storage_buffer(low, low->kernel->param_count, low->code.words, 16, true);
    spv_name(&low->module, low->slab, STR("scratch"));
    low->slab_stride = spv_new(&low->module);
  }
  return low->slab;
}

spv_id spv_slab_base(spv_lower *low) {
  spv_code *c = &low->code;
  spv_id id = spv_op2(c, SpvOpIMul, c->u32, low->workgroup, low->slab_stride);
  spv_range(c, id, 0, INT32_MAX / 2, 4);
  return id;
}

static void define_late(spv_lower *low, spv_id id, uint32_t value) {
  spv_write(&low->module, SPV_GLOBALS, SpvOpConstant, SPV_LIST(low->code.u32, id, value));
}

static void define_shared(spv_lower *low) {
  spv_module *m = &low->module;
  if (!low->shared) return;
  spv_id array = spv_type_array(m, low->code.u32, low->shared_words, 0);
  spv_id pointer = spv_type_pointer(m, SpvStorageClassWorkgroup, array);
  spv_write(m, SPV_GLOBALS, SpvOpVariable, SPV_LIST(pointer, low->shared, SpvStorageClassWorkgroup));
  spv_name(m, low->shared, STR("shared"));
}

/* ---- builtins ---- */

static spv_id builtin(spv_lower *low, SpvBuiltIn which, spv_id type) {
  spv_module *m = &low->module;
  spv_id variable = spv_variable(m, SpvStorageClassInput, type);
  spv_decorate(m, variable, SpvDecorationBuiltIn, SPV_LIST((uint32_t)which));
  VEC_PUSH(low->arena, &low->interface, variable);
  return SPV(m, SpvOpLoad, type, variable);
}

/* Member `index` of the push constants {first_unit, unit_end}. */
static spv_id push_constant(spv_lower *low, spv_id variable, uint32_t index) {
  spv_code *c = &low->code;
  spv_id type = spv_type_pointer(c->m, SpvStorageClassPushConstant, c->u32);
  return SPV(c->m, SpvOpLoad, c->u32, SPV(c->m, SpvOpAccessChain, type, variable, spv_int(c, index)));
}

static spv_id push_variable(spv_lower *low) {
  spv_code *c = &low->code;
  spv_id type = spv_type_struct(c->m, (const spv_id[]){c->u32, c->u32}, 2);
  spv_decorate(c->m, type, SpvDecorationBlock, NULL, 0);
  spv_decorate_member(c->m, type, 0, SpvDecorationOffset, 0);
  spv_decorate_member(c->m, type, 1, SpvDecorationOffset, 4);
  spv_id id = spv_variable(c->m, SpvStorageClassPushConstant, type);
  spv_name(c->m, id, STR("units"));
  return id;
}

/* ---- the unit ---- */

static uint64_t count_units(spv_lower *low, const step_grid *grid) {
  uint64_t count;
  if (step_count(grid, &count) && count <= INT32_MAX) return count;
  diag_report(low->diags, DIAG_spirv_grid_limit, low->kernel->axes[0].loc, (long long)INT32_MAX);
  spv_give_up(low);
}

/* Of the rows of the step record a kernel's grid needs the indices only. */
#define STEP_ADD(a, b) spv_add(c, a, b)
#define STEP_SUB(a, b) spv_sub(c, a, b)
#define STEP_DIV(a, b) spv_div_const(c, a, b)
#define STEP_MOD(a, b) spv_mod_const(c, a, b)
#define STEP_FIELD(name, formula)
#define STEP_AXIS(name, formula) SET_##name(formula)
#define SET_index(formula) spv_set_scalar(low, low->kernel->axes[axis].index, formula);
#define SET_axis_first(formula)
#define SET_axis_last(formula)

static void set_axis(spv_lower *low, uint32_t axis, spv_id flat, uint32_t behind, uint32_t size) {
  spv_code *c = &low->code;
#include "model/step_rules.def"
}

/* No step of an empty grid runs, but its module is valid. */
static void set_axes(spv_lower *low, const step_grid *grid, spv_id unit) {
  uint32_t behind = 1;
  for (uint32_t axis = grid->rank; axis-- > 0;) {
    uint32_t size = grid->size[axis] ? (uint32_t)grid->size[axis] : 1;
    set_axis(low, axis, unit, behind, size);
    if (__builtin_mul_overflow(behind, size, &behind)) behind = UINT32_MAX;
  }
}

static void write_body(spv_lower *low, const step_grid *grid, uint64_t unit_count, spv_id units_per_workgroup) {
  spv_code *c = &low->code;
  spv_id push = push_variable(low);
  spv_id workgroup = builtin(low, SpvBuiltInWorkgroupId, spv_type_vector(c->m, c->u32, 3));
  spv_id subgroup = low->subgroup = builtin(low, SpvBuiltInSubgroupId, c->u32);
  low->lane = builtin(low, SpvBuiltInSubgroupLocalInvocationId, c->u32);
  c->lanes = low->lanes;
  spv_set_lane(c, low->lane);
  low->workgroup = spv_extract(c, c->u32, workgroup, 0);
  spv_id first = push_constant(low, push, 0), end = push_constant(low, push, 1);
  spv_id before = spv_op2(c, SpvOpIMul, c->u32, low->workgroup, units_per_workgroup);
  spv_id unit = spv_op2(c, SpvOpIAdd, c->u32, first, before);
  if (low->subgroups == 1) unit = spv_op2(c, SpvOpIAdd, c->u32, unit, subgroup);
  if (low->subgroups > 1) spv_range(c, subgroup, 0, low->subgroups - 1, 1);
  low->runs = spv_op2(c, SpvOpULessThan, c->boolean, unit, end);
  spv_if branch = spv_code_if(c, low->runs);
  spv_range(c, unit, 0, unit_count ? (int64_t)unit_count - 1 : 0, 1);
  set_axes(low, grid, unit);
  spv_body(low, low->kernel->body);
  spv_code_end(c, &branch);
  spv_return(c->m);
}

/* Several units share a workgroup when they need no barrier: drivers start few large workgroups faster than many small
 * ones, but every processor should have some. */
static uint32_t choose_units(const spv_lower *low, uint64_t unit_count) {
  uint32_t most = low->profile.max_workgroup_size < 256 ? low->profile.max_workgroup_size : 256;
  uint64_t units = most / low->lanes;
  if (units > unit_count / 16) units = unit_count / 16;
  return low->exchanges || units == 0 ? 1 : (uint32_t)units;
}

#define SLAB_LIMIT (UINT32_C(64) << 20) /* bytes of scratch for all workgroups of one dispatch */

static void finish(spv_lower *low, spv_entry_info *info, spv_id units_per_workgroup) {
  info->units_per_workgroup = choose_units(low, info->unit_count);
  info->workgroup_size = info->units_per_workgroup * low->subgroups * low->lanes;
  define_late(low, units_per_workgroup, info->units_per_workgroup);
  define_shared(low);
  if (!low->slab) return;
  define_late(low, low->slab_stride, low->slab_words);
  uint64_t slice = (uint64_t)low->slab_words * 4, most = SLAB_LIMIT / slice;
  if (most > low->profile.max_workgroup_count) most = low->profile.max_workgroup_count;
  if (most > info->unit_count) most = info->unit_count;
  info->max_workgroups = most ? (uint32_t)most : 1;
  info->slab_bytes = slice * info->max_workgroups;
}

/* As many subgroups as there are roles, or as a workgroup may have: they take turns then. */
static bool count_roles(void *user, ir_op *op) {
  spv_lower *low = user;
  int64_t roles;
  if (op->code != IR_for || !op->attrs || !op->attrs->roles || !pass_integer(op->operands[1], &roles)) return true;
  const uint32_t most = low->profile.one_subgroup ? 1 : low->profile.max_workgroup_size / low->lanes;
  const uint32_t wanted = roles < most ? (uint32_t)roles : most;
  if (low->subgroups < wanted) low->subgroups = wanted;
  low->takes_turns = roles == 1;
  low->exchanges = low->exchanges || wanted > 1;
  return true;
}

spv_entry_info spv_lower_kernel(spv_lower *low) {
  spv_module *m = &low->module;
  const step_grid grid = step_grid_of(low->kernel);
  spv_entry_info info = {.unit_count = count_units(low, &grid)};
  spv_capability(m, SpvCapabilityGroupNonUniform);
  spv_id none = spv_type_void(m), units_per_workgroup = spv_new(m);
  declare_params(low);
  low->subgroups = 1;
  ir_walk(low->kernel->body, count_roles, low);
  ir_walk(low->kernel->body, declare_scratch, low);
  spv_place_values(low);
  low->one_copy |= info.unit_count < SPV_COPIED_UNITS;
  declare_buffers(low);
  spv_id function = spv_function_begin(m, none, spv_type_function(m, none, NULL, 0));
  spv_function_enter(m);
  write_body(low, &grid, info.unit_count, units_per_workgroup);
  if (low->profile.max_values) info.values_held = spv_values_held(low);
  spv_function_end(m);
  finish(low, &info, units_per_workgroup);
  spv_name(m, function, low->kernel->name);
  spv_entry(m, function, "main", low->interface.data, low->interface.count);
  spv_mode(m, function, SpvExecutionModeLocalSize, SPV_LIST(info.workgroup_size, 1, 1));
  info.words = spv_module_finish(m);
  return info;
}
