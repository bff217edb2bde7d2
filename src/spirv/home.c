/* Tiles that are kept: in registers at the points of their usual layout, or in memory. A tile in registers that is
 * asked for at other points is picked from when every lane has all of it, exchanged between lanes when a few shuffles
 * do (exchange.c), and otherwise written to memory once, where it was made. */
#include "pass/memory.h"
#include "spirv/lower.h"

#define SPILL_KEY 0x10004u
#define PICKED 64u /* elements that are worth picking from */

/* ---- the usual layout ---- */

static bool is_replicated(const ir_type *type) { return ir_count(type) <= SPV_REPLICATED; }

static spv_nest usual_nest(spv_lower *low, const ir_type *type) {
  int64_t extents[KILN_MAX_RANK];
  spv_extents(type, extents);
  return spv_nest_plan(low, extents, type->shape.rank, 1, (1u << type->shape.rank) - 1);
}

uint32_t spv_register_count(spv_lower *low, const ir_type *type) {
  int64_t count = 1, lanes = low->lanes;
  if (is_replicated(type)) return (uint32_t)ir_count(type);
  for (uint32_t axis = type->shape.rank; axis-- > 0;) { /* as layout_stream spreads them */
    int64_t padded = INT64_C(1) << layout_axis_bits(ir_extent(type, axis));
    if (padded > UINT32_MAX / 2 || count > UINT32_MAX / 2) return UINT32_MAX;
    count *= padded;
  }
  return (uint32_t)(count > lanes ? count / lanes : 1);
}

static void every_point(spv_lower *low, const ir_type *type, spv_points *points) {
  int64_t total = ir_count(type);
  for (int64_t i = 0; i < total; i++) {
    spv_point point = {.rank = type->shape.rank};
    int64_t rest = i;
    for (uint32_t axis = point.rank; axis-- > 0;) {
      point.at[axis] = spv_int(&low->code, rest % ir_extent(type, axis));
      rest /= ir_extent(type, axis);
    }
    VEC_PUSH(low->arena, points, point);
  }
}

void spv_register_points(spv_lower *low, const ir_type *type, spv_points *points) {
  points->count = 0;
  if (is_replicated(type)) {
    every_point(low, type, points);
    return;
  }
  spv_nest nest = usual_nest(low, type);
  uint32_t all = (1u << nest.rank) - 1, count = spv_nest_count(&nest, all);
  for (uint32_t i = 0; i < count; i++) {
    spv_point point;
    if (spv_nest_point(low, &nest, all, i, &point)) VEC_PUSH(low->arena, points, point);
  }
}

void spv_set_registers(spv_lower *low, const ir_value *value, const spv_points *points, const spv_id *ids) {
  spv_home *home = &low->homes[value->id];
  *home = (spv_home){.kind = SPV_REGISTERS, .replicated = true, .level = spv_level(&low->code)};
  for (size_t i = 0; i < points->count; i++) {
    spv_point at = points->data[i];
    int64_t known;
    for (uint32_t axis = 0; axis < at.rank; axis++) {
      if (ir_extent(&value->type, axis) == 1) at.at[axis] = spv_int(&low->code, 0);
      home->replicated &= spv_is_int(&low->code, at.at[axis], &known);
    }
    uint32_t key[2 + KILN_MAX_RANK];
    size_t count = spv_eval_key(value, &at, key);
    spv_memorize(&low->code, key, count, ids[i], home->level);
    VEC_PUSH(low->arena, &home->points, at);
    VEC_PUSH(low->arena, &home->ids, ids[i]);
  }
}

void spv_set_scalar(spv_lower *low, const ir_value *value, spv_id id) {
  spv_point none = {.rank = 0};
  spv_points one = {.data = &none, .count = 1};
  spv_set_registers(low, value, &one, &id);
}

/* ---- memory ---- */

/* All of it but where it is. */
static spv_memory describe(spv_lower *low, ir_dtype dtype, const kiln_layout *order, const int64_t *extents,
                           uint32_t rank, loc at, uint32_t *words) {
  spv_memory memory = {.written = true, .rank = rank, .binding = low->kernel->param_count};
  ir_address *address = ARENA_NEW(low->arena, ir_address);
  memory.address = address;
  bool countable = ir_address_of(order, extents, rank, address);
  *words = countable ? pass_device_words(dtype, address->elements, &memory.spare) : 0;
  if (*words > 0) return memory;
  diag_report(low->diags, DIAG_spirv_scratch_limit, at, (long long)DEVICE_TILE_MOST);
  spv_give_up(low);
}

static uint32_t add_memory(spv_lower *low, spv_memory *memory, bool shared, uint32_t offset, uint32_t words) {
  uint32_t *used = shared ? &low->shared_words : &low->slab_words;
  if (offset + words > *used) *used = offset + words;
  memory->kind = shared ? SPV_SHARED : SPV_SLAB;
  memory->offset = offset;
  memory->variable = shared ? spv_shared_variable(low) : spv_slab_variable(low);
  low->exchanges = true;
  VEC_PUSH(low->arena, &low->memories, *memory);
  return (uint32_t)low->memories.count - 1;
}

uint32_t spv_memory_new(spv_lower *low, ir_dtype dtype, const int64_t *extents, uint32_t rank, loc at) {
  uint32_t words;
  spv_memory memory = describe(low, dtype, &(kiln_layout){0}, extents, rank, at, &words);
  bool shared = low->shared_words + words <= low->profile.shared_memory / 4;
  return add_memory(low, &memory, shared, shared ? low->shared_words : low->slab_words, words);
}

uint32_t spv_memory_placed(spv_lower *low, const ir_op *scratch) {
  const ir_type *type = &scratch->results[0]->type;
  int64_t extents[KILN_MAX_RANK];
  uint32_t words;
  spv_extents(type, extents);
  spv_memory memory =
      describe(low, type->dtype, &scratch->attrs->layout, extents, type->shape.rank, scratch->loc, &words);
  bool shared = scratch->attrs->space != IR_SPACE_GMEM;
  uint32_t made = add_memory(low, &memory, shared, (uint32_t)(scratch->attrs->offset / 4), words);
  low->placed_words = low->shared_words;
  return made;
}

bool spv_share_words(const spv_lower *low, uint32_t one, uint32_t other) {
  const spv_memory *a = &low->memories.data[one], *b = &low->memories.data[other];
  return a->kind == b->kind && (a->kind == SPV_SHARED || a->kind == SPV_SLAB) && a->offset < b->offset + b->spare + 4 &&
         b->offset < a->offset + a->spare + 4;
}

static uint32_t memory_for(spv_lower *low, const ir_value *value) {
  int64_t extents[KILN_MAX_RANK];
  spv_extents(&value->type, extents);
  loc at = value->def ? value->def->loc : low->kernel->loc;
  return spv_memory_new(low, value->type.dtype, extents, value->type.shape.rank, at);
}

void spv_set_memory(spv_lower *low, const ir_value *value) {
  low->homes[value->id] = (spv_home){.kind = SPV_MEMORY, .memory = memory_for(low, value)};
}

typedef struct fill_nest {
  const ir_value *from;
  uint32_t memory;
  spv_nest nest;
} fill_nest;

static void fill_strip(spv_lower *low, void *user) {
  fill_nest *f = user;
  uint32_t all = (1u << f->nest.rank) - 1, count = spv_nest_count(&f->nest, all);
  for (uint32_t i = 0; i < count; i++) {
    spv_point point;
    if (!spv_nest_point(low, &f->nest, all, i, &point)) continue;
    spv_place place = spv_memory_place(low, f->memory, &f->from->type, &point);
    spv_id value = spv_eval(low, f->from, &point);
    spv_store(low, &place, &value, 1, f->from->type.dtype);
  }
}

void spv_to_memory(spv_lower *low, const ir_value *from, uint32_t memory) {
  int64_t extents[KILN_MAX_RANK];
  spv_extents(&from->type, extents);
  fill_nest f = {.from = from, .memory = memory};
  spv_prepare(low, from);
  spv_before_write(low, memory);
  f.nest = spv_nest_plan(low, extents, from->type.shape.rank, SPV_STRIP, 0);
  spv_nest_walk(low, &f.nest, (1u << f.nest.rank) - 1, NULL, fill_strip, &f);
}

void spv_materialize(spv_lower *low, const ir_value *value) {
  spv_prepare(low, value);
  if (spv_register_count(low, &value->type) > SPV_KEEP) {
    uint32_t memory = memory_for(low, value);
    spv_to_memory(low, value, memory);
    low->homes[value->id] = (spv_home){.kind = SPV_MEMORY, .memory = memory};
    return;
  }
  spv_points points = {0};
  spv_register_points(low, &value->type, &points);
  spv_id *ids = ARENA_ARRAY(low->arena, spv_id, points.count + 1);
  for (size_t i = 0; i < points.count; i++) ids[i] = spv_eval(low, value, &points.data[i]);
  spv_set_registers(low, value, &points, ids);
}

/* ---- results, element by element ---- */

spv_sink spv_sink_open(spv_lower *low, const ir_value *value) {
  spv_sink sink = {.value = value};
  sink.registers = ir_count(&value->type) > 0 && spv_register_count(low, &value->type) <= SPV_KEEP;
  if (sink.registers) return sink;
  spv_set_memory(low, value);
  spv_before_write(low, low->homes[value->id].memory);
  return sink;
}

void spv_sink_keep(spv_lower *low, spv_sink *sink, const spv_point *point, spv_id id, spv_id inside) {
  if (!sink->value) return;
  if (sink->registers) {
    VEC_PUSH(low->arena, &sink->points, *point);
    VEC_PUSH(low->arena, &sink->ids, id);
    return;
  }
  spv_place place = spv_memory_place(low, low->homes[sink->value->id].memory, &sink->value->type, point);
  place.inside = spv_both(&low->code, place.inside, inside);
  spv_store(low, &place, &id, 1, sink->value->type.dtype);
}

void spv_sink_close(spv_lower *low, spv_sink *sink) {
  if (sink->value && sink->registers) spv_set_registers(low, sink->value, &sink->points, sink->ids.data);
}

/* ---- registers asked for elsewhere ---- */

static spv_id pick(spv_lower *low, const ir_value *value, const spv_home *home, const spv_point *point) {
  spv_code *c = &low->code;
  spv_id result = home->ids.data[0], type = spv_num_type(low, value->type.dtype);
  for (size_t i = 1; i < home->ids.count; i++) {
    spv_id same = 0;
    for (uint32_t axis = 0; axis < point->rank; axis++)
      if (ir_extent(&value->type, axis) > 1)
        same = spv_both(c, same, spv_op2(c, SpvOpIEqual, c->boolean, point->at[axis], home->points.data[i].at[axis]));
    result = spv_select(c, type, same, home->ids.data[i], result);
  }
  return result;
}

/* Written where the registers were made, as far out as that is; padded, so that lanes past the end need no mask. */
static uint32_t spill(spv_lower *low, const ir_value *value, const spv_home *home) {
  spv_code *c = &low->code;
  int64_t padded[KILN_MAX_RANK];
  for (uint32_t axis = 0; axis < value->type.shape.rank; axis++)
    padded[axis] = INT64_C(1) << layout_axis_bits(ir_extent(&value->type, axis));
  loc at = value->def ? value->def->loc : low->kernel->loc;
  uint32_t memory = spv_memory_new(low, value->type.dtype, padded, value->type.shape.rank, at);
  spv_detour detour = spv_detour_begin(c, home->level);
  spv_barrier(low);
  for (size_t i = 0; i < home->ids.count; i++) {
    spv_place place = spv_element_place(low, memory, &home->points.data[i], 0);
    spv_store(low, &place, &home->ids.data[i], 1, value->type.dtype);
  }
  spv_barrier(low);
  const uint32_t key[] = {SPILL_KEY, value->id};
  spv_memorize(c, key, 2, memory + 1, spv_level(c));
  spv_detour_end(c, &detour);
  return memory;
}

spv_id spv_home_eval(spv_lower *low, const ir_value *value, const spv_point *point) {
  const spv_home home = low->homes[value->id];
  uint32_t memory = home.memory;
  if (home.kind == SPV_REGISTERS) {
    if (home.replicated && home.ids.count <= PICKED) return pick(low, value, &home, point);
    spv_id moved = spv_exchange(low, value, &home, point);
    if (moved) return moved;
    const uint32_t key[] = {SPILL_KEY, value->id};
    spv_id found = spv_recall(&low->code, key, 2);
    memory = found ? found - 1 : spill(low, value, &home);
  }
  spv_place place = spv_memory_place(low, memory, &value->type, point);
  return spv_load(low, &place, value->type.dtype, spv_num_const(low, value->type.dtype, 0));
}
