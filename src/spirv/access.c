/* Refs and memory: from coordinates through views to words; aligned runs of four words as one vector; elements narrower
 * than a word; barriers where other lanes have written. */
#include "spirv/lower.h"

enum { LOAD_VECTOR_KEY = 0x10002, LOAD_WORD_KEY = 0x10003 };

/* ---- from refs to elements ---- */

/* `number`: the element's coordinates among the arrays of the access. */
static spv_id start_of(spv_lower *low, const ir_op *op, const ir_index *index, const spv_point *number) {
  if (index->operand < 0) return spv_int(&low->code, index->start->value);
  const ir_value *start = op->operands[index->operand];
  return start->type.shape.rank ? spv_eval(low, start, number) : spv_eval_scalar(low, start);
}

/* The coordinates in the ref under `op` (a load, a store, a view) of an element of its result. */
static spv_point step_into(spv_lower *low, const ir_op *op, const spv_point *element) {
  spv_code *c = &low->code;
  spv_point outer = {.rank = op->attrs->index_count}, number = {.rank = 0};
  uint32_t ranges = 0, arrays_at = 0;
  const ir_shape *arrays = ir_access_arrays(op, &arrays_at);
  while (arrays && number.rank < arrays->rank)
    number.at[number.rank] = element->at[arrays_at + number.rank], number.rank++;
  for (uint32_t d = 0; d < outer.rank; d++) {
    const ir_index *index = &op->attrs->index[d];
    outer.at[d] = start_of(low, op, index, &number);
    if (index->point) continue;
    uint32_t axis = ranges++;
    if (axis >= arrays_at) axis += number.rank;
    outer.at[d] = spv_add(c, outer.at[d], spv_mul(c, element->at[axis], spv_int(c, index->stride)));
  }
  return outer;
}

static spv_id all_inside(spv_lower *low, const ir_type *type, const spv_point *at, spv_id inside) {
  for (uint32_t axis = 0; axis < at->rank; axis++)
    inside = spv_both(&low->code, inside, spv_inside(low, at->at[axis], ir_extent(type, axis)));
  return inside;
}

/* Where an index is negative nothing is touched: any digit will do. */
static spv_id digit_of(spv_code *c, const ir_digit *d, spv_id index) {
  if (d->divisor == 1 && !d->modulus) return index;
  if (spv_fact_of(c, index)->low < 0) index = spv_and_const(c, index, INT32_MAX);
  index = spv_div_const(c, index, (uint32_t)d->divisor);
  return d->modulus ? spv_mod_const(c, index, (uint32_t)d->modulus) : index;
}

spv_place spv_element_place(spv_lower *low, uint32_t memory, const spv_point *at, spv_id inside) {
  spv_code *c = &low->code;
  const ir_address *address = low->memories.data[memory].address;
  spv_id element = spv_int(c, 0);
  for (uint32_t k = address->count; k-- > 0;) {
    const ir_digit *d = &address->digits[k];
    element = spv_add(c, element, spv_mul(c, digit_of(c, d, at->at[d->dim]), spv_int(c, d->stride)));
  }
  return (spv_place){.memory = memory, .element = element, .inside = inside};
}

uint32_t spv_memory_of_ref(spv_lower *low, const ir_value *ref) { return low->memory_of[ir_root_ref(ref)->id] - 1; }

spv_place spv_access_place(spv_lower *low, const ir_op *op, const spv_point *element) {
  spv_point at = step_into(low, op, element);
  const ir_value *ref = op->operands[0];
  spv_id inside = all_inside(low, &ref->type, &at, 0);
  while (ref->def && ref->def->code == IR_view) {
    at = step_into(low, ref->def, &at);
    ref = ref->def->operands[0];
    inside = all_inside(low, &ref->type, &at, inside);
  }
  return spv_element_place(low, low->memory_of[ref->id] - 1, &at, inside);
}

spv_place spv_memory_place(spv_lower *low, uint32_t memory, const ir_type *type, const spv_point *at) {
  return spv_element_place(low, memory, at, all_inside(low, type, at, 0));
}

/* ---- words ---- */

/* Index of a word in the memory's variable. */
spv_id spv_word_index(spv_lower *low, const spv_memory *memory, spv_id word) {
  spv_code *c = &low->code;
  word = spv_add(c, word, spv_int(c, memory->offset));
  return memory->kind == SPV_SLAB ? spv_add(c, spv_slab_base(low), word) : word;
}

spv_id spv_word_pointer(spv_lower *low, const spv_memory *memory, spv_id index) {
  spv_code *c = &low->code;
  if (memory->kind == SPV_SHARED)
    return spv_op2(c, SpvOpAccessChain, spv_type_pointer(c->m, SpvStorageClassWorkgroup, c->u32), memory->variable,
                   index);
  spv_id type = spv_type_pointer(c->m, SpvStorageClassStorageBuffer, c->u32),
         single = spv_single_words(low, memory->binding);
  return spv_op3(c, SpvOpAccessChain, type, single, spv_int(c, 0), index);
}

/* Of 64 bits that begin at a word with an even index. */
spv_id spv_pair_pointer(spv_lower *low, const spv_memory *memory, spv_id index) {
  spv_code *c = &low->code;
  spv_id type = spv_type_pointer(c->m, SpvStorageClassStorageBuffer, spv_num_type(low, IR_U64)),
         pairs = spv_word_pairs(low, memory->binding);
  return spv_op3(c, SpvOpAccessChain, type, pairs, spv_int(c, 0), spv_shr_const(c, index, 1));
}

spv_id spv_group_pointer(spv_lower *low, const spv_memory *memory, spv_id group) {
  spv_code *c = &low->code;
  spv_id type = spv_type_pointer(c->m, SpvStorageClassStorageBuffer, c->words);
  return spv_op3(c, SpvOpAccessChain, type, memory->variable, spv_int(c, 0), group);
}

/* Where nothing is ever written a load is as pure as arithmetic; elsewhere it holds until the memory's version changes.
 */
static spv_id load_from(spv_lower *low, const spv_memory *memory, uint32_t kind, spv_id type, spv_id pointer) {
  spv_code *c = &low->code;
  if (!memory->written) return spv_op1(c, SpvOpLoad, type, pointer);
  /* Memories that share words share pointers. */
  const uint32_t key[] = {kind, pointer, (uint32_t)(memory - low->memories.data), memory->version};
  spv_id id = spv_recall(c, key, 4);
  if (id) return id;
  id = SPV(c->m, SpvOpLoad, type, pointer);
  spv_here(c, id);
  spv_memorize(c, key, 4, id, spv_level(c));
  return id;
}

/* Whether four words that begin where index does lie in one vector: its component, or false. */
bool spv_component_of(spv_lower *low, const spv_memory *memory, spv_id index, int64_t *component) {
  if (memory->kind == SPV_SHARED || spv_fact_of(&low->code, index)->low < 0) return false;
  return spv_is_int(&low->code, spv_mod_const(&low->code, index, 4), component);
}

static spv_id load_word(spv_lower *low, const spv_memory *memory, spv_id word, spv_id inside) {
  spv_code *c = &low->code;
  spv_id index = spv_word_index(low, memory, word), zero = spv_int(c, 0);
  int64_t component;
  if (!spv_component_of(low, memory, index, &component)) {
    index = spv_select(c, c->u32, inside, index, spv_word_index(low, memory, zero));
    return load_from(low, memory, LOAD_WORD_KEY, c->u32, spv_word_pointer(low, memory, index));
  }
  spv_id group = spv_select(c, c->u32, inside, spv_div_const(c, index, 4), zero);
  spv_id vector = load_from(low, memory, LOAD_VECTOR_KEY, c->words, spv_group_pointer(low, memory, group));
  return spv_extract(c, c->u32, vector, (uint32_t)component);
}

uint32_t spv_element_bits(const spv_memory *memory, ir_dtype dtype) {
  return memory->element_bits ? memory->element_bits : ir_dtype_get(dtype)->stored;
}

/* ---- loads ---- */

spv_id spv_load(spv_lower *low, const spv_place *place, ir_dtype dtype, spv_id otherwise) {
  spv_code *c = &low->code;
  spv_memory *memory = &low->memories.data[place->memory];
  uint32_t bits = spv_element_bits(memory, dtype);
  if (place->inside == spv_const_bool(c->m, false)) return otherwise;
  memory->read = true;
  spv_id value;
  if (bits == 64) {
    spv_id first = spv_shl_const(c, place->element, 1);
    spv_id lower = load_word(low, memory, first, place->inside);
    value = spv_num_join(low, dtype, lower, load_word(low, memory, spv_add(c, first, spv_int(c, 1)), place->inside));
  } else if (bits == 32 || !memory->packed) {
    value = spv_num_unpack(low, dtype, load_word(low, memory, place->element, place->inside));
  } else {
    uint32_t per_word = 32 / bits;
    spv_id word = load_word(low, memory, spv_div_const(c, place->element, per_word), place->inside);
    spv_id shift = spv_mul(c, spv_mod_const(c, place->element, per_word), spv_int(c, bits));
    spv_id moved = spv_op2(c, SpvOpShiftRightLogical, c->u32, word, shift);
    value = spv_num_unpack(low, dtype, spv_and_const(c, moved, (1u << bits) - 1));
  }
  return spv_select(c, spv_num_type(low, dtype), place->inside, value, otherwise);
}

spv_id spv_load_op(spv_lower *low, const ir_op *op, const spv_point *element) {
  ir_dtype dtype = op->results[0]->type.dtype;
  spv_place place = spv_access_place(low, op, element);
  spv_id fill = spv_num_const(low, dtype, ir_fill_bits(dtype));
  if (!op->attrs->masked) return spv_load(low, &place, dtype, fill);
  uint32_t last = op->operand_count - 1;
  const ir_value *mask = op->operands[op->attrs->other ? last - 1 : last];
  spv_id hidden = op->attrs->other ? spv_eval_like(low, op->operands[last], element) : spv_num_const(low, dtype, 0);
  spv_id shown = spv_eval_like(low, mask, element), reach = place.inside;
  place.inside = spv_both(&low->code, reach, shown);
  if (!reach) return spv_load(low, &place, dtype, hidden);
  return spv_load(low, &place, dtype, spv_select(&low->code, spv_num_type(low, dtype), shown, fill, hidden));
}

/* A mask or a fill may be a scalar for the whole tile. */
spv_id spv_eval_like(spv_lower *low, const ir_value *value, const spv_point *element) {
  return value->type.shape.rank == 0 ? spv_eval_scalar(low, value) : spv_eval(low, value, element);
}
