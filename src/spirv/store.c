/* Writing memory: elements become words, neighbouring words become vectors, parts of words become atomic updates. */
#include "spirv/lower.h"

/* A word to write: where, what, under which condition (0: always). */
typedef struct write {
  spv_id index, word, inside;
} write;
#define MAX_WRITES 32

/* ---- words ---- */

/* The index to write at when `inside` may fail. */
spv_id spv_spare_word(spv_lower *low, spv_memory *memory, spv_id inside) {
  if (inside) memory->uses_spare = true;
  return spv_word_index(low, memory, spv_int(&low->code, memory->spare));
}

/* What must not be written goes to the memory's spare words: without branches the code stays one block, which the
 * compilers of CPU drivers take far less time for. */
static void write_word(spv_lower *low, spv_memory *memory, const write *one) {
  spv_code *c = &low->code;
  spv_id index = spv_select(c, c->u32, one->inside, one->index, spv_spare_word(low, memory, one->inside));
  SPV_DO(c->m, SpvOpStore, spv_word_pointer(low, memory, index), one->word);
}

/* Whether four writes fill one vector: consecutive, aligned, all under one condition. */
static bool fills_vector(spv_lower *low, const spv_memory *memory, const write *four) {
  int64_t component;
  if (memory->kind == SPV_SHARED || !spv_component_of(low, memory, four[0].index, &component) || component)
    return false;
  for (int k = 1; k < 4; k++) {
    if (four[k].inside != four[0].inside) return false;
    if (four[k].index != spv_add(&low->code, four[0].index, spv_int(&low->code, k))) return false;
  }
  return true;
}

static void write_vector(spv_lower *low, spv_memory *memory, const write *four) {
  spv_code *c = &low->code;
  const uint32_t parts[] = {four[0].word, four[1].word, four[2].word, four[3].word};
  spv_id vector = spv_pure(c, SpvOpCompositeConstruct, c->words, parts, 4, 0, 4);
  spv_id spare = spv_div_const(c, spv_spare_word(low, memory, four[0].inside), 4);
  spv_id group = spv_select(c, c->u32, four[0].inside, spv_div_const(c, four[0].index, 4), spare);
  SPV_DO(c->m, SpvOpStore, spv_group_pointer(low, memory, group), vector);
}

static void write_all(spv_lower *low, spv_memory *memory, const write *writes, uint32_t count) {
  for (uint32_t i = 0; i < count;) {
    if (i + 4 <= count && fills_vector(low, memory, writes + i)) {
      write_vector(low, memory, writes + i);
      i += 4;
    } else {
      write_word(low, memory, &writes[i++]);
    }
  }
}

/* ---- parts of words ---- */

/* Replaces `bits` bits of a word that other lanes may be writing the rest of. */
static void write_part(spv_lower *low, spv_memory *memory, const spv_place *place, spv_id packed, uint32_t bits) {
  spv_code *c = &low->code;
  uint32_t per_word = 32 / bits;
  spv_id shift = spv_mul(c, spv_mod_const(c, place->element, per_word), spv_int(c, bits));
  spv_id field = spv_op2(c, SpvOpShiftLeftLogical, c->u32, spv_int(c, (1 << bits) - 1), shift);
  spv_id kept = spv_op1(c, SpvOpNot, c->u32, field);
  spv_id moved = spv_op2(c, SpvOpShiftLeftLogical, c->u32, packed, shift);
  spv_id index = spv_word_index(low, memory, spv_div_const(c, place->element, per_word));
  index = spv_select(c, c->u32, place->inside, index, spv_spare_word(low, memory, place->inside));
  spv_id pointer = spv_word_pointer(low, memory, index), scope = spv_int(c, SpvScopeDevice), relaxed = spv_int(c, 0);
  SPV(c->m, SpvOpAtomicAnd, c->u32, pointer, scope, relaxed, kept);
  SPV(c->m, SpvOpAtomicOr, c->u32, pointer, scope, relaxed, moved);
}

/* Whether `count` places fill one word: consecutive, aligned, all under one condition. */
static bool fills_word(spv_lower *low, const spv_place *places, uint32_t count) {
  spv_code *c = &low->code;
  int64_t part;
  if (spv_fact_of(c, places[0].element)->low < 0) return false;
  if (!spv_is_int(c, spv_mod_const(c, places[0].element, count), &part) || part) return false;
  for (uint32_t k = 1; k < count; k++)
    if (places[k].inside != places[0].inside || places[k].element != spv_add(c, places[0].element, spv_int(c, k)))
      return false;
  return true;
}

static spv_id join_parts(spv_lower *low, const spv_id *packed, uint32_t count, uint32_t bits) {
  spv_code *c = &low->code;
  spv_id word = packed[0];
  for (uint32_t k = 1; k < count; k++) {
    spv_id moved = spv_op2(c, SpvOpShiftLeftLogical, c->u32, packed[k], spv_int(c, (int64_t)k * bits));
    word = spv_op2(c, SpvOpBitwiseOr, c->u32, word, moved);
  }
  return word;
}

static void store_narrow(spv_lower *low, spv_memory *memory, const spv_place *places, const spv_id *packed,
                         uint32_t count, uint32_t bits) {
  uint32_t per_word = 32 / bits, used = 0;
  write writes[MAX_WRITES];
  for (uint32_t i = 0; i < count;) {
    if (i + per_word > count || !fills_word(low, places + i, per_word)) {
      write_part(low, memory, &places[i], packed[i], bits);
      i++;
      continue;
    }
    spv_id word = spv_div_const(&low->code, places[i].element, per_word);
    spv_id joined = join_parts(low, packed + i, per_word, bits);
    writes[used++] = (write){spv_word_index(low, memory, word), joined, places[i].inside};
    i += per_word;
  }
  write_all(low, memory, writes, used);
}

void spv_store(spv_lower *low, const spv_place *places, const spv_id *values, uint32_t count, ir_dtype dtype) {
  spv_code *c = &low->code;
  spv_memory *memory = &low->memories.data[places[0].memory];
  uint32_t bits = spv_element_bits(memory, dtype), used = 0;
  write writes[MAX_WRITES];
  spv_id packed[MAX_WRITES / 2];
  for (uint32_t i = 0; i < count; i++) {
    if (bits == 64) {
      spv_id first = spv_word_index(low, memory, spv_shl_const(c, places[i].element, 1)), lower, upper;
      spv_num_halves(low, values[i], &lower, &upper);
      writes[used++] = (write){first, lower, places[i].inside};
      writes[used++] = (write){spv_add(c, first, spv_int(c, 1)), upper, places[i].inside};
    } else {
      packed[i] = spv_num_pack(low, dtype, values[i]);
      writes[used++] = (write){spv_word_index(low, memory, places[i].element), packed[i], places[i].inside};
    }
  }
  if (bits < 32 && memory->packed)
    store_narrow(low, memory, places, packed, count, bits);
  else
    write_all(low, memory, writes, used);
  memory->version++;
  memory->dirty = true;
}

/* ---- the op ---- */

typedef struct store_nest {
  const ir_op *op;
  const ir_value *value, *mask;
  spv_nest nest;
} store_nest;

static void store_strip(spv_lower *low, void *user) {
  store_nest *s = user;
  spv_code *c = &low->code;
  uint32_t all = (1u << s->nest.rank) - 1, count = spv_nest_count(&s->nest, all), used = 0;
  uint32_t vector = s->nest.axes[s->nest.rank - 1].vector;
  spv_place *places = ARENA_ARRAY(low->arena, spv_place, count);
  spv_id *values = ARENA_ARRAY(low->arena, spv_id, count);
  for (uint32_t i = 0; i < count; i++) { /* everything is read before anything is written */
    spv_point point;
    if (!spv_nest_point(low, &s->nest, all, i, &point)) continue;
    values[used] = spv_eval(low, s->value, &point);
    places[used] = spv_access_place(low, s->op, &point);
    spv_id inside = spv_both(c, places[used].inside, spv_point_inside(low, &s->nest, &point));
    places[used].inside = s->mask ? spv_both(c, inside, spv_eval_like(low, s->mask, &point)) : inside;
    used += places[used].inside != spv_const_bool(c->m, false);
  }
  for (uint32_t i = 0; i < used; i += vector)
    spv_store(low, places + i, values + i, used - i < vector ? used - i : vector, s->value->type.dtype);
}

/* One element: every lane has it, lane 0 writes it. */
static void store_scalar(spv_lower *low, const store_nest *s) {
  spv_code *c = &low->code;
  spv_point none = {.rank = 0};
  spv_id value = spv_eval_scalar(low, s->value);
  spv_place place = spv_access_place(low, s->op, &none);
  if (s->mask) place.inside = spv_both(c, place.inside, spv_eval_scalar(low, s->mask));
  place.inside = spv_both(c, spv_op2(c, SpvOpIEqual, c->boolean, low->lane, spv_int(c, 0)), place.inside);
  spv_store(low, &place, &value, 1, s->value->type.dtype);
}

/* Elements of part of a word that do not follow one another: each takes two atomic updates. */
static bool is_scattered(spv_lower *low, const ir_op *op) {
  const spv_memory *memory = &low->memories.data[spv_memory_of_ref(low, op->operands[0])];
  uint32_t count = op->attrs->index_count, bits = spv_element_bits(memory, op->operands[1]->type.dtype);
  if (count == 0 || bits >= 32 || !memory->packed) return false;
  return op->attrs->index[count - 1].point || op->attrs->index[count - 1].stride != 1;
}

void spv_store_op(spv_lower *low, const ir_op *op) {
  if (spv_private_of(low, op)) {
    spv_private_store(low, op);
    return;
  }
  store_nest s = {.op = op, .value = op->operands[1]};
  if (op->attrs->masked) s.mask = op->operands[op->operand_count - 1];
  uint32_t cost = spv_access_cost(low, op->operands[0]) + (is_scattered(low, op) ? 8 : 0);
  for (uint32_t i = 1; i < op->operand_count; i++) cost += spv_prepare(low, op->operands[i]);
  spv_before_write(low, spv_memory_of_ref(low, op->operands[0]));
  if (s.value->type.shape.rank == 0) {
    store_scalar(low, &s);
    return;
  }
  int64_t extents[KILN_MAX_RANK];
  uint32_t rank = s.value->type.shape.rank, all = (1u << rank) - 1;
  spv_effort effort = spv_effort_of(cost);
  spv_extents(&s.value->type, extents);
  const uint32_t registers = spv_register_count(low, &s.value->type), whole = effort.whole;
  const bool kept = low->in_role && low->homes[s.value->id].kind == SPV_REGISTERS;
  bool flat = registers <= (kept ? PASS_ROLE_KEEPS : whole);
  s.nest = spv_nest_plan(low, extents, rank, effort.strip, flat ? all : 0);
  spv_nest_walk(low, &s.nest, all, NULL, store_strip, &s);
}
