/* Atomics: elements of a ref changed with nothing in between. Whole words of integers, of 32 or 64 bits, have
 * instructions; everything else is tried until no other lane came first. */
#include "pass/util.h"
#include "spirv/lower.h"

typedef struct atomic {
  const ir_op *op;
  const ir_value *value, *mask, *expected;
  ir_dtype dtype;
  spv_nest nest;
  bool keeps; /* somebody wants what was there */
  bool looks; /* .. and nothing changes */
  spv_sink sink;
} atomic;

/* One element: its word, and where in the word it lies. */
typedef struct spot {
  spv_id pointer, shift; /* shift 0: all of the word */
  spv_id word;           /* the type: u32, or u64 */
  uint32_t bits;
} spot;

static spot find_spot(spv_lower *low, const spv_place *place, ir_dtype dtype) {
  spv_code *c = &low->code;
  spv_memory *memory = &low->memories.data[place->memory];
  spot s = {.bits = spv_element_bits(memory, dtype), .word = c->u32};
  spv_id word = place->element;
  const bool pair = s.bits == 64;
  if (pair) word = spv_shl_const(c, word, 1);
  if (s.bits < 32 && memory->packed) {
    const uint32_t per_word = 32 / s.bits;
    s.shift = spv_mul(c, spv_mod_const(c, word, per_word), spv_int(c, s.bits));
    word = spv_div_const(c, word, per_word);
  }
  spv_id index = spv_word_index(low, memory, word);
  index = spv_select(c, c->u32, place->inside, index, spv_spare_word(low, memory, place->inside));
  if (pair) s.word = spv_num_type(low, IR_U64);
  s.pointer = pair ? spv_pair_pointer(low, memory, index) : spv_word_pointer(low, memory, index);
  return s;
}

static bool is_wide(ir_dtype dtype) { return ir_dtype_get(dtype)->bits == 64; }

/* An element's bits, in a word of their own. */
static spv_id bits_of(spv_lower *low, ir_dtype dtype, spv_id value) {
  return is_wide(dtype) ? spv_num_bitcast(low, dtype, IR_U64, value) : spv_num_pack(low, dtype, value);
}

/* The element in a word, and a word with another one in its place. */
static spv_id take_out(spv_lower *low, const spot *s, ir_dtype dtype, spv_id word) {
  spv_code *c = &low->code;
  if (is_wide(dtype)) return spv_num_bitcast(low, IR_U64, dtype, word);
  if (s->shift) {
    word = spv_op2(c, SpvOpShiftRightLogical, c->u32, word, s->shift);
    word = spv_and_const(c, word, (1u << s->bits) - 1);
  }
  return spv_num_unpack(low, dtype, word);
}

static spv_id put_in(spv_lower *low, const spot *s, ir_dtype dtype, spv_id word, spv_id value) {
  spv_code *c = &low->code;
  spv_id packed = bits_of(low, dtype, value);
  if (!s->shift) return packed;
  spv_id field = spv_op2(c, SpvOpShiftLeftLogical, c->u32, spv_int(c, (1 << s->bits) - 1), s->shift);
  spv_id kept = spv_op2(c, SpvOpBitwiseAnd, c->u32, word, spv_op1(c, SpvOpNot, c->u32, field));
  return spv_op2(c, SpvOpBitwiseOr, c->u32, kept, spv_op2(c, SpvOpShiftLeftLogical, c->u32, packed, s->shift));
}

/* ---- one instruction ---- */

static SpvOp instruction(const atomic *a) {
  const bool sign = ir_dtype_get(a->dtype)->class == IR_CLASS_SINT;
  if (a->expected) return SpvOpNop;
  switch (a->op->attrs->combine) {
    case 0: return SpvOpAtomicExchange;
    case 1 + IR_add: return SpvOpAtomicIAdd;
    case 1 + IR_and: return SpvOpAtomicAnd;
    case 1 + IR_or: return SpvOpAtomicOr;
    case 1 + IR_xor: return SpvOpAtomicXor;
    case 1 + IR_max: return sign ? SpvOpAtomicSMax : SpvOpAtomicUMax;
    case 1 + IR_min: return sign ? SpvOpAtomicSMin : SpvOpAtomicUMin;
    default: return SpvOpNop;
  }
}

/* What lies in shared memory is ordered among those who share it. */
static spv_id scope_of(spv_lower *low, const atomic *a, uint32_t memory) {
  const bool shared = a->op->attrs->order && low->memories.data[memory].kind == SPV_SHARED;
  return spv_int(&low->code, shared ? SpvScopeWorkgroup : SpvScopeDevice);
}

static spv_id semantics_of(spv_lower *low, const atomic *a) {
  static const uint32_t masks[] = {[IR_ORDER_NONE] = 0,
                                   [IR_ORDER_ACQUIRE] = SpvMemorySemanticsAcquireMask | SPV_ALL_MEMORY,
                                   [IR_ORDER_RELEASE] = SpvMemorySemanticsReleaseMask | SPV_ALL_MEMORY};
  return spv_int(&low->code, masks[a->op->attrs->order]);
}

static bool has_instruction(const atomic *a) {
  const ir_dtype_info *info = ir_dtype_get(a->dtype);
  return info->bits >= 32 && info->class != IR_CLASS_FLOAT && instruction(a) != SpvOpNop;
}

static spv_id made_here(spv_lower *low, spv_id id) {
  spv_here(&low->code, id);
  return id;
}

/* ---- until nobody came first ---- */

static spv_id changed(spv_lower *low, const atomic *a, spv_id old, spv_id value, spv_id expected) {
  spv_code *c = &low->code;
  const spv_id pair[] = {old, value};
  if (a->op->attrs->combine && !expected)
    return spv_map(low, (ir_code)(a->op->attrs->combine - 1), a->dtype, pair, a->op->loc);
  if (!expected) return value;
  spv_id found = bits_of(low, a->dtype, old), wanted = bits_of(low, a->dtype, expected);
  spv_id same = spv_op2(c, SpvOpIEqual, c->boolean, found, wanted);
  return spv_select(c, spv_num_type(low, a->dtype), same, value, old);
}

/* Loops while the word is not what it was when the new one was computed. Gives the word that was replaced. */
static spv_id try_until(spv_lower *low, const atomic *a, const spot *s, spv_id value, spv_id expected) {
  spv_code *c = &low->code;
  spv_id scope = spv_int(c, SpvScopeDevice), relaxed = spv_int(c, 0);
  spv_id first = made_here(low, SPV(c->m, SpvOpAtomicLoad, s->word, s->pointer, scope, relaxed));
  spv_loop loop = spv_code_loop(c);
  spv_id phis[2], next[2];
  phis[0] = spv_code_phi(c, &loop, s->word, first);
  phis[1] = spv_code_phi(c, &loop, c->boolean, spv_const_bool(c->m, true));
  spv_loop_test(c->m, &loop, false);
  spv_loop_body(c->m, &loop, phis[1]);
  spv_id old = take_out(low, s, a->dtype, phis[0]);
  spv_id word = put_in(low, s, a->dtype, phis[0], changed(low, a, old, value, expected));
  next[0] = made_here(
      low, SPV(c->m, SpvOpAtomicCompareExchange, s->word, s->pointer, scope, relaxed, relaxed, word, phis[0]));
  next[1] = made_here(low, SPV(c->m, SpvOpINotEqual, c->boolean, next[0], phis[0]));
  spv_code_loop_end(c, &loop, phis, next, 2, 0);
  return phis[0];
}

/* What was there. */
static spv_id change(spv_lower *low, const atomic *a, const spv_place *place, spv_id value, spv_id expected) {
  spv_code *c = &low->code;
  const spot s = find_spot(low, place, a->dtype);
  spv_id word;
  spv_id scope = scope_of(low, a, place->memory), semantics = semantics_of(low, a);
  if (has_instruction(a) && a->looks)
    word = made_here(low, SPV(c->m, SpvOpAtomicLoad, s.word, s.pointer, scope, semantics));
  else if (has_instruction(a))
    word =
        made_here(low, SPV(c->m, instruction(a), s.word, s.pointer, scope, semantics, bits_of(low, a->dtype, value)));
  else
    word = try_until(low, a, &s, value, expected);
  if (a->looks && !a->op->attrs->order) return take_out(low, &s, a->dtype, word);
  spv_memory *memory = &low->memories.data[place->memory];
  memory->version++;
  memory->dirty = true;
  return take_out(low, &s, a->dtype, word);
}

/* Outside of the array the fill value, under the mask zero. */
static spv_id shown_or_not(spv_lower *low, const atomic *a, spv_id old, spv_id reach, spv_id shown) {
  spv_code *c = &low->code;
  spv_id type = spv_num_type(low, a->dtype), fill = spv_num_const(low, a->dtype, ir_fill_bits(a->dtype));
  old = spv_select(c, type, reach, old, fill);
  return spv_select(c, type, shown, old, spv_num_const(low, a->dtype, 0));
}

/* ---- elements ---- */

/* Lanes that the nest has no use for repeat what others do: all but one of them must not. */
static uint32_t lanes_used(const spv_nest *nest) {
  uint32_t used = 0;
  for (uint32_t axis = 0; axis < nest->rank; axis++)
    used |= (nest->axes[axis].lanes - 1) << nest->axes[axis].lane_shift;
  return used;
}

static spv_id is_first(spv_lower *low, uint32_t used) { /* 0: certainly */
  spv_code *c = &low->code;
  const uint32_t unused = (low->lanes - 1) & ~used;
  if (!unused) return 0;
  return spv_op2(c, SpvOpIEqual, c->boolean, spv_and_const(c, low->lane, unused), spv_int(c, 0));
}

/* What the first of the lanes that repeat one another has. */
static spv_id of_first(spv_lower *low, ir_dtype dtype, uint32_t used, spv_id value) {
  if (used == low->lanes - 1) return value;
  return spv_shuffle(low, spv_num_type(low, dtype), value, spv_and_const(&low->code, low->lane, used));
}

static void atomic_strip(spv_lower *low, void *user) {
  atomic *a = user;
  spv_code *c = &low->code;
  uint32_t all = (1u << a->nest.rank) - 1, count = spv_nest_count(&a->nest, all), used = lanes_used(&a->nest);
  spv_id first = is_first(low, used);
  for (uint32_t i = 0; i < count; i++) {
    spv_point point;
    if (!spv_nest_point(low, &a->nest, all, i, &point)) continue;
    spv_place place = spv_access_place(low, a->op, &point);
    spv_id reach = place.inside, exists = spv_point_inside(low, &a->nest, &point);
    spv_id shown = a->mask ? spv_eval(low, a->mask, &point) : 0;
    place.inside = spv_both(c, spv_both(c, first, spv_both(c, reach, exists)), shown);
    spv_id value = spv_eval(low, a->value, &point), expected = a->expected ? spv_eval(low, a->expected, &point) : 0;
    spv_id old = change(low, a, &place, value, expected);
    if (a->keeps) old = of_first(low, a->dtype, used, shown_or_not(low, a, old, reach, shown));
    spv_sink_keep(low, &a->sink, &point, old, exists);
  }
}

/* One element: lane 0 changes it, all are told what was there. */
static void atomic_scalar(spv_lower *low, atomic *a) {
  spv_code *c = &low->code;
  spv_point none = {.rank = 0};
  spv_place place = spv_access_place(low, a->op, &none);
  spv_id reach = place.inside, shown = a->mask ? spv_eval_scalar(low, a->mask) : 0;
  place.inside = spv_both(c, spv_both(c, is_first(low, 0), reach), shown);
  spv_id value = spv_eval_scalar(low, a->value), expected = a->expected ? spv_eval_scalar(low, a->expected) : 0;
  spv_id old = change(low, a, &place, value, expected);
  if (!a->keeps) return;
  old = of_first(low, a->dtype, 0, shown_or_not(low, a, old, reach, shown));
  spv_set_scalar(low, a->op->results[0], old);
}

static void plan(spv_lower *low, atomic *a) {
  int64_t extents[KILN_MAX_RANK];
  const ir_shape *shape = &a->value->type.shape;
  if (a->keeps) a->sink = spv_sink_open(low, a->op->results[0]);
  spv_extents(&a->value->type, extents);
  a->nest = spv_nest_plan(low, extents, shape->rank, 4, a->sink.registers ? (1u << shape->rank) - 1 : 0);
}

static void atomic_op(spv_lower *low, const ir_op *op) {
  atomic a = {
      .op = op, .value = op->operands[1], .dtype = op->operands[1]->type.dtype, .keeps = op->results[0]->uses > 0};
  uint32_t last = op->operand_count, memory = spv_memory_of_ref(low, op->operands[0]);
  a.looks = pass_only_looks(op);
  if (op->attrs->other) a.expected = op->operands[--last];
  if (op->attrs->masked) a.mask = op->operands[--last];
  if (is_wide(a.dtype)) spv_capability(low->code.m, SpvCapabilityInt64Atomics);
  for (uint32_t i = 1; i < op->operand_count; i++) spv_prepare(low, op->operands[i]);
  if (!a.looks || op->attrs->order) spv_before_write(low, memory);
  spv_before_read(low, memory);
  if (a.value->type.shape.rank == 0) {
    atomic_scalar(low, &a);
    return;
  }
  plan(low, &a);
  spv_nest_walk(low, &a.nest, (1u << a.nest.rank) - 1, NULL, atomic_strip, &a);
  spv_sink_close(low, &a.sink);
}

/* Lanes are together before one of them releases for all, and after one has acquired. */
void spv_atomic_op(spv_lower *low, const ir_op *op) {
  if (op->attrs->order == IR_ORDER_RELEASE) spv_hand_over(low);
  atomic_op(low, op);
  if (op->attrs->order == IR_ORDER_ACQUIRE) spv_hand_over(low);
}
