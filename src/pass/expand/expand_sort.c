/* Sorts. The host has its own; devices run a bitonic network: in a loop over its stages every element meets the one
 * `distance` away, and the pair is put in order. Elements carry their numbers along, which makes the order strict, the
 * sort stable, and what pads the axis to a power of two come last. */
#include "pass/expand/expand.h"

typedef struct network {
  ir_builder *b;
  uint32_t axis, parts, keys; /* parts: operands; their numbers are carried behind them */
  int64_t count;              /* elements that are sorted */
  ir_shape shape;             /* padded */
} network;

static val boolean(ir_builder *b, ir_code code, val a, val c) { return ir_map2(b, code, a, c); }

/* Less, and equal: NaN after everything and equal to itself; false before true. */
static void compare(ir_builder *b, val a, val c, val *less, val *equal) {
  if (a->type.dtype == IR_BOOL) a = ir_convert(b, a, IR_I32), c = ir_convert(b, c, IR_I32);
  *less = boolean(b, IR_lt, a, c);
  *equal = boolean(b, IR_eq, a, c);
  if (!ir_is_float(a->type.dtype)) return;
  val a_nan = boolean(b, IR_ne, a, a), c_nan = boolean(b, IR_ne, c, c);
  *less = boolean(b, IR_or, *less, boolean(b, IR_and, c_nan, ir_map1(b, IR_not, a_nan)));
  *equal = boolean(b, IR_or, *equal, boolean(b, IR_and, a_nan, c_nan));
}

/* Whether the elements `a` come before `c`, which have the same places in the network's order of parts. */
static val comes_before(const network *n, const val *a, const val *c) {
  ir_builder *b = n->b;
  val less, equal, result = boolean(b, IR_lt, a[n->parts], c[n->parts]);
  for (uint32_t k = n->keys; k-- > 0;) {
    compare(b, a[k], c[k], &less, &equal);
    result = boolean(b, IR_or, less, boolean(b, IR_and, equal, result));
  }
  if (ir_extent(&a[0]->type, n->axis) == n->count) return result;
  val end = expand_int(b, &n->shape, n->count);
  val a_pads = boolean(b, IR_ge, a[n->parts], end), c_pads = boolean(b, IR_ge, c[n->parts], end);
  val real = boolean(b, IR_and, ir_map1(b, IR_not, a_pads), boolean(b, IR_or, c_pads, result));
  return boolean(b, IR_or, real,
                 boolean(b, IR_and, boolean(b, IR_and, a_pads, c_pads), boolean(b, IR_lt, a[n->parts], c[n->parts])));
}

static val padded(const network *n, val v) {
  const uint32_t rank = v->type.shape.rank;
  ir_attrs attrs = {.low = {.count = rank}, .high = {.count = rank}, .interior = {.count = rank}};
  attrs.high.at[n->axis] = n->shape.dims[n->axis]->value - n->count;
  if (attrs.high.at[n->axis] == 0) return v;
  val zero = ir_full(n->b, v->type.dtype, NULL, 0);
  return ir_make1(n->b, IR_pad, (val[]){v, zero}, 2, &attrs);
}

static val bit_of(ir_builder *b, val v, val bit) { /* whether it is clear */
  val zero = expand_int(b, &v->type.shape, 0);
  return boolean(b, IR_eq, ir_map2(b, IR_and, v, ir_broadcast_to(b, bit, &v->type.shape)), zero);
}

/* One stage: runs of 2^size are sorted up and down in turn; partners are 2^distance apart. */
static void exchange(const network *n, val *all, val size, val distance) {
  ir_builder *b = n->b;
  val indices[KILN_MAX_RANK], others[KILN_MAX_RANK * 8 + 1], one = ir_scalar_i32(b, 1);
  val run = ir_map2(b, IR_shl, one, size), apart = ir_map2(b, IR_shl, one, distance);
  for (uint32_t d = 0; d < n->shape.rank; d++) indices[d] = expand_iota(b, &n->shape, d);
  val here = indices[n->axis];
  indices[n->axis] = ir_map2(b, IR_xor, here, ir_broadcast_to(b, apart, &n->shape));
  for (uint32_t k = 0; k <= n->parts; k++) others[k] = expand_take(b, all[k], indices);
  val first = boolean(b, IR_eq, bit_of(b, here, run), bit_of(b, here, apart)); /* keeps the lesser of the pair */
  val take = boolean(b, IR_eq, comes_before(n, others, all), first);
  for (uint32_t k = 0; k <= n->parts; k++) all[k] = ir_map3(b, IR_select, take, others[k], all[k]);
}

static void run_network(const network *n, val *all, uint32_t bits) {
  ir_builder *b = n->b;
  const uint32_t count = n->parts + 1;
  arena *a = &b->module->arena;
  val *outer_inits = arena_copy(a, all, count * sizeof *all), one = ir_scalar_i32(b, 1);
  expand_loop sizes = expand_loop_begin(b, one, ir_scalar_i32(b, (int64_t)bits + 1), all, count);
  val *inits = arena_copy(a, all, count * sizeof *all);
  expand_loop stages = expand_loop_begin(b, ir_scalar_i32(b, 0), sizes.index, all, count);
  val distance = ir_map2(b, IR_sub, ir_map2(b, IR_sub, sizes.index, stages.index), ir_scalar_i32(b, 1));
  exchange(n, all, sizes.index, distance);
  expand_loop_end(b, &stages, inits, all, count);
  expand_loop_end(b, &sizes, outer_inits, all, count);
}

enum { MOST_PARTS = KILN_MAX_RANK * 8 };

bool expand_sort(expansion *x) {
  const ir_op *op = x->op;
  const ir_type *type = &op->operands[0]->type;
  network n = {.b = x->b,
               .axis = (uint32_t)op->attrs->axis,
               .parts = op->operand_count,
               .keys = (uint32_t)op->attrs->keys,
               .shape = type->shape};
  val all[MOST_PARTS + 1];
  uint32_t bits = 0;
  n.count = ir_extent(type, n.axis);
  if (x->target == P_HOST || n.parts > MOST_PARTS) return false;
  while (INT64_C(1) << bits < n.count) bits++;
  n.shape.dims[n.axis] = ir_dim_const(x->b->module, INT64_C(1) << bits);
  for (uint32_t k = 0; k < n.parts; k++) all[k] = padded(&n, op->operands[k]);
  all[n.parts] = expand_iota(x->b, &n.shape, n.axis);
  if (bits > 0 && ir_count(type) > 0) run_network(&n, all, bits);
  for (uint32_t k = 0; k < n.parts; k++) {
    bool cut = ir_extent(&all[k]->type, n.axis) != n.count;
    x->results[k] = cut ? expand_slice(x->b, all[k], n.axis, 0, n.count) : all[k];
  }
  return true;
}

/* ---- top_k ---- */

/* Integers in the descending order of the elements; of floats that of their bits, as lax.top_k has it: NaN first. */
static val descending(ir_builder *b, val v) {
  static const ir_dtype words[] = {[2] = IR_I16, [4] = IR_I32, [8] = IR_I64};
  if (!ir_is_float(v->type.dtype)) return ir_map1(b, IR_not, v);
  if (ir_dtype_bytes(v->type.dtype) == 1) v = ir_convert(b, v, IR_F32);
  const ir_dtype_info *info = ir_dtype_get(v->type.dtype);
  const ir_dtype word = words[ir_dtype_bytes(v->type.dtype)];
  val bits = expand_bitcast(b, v, word);
  val sign = ir_map2(b, IR_shr, bits, ir_full(b, word, &v->type.shape, info->bits - 1));
  val rest = ir_full(b, word, &v->type.shape, (UINT64_C(1) << (info->bits - 1)) - 1);
  return ir_map1(b, IR_not, ir_map2(b, IR_xor, bits, ir_map2(b, IR_and, sign, rest)));
}

bool expand_top_k(expansion *x) {
  val v = x->op->operands[0];
  const uint32_t last = v->type.shape.rank - 1;
  val parts[] = {descending(x->b, v), v, expand_iota(x->b, &v->type.shape, last)};
  ir_op *sort = ir_make(x->b, IR_sort, parts, 3, &(ir_attrs){.axis = last, .keys = 1});
  for (uint32_t k = 0; k < 2; k++) x->results[k] = expand_slice(x->b, sort->results[1 + k], last, 0, x->op->attrs->k);
  return true;
}
