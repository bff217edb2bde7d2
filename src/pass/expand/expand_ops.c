/* Pass expand_ops: ops that are rarely hot become simpler ones: powers products, gathers elements at computed places,
 * scatters loops over scratch, sorts on devices networks.
 *
 *   let y = integer_pow(x, exponent: 3)      becomes      let t0 = x * x ; let y = x * t0
 *
 * Assumes a bound kernel whose blocks are expanded. Terminates: no function makes an op that it, or one before it in
 * such a chain, expands (top_k makes sorts, sorts elementwise ops). */
#include "pass/expand/expand.h"
#include "pass/util.h"

typedef bool (*expand_fn)(expansion *x);

static expand_fn find(ir_code code) {
  switch (code) {
#define EXPAND_OP(op, function) \
  case IR_##op:                 \
    return function;
#include "pass/expand/expand_ops.def"
#undef EXPAND_OP
    default: return NULL;
  }
}

/* ---- the vocabulary ---- */

val expand_int(ir_builder *b, const ir_shape *shape, int64_t value) {
  return ir_full(b, IR_I32, shape, ir_bits_from_i64(IR_I32, value));
}

val expand_iota(ir_builder *b, const ir_shape *shape, int64_t axis) {
  return ir_make1(b, IR_iota, NULL, 0, &(ir_attrs){.type = IR_I32, .shape = *shape, .axis = axis});
}

val expand_reshape(ir_builder *b, val v, const ir_shape *shape) {
  if (ir_shape_equal(&v->type.shape, shape) == IR_YES) return v;
  return ir_make1(b, IR_reshape, &v, 1, &(ir_attrs){.shape = *shape});
}

val expand_slice(ir_builder *b, val v, uint32_t axis, int64_t start, int64_t size) {
  const uint32_t rank = v->type.shape.rank;
  ir_attrs attrs = {.start = {.count = rank}, .size = {.count = rank}, .stride = {.count = rank}};
  for (uint32_t d = 0; d < rank; d++) {
    attrs.size.at[d] = d == axis ? size : ir_extent(&v->type, d);
    attrs.stride.at[d] = 1;
  }
  attrs.start.at[axis] = start;
  return ir_make1(b, IR_slice, &v, 1, &attrs);
}

val expand_clamp(ir_builder *b, val v, int64_t low, int64_t high) {
  const ir_shape *shape = &v->type.shape;
  return ir_map3(b, IR_clamp, expand_int(b, shape, low), v, expand_int(b, shape, high));
}

val expand_within(ir_builder *b, val v, int64_t low, int64_t high) {
  const ir_shape *shape = &v->type.shape;
  val above = ir_map2(b, IR_ge, v, expand_int(b, shape, low)), below = ir_map2(b, IR_le, v, expand_int(b, shape, high));
  return ir_map2(b, IR_and, above, below);
}

val expand_bitcast(ir_builder *b, val v, ir_dtype dtype) {
  return v->type.dtype == dtype ? v : ir_make1(b, IR_bitcast, &v, 1, &(ir_attrs){.type = dtype});
}

ir_dtype expand_word(ir_dtype dtype) {
  static const ir_dtype words[] = {[2] = IR_U2, [4] = IR_U4, [8] = IR_U8, [16] = IR_U16, [32] = IR_U32, [64] = IR_U64};
  return words[ir_dtype_get(dtype)->bits];
}

val expand_take(ir_builder *b, val v, const val *indices) {
  val operands[1 + KILN_MAX_RANK] = {v};
  for (uint32_t d = 0; d < v->type.shape.rank; d++) operands[1 + d] = indices[d];
  return ir_make1(b, IR_take, operands, 1 + v->type.shape.rank, NULL);
}

expand_loop expand_loop_begin(ir_builder *b, val begin, val end, val *carried, uint32_t count) {
  expand_loop loop = {.outer = *b, .body = ir_region_new(b, NULL), .begin = begin, .end = end};
  loop.index = ir_region_arg(b, loop.body, pass_i32(), (kiln_str){0});
  for (uint32_t i = 0; i < count; i++) carried[i] = ir_region_arg(b, loop.body, carried[i]->type, (kiln_str){0});
  b->region = loop.body;
  b->before = NULL;
  return loop;
}

void expand_loop_end(ir_builder *b, expand_loop *loop, const val *inits, val *carried, uint32_t count) {
  arena *a = &b->module->arena;
  val *operands = ARENA_ARRAY(a, val, count + 3);
  ir_type *types = ARENA_ARRAY(a, ir_type, count + 1);
  if (count) ir_yield(b, carried, count);
  *b = loop->outer;
  operands[0] = loop->begin;
  operands[1] = loop->end;
  operands[2] = ir_scalar_i32(b, 1);
  for (uint32_t i = 0; i < count; i++) operands[3 + i] = inits[i], types[i] = inits[i]->type;
  ir_op *op = ir_make_control(b, IR_for, operands, count + 3, &loop->body, 1, types, count, &(ir_attrs){0});
  for (uint32_t i = 0; i < count; i++) carried[i] = op->results[i];
}

/* ---- small ones ---- */

/* By squaring, as JAX does; floats of up to 32 bits in f32, rounded once. */
bool expand_integer_pow(expansion *x) {
  ir_builder *b = x->b;
  val from = x->op->operands[0], power = from, result = NULL;
  const ir_type type = from->type;
  const int64_t exponent = x->op->attrs->exponent;
  const ir_dtype wide = ir_is_float(type.dtype) && type.dtype != IR_F64 ? IR_F32 : type.dtype;
  val one = ir_full(b, wide, &type.shape, ir_bits_from_i64(wide, 1));
  power = ir_convert(b, power, wide);
  for (uint64_t left = exponent < 0 ? -(uint64_t)exponent : (uint64_t)exponent; left; left >>= 1) {
    if (left & 1) result = result ? ir_map2(b, IR_mul, result, power) : power;
    if (left > 1) power = ir_map2(b, IR_mul, power, power);
  }
  if (!result) result = one;
  if (exponent < 0) result = ir_map2(b, IR_div, one, result);
  return x->results[0] = ir_convert(b, result, type.dtype), true;
}

typedef struct bit_type {
  ir_builder *b;
  ir_shape shape;
  ir_dtype word;
} bit_type;

static val word(const bit_type *t, uint64_t bits) {
  return ir_full(t->b, t->word, &t->shape, bits & ir_low_ones(ir_dtype_get(t->word)->bits));
}

static val masked(const bit_type *t, val v, uint64_t bits) { return ir_map2(t->b, IR_and, v, word(t, bits)); }

/* Drops `count` low bits, to nearest, ties to even. */
static val drop_bits(const bit_type *t, val v, uint32_t count) {
  val odd = masked(t, ir_map2(t->b, IR_shr, v, word(t, count)), 1);
  val bias = ir_map2(t->b, IR_add, odd, word(t, ir_low_ones(count - 1)));
  return masked(t, ir_map2(t->b, IR_add, v, bias), ~ir_low_ones(count));
}

/* What has no exponent in the smaller format becomes infinite, or zero. */
static val limit_exponent(const bit_type *t, val v, uint32_t mantissa, uint32_t own, uint32_t wanted) {
  const uint64_t bias = ir_low_ones(own - 1), less = ir_low_ones(wanted - 1);
  const uint64_t infinite = ir_low_ones(own) << mantissa, sign = UINT64_C(1) << (own + mantissa);
  val exponent = masked(t, v, infinite), signs = masked(t, v, sign);
  val over = ir_map2(t->b, IR_gt, exponent, word(t, (bias + less) << mantissa));
  val under = ir_map2(t->b, IR_le, exponent, word(t, (bias - less) << mantissa));
  v = ir_map3(t->b, IR_select, over, ir_map2(t->b, IR_or, signs, word(t, infinite)), v);
  return ir_map3(t->b, IR_select, under, signs, v);
}

/* The formats whose own bits are worked on; smaller ones are widened to f32 first. */
static const struct {
  ir_dtype type, word;
  uint32_t exponent, mantissa;
} formats[] = {{IR_F32, IR_U32, 8, 23}, {IR_F64, IR_U64, 11, 52}, {IR_F16, IR_U16, 5, 10}, {IR_BF16, IR_U16, 8, 7}};
enum { FORMATS = sizeof formats / sizeof *formats };

bool expand_reduce_precision(expansion *x) {
  ir_builder *b = x->b;
  const ir_type type = x->op->operands[0]->type;
  const uint64_t mantissa = (uint64_t)x->op->attrs->mantissa, exponent = (uint64_t)x->op->attrs->exponent;
  size_t own = FORMATS - 1;
  while (own > 0 && formats[own].type != type.dtype) own--;
  const bit_type t = {b, type.shape, formats[own].word};
  val number = ir_convert(b, x->op->operands[0], formats[own].type);
  val bits = expand_bitcast(b, number, t.word);
  if (mantissa < formats[own].mantissa) bits = drop_bits(&t, bits, formats[own].mantissa - (uint32_t)mantissa);
  if (exponent < formats[own].exponent)
    bits = limit_exponent(&t, bits, formats[own].mantissa, formats[own].exponent, (uint32_t)exponent);
  val result = expand_bitcast(b, bits, number->type.dtype);
  result = ir_map3(b, IR_select, ir_map2(b, IR_ne, number, number), number, result);
  return x->results[0] = ir_convert(b, result, type.dtype), true;
}

/* Operands of two types meet in the type that sums are kept in. */
bool expand_dot(expansion *x) {
  const ir_op *op = x->op;
  val sides[2] = {op->operands[0], op->operands[1]};
  if (sides[0]->type.dtype == sides[1]->type.dtype) return false;
  const ir_dtype sum = op->attrs->type, both = ir_is_float(sum) && sum != IR_F64 ? IR_F32 : sum;
  ir_attrs attrs = *op->attrs;
  attrs.type = both;
  for (uint32_t i = 0; i < 2; i++) sides[i] = ir_convert(x->b, sides[i], both);
  return x->results[0] = ir_convert(x->b, ir_make1(x->b, IR_dot, sides, 2, &attrs), sum), true;
}

/* ---- roll ---- */

static val positive_rest(ir_builder *b, val v, int64_t size) {
  val divisor = expand_int(b, &v->type.shape, size);
  val rest = ir_map2(b, IR_rem, v, divisor);
  val moved = ir_map2(b, IR_add, rest, divisor);
  return ir_map3(b, IR_select, ir_map2(b, IR_lt, rest, expand_int(b, &v->type.shape, 0)), moved, rest);
}

/* By a known amount the two parts change places; else every element is fetched from where it was. */
bool expand_roll(expansion *x) {
  ir_builder *b = x->b;
  const ir_attrs *a = x->op->attrs;
  val v = x->op->operands[0], shift = x->op->operands[1], indices[KILN_MAX_RANK];
  const ir_shape *shape = &v->type.shape;
  const uint32_t axis = (uint32_t)a->axis;
  const int64_t size = ir_extent(&v->type, axis);
  int64_t known;
  if (size == 0) return x->results[0] = v, true;
  if (a->stride.count == 0 && pass_integer(shift, &known)) {
    known = (known % size + size) % size;
    val parts[] = {expand_slice(b, v, axis, size - known, known), expand_slice(b, v, axis, 0, size - known)};
    return x->results[0] = ir_make1(b, IR_concatenate, parts, 2, &(ir_attrs){.axis = axis}), true;
  }
  for (uint32_t d = 0; d < shape->rank; d++) indices[d] = expand_iota(b, shape, d);
  val back = ir_broadcast_to(b, positive_rest(b, shift, size), shape);
  if (a->stride.count > 0) {
    val rows = expand_iota(b, shape, a->stride_axis);
    back = ir_map2(b, IR_add, back, ir_map2(b, IR_mul, rows, expand_int(b, shape, a->stride.at[0])));
  }
  indices[axis] = positive_rest(b, ir_map2(b, IR_sub, indices[axis], back), size);
  return x->results[0] = expand_take(b, v, indices), true;
}

/* ---- the pass ---- */

static bool is_rare(ir_code code) { return find(code) != NULL; }

static bool expand(pass_ctx *c, ir_builder *b, const ir_op *op, val *results) {
  return find(op->code)(&(expansion){.b = b, .op = op, .target = c->target->kind, .results = results});
}

bool pass_expand_ops(pass_ctx *c) {
  bool any = false;
  while (pass_expand(c, is_rare, expand)) any = true;
  return any;
}
