/* expand_views: accesses through `view .. as ..` and `view .. permute ..` become accesses to what the views are of.
 *
 *   let v = view x as f32[32, 8]                      (x: f32[16, 16])
 *   let a = v[2 : 4, :]                   becomes     let t = x[1 : 2, :] ; let a = reshape(t, shape: [4, 8])
 *
 *   let w = view y as u16[8, 64]                      (y: u32[4, 64])
 *   w[i, :] = a                           becomes     y[i / 2, :] = (y[i / 2, :] & ..) | u32(a) << i % 2 * 16
 *
 * Where elements lie is pick.c's part; here is what happens to their bits. First of all passes, so that no other one
 * meets such a view. A store to a part of an element reads the element and writes all of it. */
#include "pass/expand/expand.h"
#include "pass/pick.h"
#include "pass/util.h"

/* ---- bits ---- */

static uint32_t bits_of(ir_dtype dtype) { return ir_dtype_get(dtype)->bits; }

/* How far part number `part`, an i32 tile, of a wide element lies from its low bits. */
static val shift_of(ir_builder *b, val part, ir_dtype narrow, ir_dtype wide, const ir_shape *shape) {
  val bits = ir_map2(b, IR_mul, part, expand_int(b, &part->type.shape, bits_of(narrow)));
  return ir_convert(b, ir_broadcast_to(b, bits, shape), expand_word(wide));
}

static val unpack(ir_builder *b, val wide, val part, ir_dtype narrow) {
  const ir_dtype from = wide->type.dtype;
  val shift = shift_of(b, part, narrow, from, &wide->type.shape);
  val moved = ir_map2(b, IR_shr, expand_bitcast(b, wide, expand_word(from)), shift);
  return expand_bitcast(b, ir_convert(b, moved, expand_word(narrow)), narrow);
}

/* The bits of a narrow element where they belong in a wide one, as a word. */
static val pack(ir_builder *b, val narrow, val part, ir_dtype wide) {
  const ir_dtype from = narrow->type.dtype;
  val shift = shift_of(b, part, from, wide, &narrow->type.shape);
  return ir_map2(b, IR_shl, ir_convert(b, expand_bitcast(b, narrow, expand_word(from)), expand_word(wide)), shift);
}

/* ---- accesses that need no view ---- */

static bool is_view(const ir_value *ref) { return ref->def && ref->def->code == IR_view; }

/* What an access does beside where. */
typedef struct deed {
  ir_code code;
  val value, mask, other; /* of the shape of the pick; NULL where there is none */
  uint32_t combine;
} deed;

/* A ref that begins one element early, outside: with leave to be there. */
static val begin_early(ir_builder *b, val ref) {
  ir_attrs attrs = pass_whole_index(b, &ref->type.shape);
  attrs.index[0].start = ir_dim_const(b->module, -1);
  attrs.index[0].size = ir_dim_const(b->module, ir_extent(&ref->type, 0) + 1);
  attrs.edge = true;
  return ir_make1(b, IR_view, &ref, 1, &attrs);
}

/* Outside of a view is outside of what it is of. */
static void leave_where_outside(ir_builder *b, pick *p) {
  if (!p->inside) return;
  if (p->edge) p->ref = begin_early(b, p->ref);
  if (p->edge) p->start[0].number++;
  val at = ir_broadcast_to(b, pick_value(b, &p->start[0]), &p->shape);
  p->start[0] = (spot){ir_map3(b, IR_select, p->inside, at, expand_int(b, &p->shape, p->edge ? 0 : -1)), 0, 1};
}

static void put_starts(ir_builder *b, const pick *p, ir_attrs *attrs, val *operands, uint32_t *count) {
  attrs->index_count = p->ref->type.shape.rank;
  for (uint32_t d = 0; d < attrs->index_count; d++) {
    ir_index *index = &attrs->index[d];
    *index = p->at[d];
    index->operand = -1;
    index->start = ir_dim_const(b->module, p->start[d].value ? 0 : p->start[d].number);
    if (!p->start[d].value && !p->points) continue;
    index->operand = (int32_t)*count;
    operands[*count] = pick_value(b, &p->start[d]);
    if (p->points) operands[*count] = ir_broadcast_to(b, operands[*count], &p->shape);
    ++*count;
  }
}

static val access(ir_builder *b, pick p, const deed *to) {
  val operands[KILN_MAX_RANK + 4];
  uint32_t count = 0;
  ir_attrs attrs = {.combine = to->combine, .masked = to->mask != NULL, .other = to->other != NULL};
  leave_where_outside(b, &p);
  const ir_shape box = pick_box(&p);
  operands[count++] = p.ref;
  if (to->value) operands[count++] = expand_reshape(b, to->value, &box);
  put_starts(b, &p, &attrs, operands, &count);
  if (to->mask) operands[count++] = expand_reshape(b, to->mask, &box);
  if (to->other) operands[count++] = expand_reshape(b, to->other, &box);
  ir_op *op = ir_make(b, to->code, operands, count, &attrs);
  return op->result_count ? expand_reshape(b, op->results[0], &p.shape) : NULL;
}

/* ---- through views ---- */

static val perform(ir_builder *b, pick p, const deed *to);

static val load(ir_builder *b, const pick *p, val mask, val other) {
  return perform(b, *p, &(deed){.code = IR_load, .mask = mask, .other = other});
}

static void store(ir_builder *b, const pick *p, val value, val mask) {
  perform(b, *p, &(deed){.code = IR_store, .value = value, .mask = mask});
}

static val transposed(ir_builder *b, val v, const ir_attrs *axes) {
  return axes->axes.count < 2 ? v : ir_make1(b, IR_transpose, &v, 1, axes);
}

static val through_same_width(ir_builder *b, const pick *p, const deed *to) {
  const ir_dtype own = p->ref->type.dtype, under = p->ref->def->operands[0]->type.dtype;
  deed below = *to;
  if (to->value) below.value = expand_bitcast(b, to->value, under);
  if (to->other) below.other = expand_bitcast(b, to->other, under);
  val found = perform(b, pick_under_reshape(b, p), &below);
  return found ? expand_bitcast(b, found, own) : NULL;
}

/* The dimensions of a box in the order of what is under the view. */
static val through_permute(ir_builder *b, const pick *p, const deed *to) {
  const ir_list *axes = &p->ref->def->attrs->axes;
  pick q = *p;
  uint32_t place[KILN_MAX_RANK], next = 0;
  ir_attrs down = {.axes = {0}}, up = {.axes = {0}};
  q.ref = p->ref->def->operands[0];
  for (uint32_t d = 0; d < axes->count; d++) {
    q.at[axes->at[d]] = p->at[d];
    q.start[axes->at[d]] = p->start[d];
    place[axes->at[d]] = p->at[d].point ? 0 : next++;
  }
  if (p->points) return perform(b, q, to);
  for (uint32_t d = 0; d < axes->count; d++)
    if (!q.at[d].point) down.axes.at[down.axes.count++] = place[d];
  for (uint32_t i = 0; i < down.axes.count; i++) up.axes.at[down.axes.at[i]] = i;
  up.axes.count = down.axes.count;
  const ir_shape box = pick_box(p);
  q.shape = pick_box(&q);
  deed below = *to;
  val *const sides[] = {&below.value, &below.mask, &below.other, &q.inside};
  for (size_t i = 0; i < sizeof sides / sizeof *sides; i++)
    if (*sides[i]) *sides[i] = transposed(b, expand_reshape(b, *sides[i], &box), &down);
  val found = perform(b, q, &below);
  return found ? expand_reshape(b, transposed(b, found, &up), &p->shape) : NULL;
}

/* The view is wider: its elements have `ratio` parts along the axis. */
static val through_wider(ir_builder *b, const pick *p, const deed *to, uint32_t axis, int64_t ratio) {
  const ir_dtype own = p->ref->type.dtype, under = p->ref->def->operands[0]->type.dtype;
  pick q = *p;
  val found = NULL;
  q.ref = p->ref->def->operands[0];
  q.at[axis].stride *= ratio;
  q.start[axis] = pick_scaled(b, p->start[axis], ratio);
  for (int64_t k = 0; k < ratio; k++, q.start[axis].number++) {
    val number = ir_scalar_i32(b, k);
    deed below = *to;
    if (to->value) below.value = unpack(b, to->value, number, under);
    if (to->other) below.other = unpack(b, to->other, number, under);
    val part = perform(b, q, &below);
    if (!part) continue;
    part = pack(b, part, number, own);
    found = found ? ir_map2(b, IR_or, found, part) : part;
  }
  return found ? expand_bitcast(b, found, own) : NULL;
}

/* ---- through a narrower view ---- */

/* Whole elements of what is under the view: their parts as an axis of its own behind `axis` of the box. */
typedef struct parts {
  pick q;
  ir_shape split;
  uint32_t axis;
  val number; /* of each part */
} parts;

static bool whole_elements(const pick *p, uint32_t axis, int64_t ratio) {
  return !p->points && !p->at[axis].point && p->at[axis].stride == 1 && p->at[axis].size->value % ratio == 0 &&
         pick_multiple(&p->start[axis], ratio) && p->ref->type.shape.rank < KILN_MAX_RANK;
}

static parts parts_of(ir_builder *b, const pick *p, uint32_t axis, int64_t ratio) {
  parts out = {.q = *p};
  out.q.ref = p->ref->def->operands[0];
  out.q.start[axis] = pick_divided(b, &p->start[axis], ratio);
  out.q.at[axis].size = ir_dim_const(b->module, p->at[axis].size->value / ratio);
  for (uint32_t d = 0; d < axis; d++) out.axis += !p->at[d].point;
  out.q.shape = pick_box(&out.q);
  for (uint32_t d = 0; d < out.q.shape.rank; d++) {
    out.split.dims[out.split.rank++] = out.q.shape.dims[d];
    if (d == out.axis) out.split.dims[out.split.rank++] = ir_dim_const(b->module, ratio);
  }
  out.number = expand_iota(b, &out.split, out.axis + 1);
  return out;
}

static val load_whole(ir_builder *b, const pick *p, uint32_t axis, int64_t ratio) {
  const parts of = parts_of(b, p, axis, ratio);
  ir_attrs attrs = {.shape = of.split, .axes = {.count = of.q.shape.rank}};
  for (uint32_t d = 0; d < of.q.shape.rank; d++) attrs.axes.at[d] = d <= of.axis ? d : d + 1;
  val wide = load(b, &of.q, NULL, NULL);
  wide = ir_make1(b, IR_broadcast, &wide, 1, &attrs);
  return expand_reshape(b, unpack(b, wide, of.number, p->ref->type.dtype), &p->shape);
}

static void store_whole(ir_builder *b, const pick *p, val value, uint32_t axis, int64_t ratio) {
  const parts of = parts_of(b, p, axis, ratio);
  const ir_dtype under = of.q.ref->type.dtype;
  val packed = pack(b, expand_reshape(b, value, &of.split), of.number, under);
  packed = ir_make1(b, IR_reduce_or, &packed, 1, &(ir_attrs){.axes = {.count = 1, .at = {of.axis + 1}}});
  store(b, &of.q, expand_bitcast(b, packed, under), NULL);
}

/* The elements that the picked ones are parts of, one for each; `part` says which. */
static pick elements_around(ir_builder *b, const pick *p, uint32_t axis, int64_t ratio, val *part) {
  pick q = *p;
  if (!p->at[axis].point) pick_to_points(b, &q);
  const spot start = q.start[axis];
  q.ref = p->ref->def->operands[0];
  q.start[axis] = pick_divided(b, &start, ratio);
  *part = pick_value(b, &start);
  *part = ir_map2(b, IR_rem, *part, expand_int(b, &(*part)->type.shape, ratio));
  return q;
}

static val load_parts(ir_builder *b, const pick *p, const deed *to, uint32_t axis, int64_t ratio) {
  val part;
  if (!to->mask && whole_elements(p, axis, ratio)) return load_whole(b, p, axis, ratio);
  const pick q = elements_around(b, p, axis, ratio, &part);
  val found = unpack(b, load(b, &q, to->mask, NULL), part, p->ref->type.dtype);
  return to->other ? ir_map3(b, IR_select, to->mask, found, to->other) : found;
}

/* One part of each element, the other ones as they were. */
static void replace_parts(ir_builder *b, const pick *q, val part, val value, val mask) {
  const ir_dtype under = q->ref->type.dtype, word = expand_word(under), narrow = value->type.dtype;
  val old = expand_bitcast(b, load(b, q, mask, NULL), word);
  val ones = ir_full(b, expand_word(narrow), &q->shape, ir_low_ones(bits_of(narrow)));
  val kept = ir_map2(b, IR_and, old, ir_map1(b, IR_not, pack(b, ones, part, under)));
  store(b, q, expand_bitcast(b, ir_map2(b, IR_or, kept, pack(b, value, part, under)), under), mask);
}

/* Two parts of one element must not be replaced at once: first all that are the first part of theirs, and so on. */
static void store_parts(ir_builder *b, const pick *p, const deed *to, uint32_t axis, int64_t ratio) {
  val part;
  if (!to->mask && whole_elements(p, axis, ratio)) {
    store_whole(b, p, to->value, axis, ratio);
    return;
  }
  const pick q = elements_around(b, p, axis, ratio, &part);
  if (part->type.shape.rank == 0) {
    replace_parts(b, &q, part, to->value, to->mask);
    return;
  }
  expand_loop loop = expand_loop_begin(b, ir_scalar_i32(b, 0), ir_scalar_i32(b, ratio), NULL, 0);
  val now = ir_map2(b, IR_eq, part, ir_broadcast_to(b, loop.index, &part->type.shape));
  replace_parts(b, &q, part, to->value, to->mask ? ir_map2(b, IR_and, now, to->mask) : now);
  expand_loop_end(b, &loop, NULL, NULL, 0);
}

/* Of a ref without elements: all of it is outside. */
static val perform_outside(ir_builder *b, const pick *p, const deed *to) {
  const ir_dtype dtype = p->ref->type.dtype;
  if (to->code == IR_store) return NULL;
  val fill = ir_full(b, dtype, &p->shape, ir_fill_bits(dtype));
  if (!to->mask) return fill;
  val hidden = to->code == IR_load && to->other ? to->other : ir_full(b, dtype, &p->shape, 0);
  return ir_map3(b, IR_select, to->mask, fill, hidden);
}

static val perform(ir_builder *b, pick p, const deed *to) {
  uint32_t axis;
  if (!ir_through_recast(p.ref)) return access(b, p, to);
  if (ir_count(&p.ref->type) == 0) return perform_outside(b, &p, to);
  pick_confine(b, &p);
  if (is_view(p.ref)) return perform(b, pick_under_view(b, &p), to);
  if (p.ref->def->code == IR_permute) return through_permute(b, &p, to);
  const ir_type *own = &p.ref->type, *under = &p.ref->def->operands[0]->type;
  const uint32_t have = bits_of(own->dtype), below = bits_of(under->dtype);
  ir_view_axis(under, own, &axis);
  if (have == below) return through_same_width(b, &p, to);
  if (have > below) return through_wider(b, &p, to, axis, have / below);
  if (to->code == IR_load) return load_parts(b, &p, to, axis, below / have);
  return store_parts(b, &p, to, axis, below / have), NULL;
}

/* ---- the pass ---- */

static bool is_access(ir_code code) { return ir_op_get(code)->effects & E_INDEXES && code != IR_view; }
static bool is_view_as(ir_code code) { return code == IR_view_as; }

static deed deed_of(const ir_op *op) {
  deed to = {.code = op->code, .combine = op->attrs->combine};
  uint32_t last = op->operand_count;
  if (op->attrs->other) to.other = op->operands[--last];
  if (op->attrs->masked) to.mask = op->operands[--last];
  if (op->code != IR_load) to.value = op->operands[1];
  return to;
}

static bool expand(pass_ctx *c, ir_builder *b, const ir_op *op, val *results) {
  (void)c;
  if (!ir_through_recast(op->operands[0])) return false;
  const deed to = deed_of(op);
  const ir_type *tile = to.value ? &to.value->type : &op->results[0]->type;
  val found = NULL;
  if (ir_count(tile) == 0)
    found = ir_full(b, tile->dtype, &tile->shape, 0);
  else
    found = perform(b, pick_of(b, op), &to);
  if (op->result_count) results[0] = found;
  return true;
}

static val seen_as(ir_builder *b, val ref, ir_dtype dtype, const ir_shape *shape) {
  return ir_make1(b, IR_view_as, &ref, 1, &(ir_attrs){.type = dtype, .shape = *shape});
}

/* Elements of another width along all dimensions: along the one that a row of all elements has. */
static bool split_view(pass_ctx *c, ir_builder *b, const ir_op *op, val *results) {
  val ref = op->operands[0];
  const ir_type *to = &op->results[0]->type;
  ir_shape line = {.rank = 1, .dims = {ir_dim_const(b->module, ir_count(&ref->type))}};
  uint32_t axis;
  (void)c;
  ir_view_axis(&ref->type, to, &axis);
  if (bits_of(ref->type.dtype) == bits_of(to->dtype) || axis < to->shape.rank) return false;
  ref = seen_as(b, ref, ref->type.dtype, &line);
  line.dims[0] = ir_dim_const(b->module, ir_count(to));
  results[0] = seen_as(b, seen_as(b, ref, to->dtype, &line), to->dtype, &to->shape);
  return true;
}

/* The host's crews, whose copies and products go through views too, know memory with strides. */
static bool expand_unknown(pass_ctx *c, ir_builder *b, const ir_op *op, val *results) {
  return !ir_has_strides(c->kernel, op->operands[0]) && expand(c, b, op, results);
}

static bool split_unknown(pass_ctx *c, ir_builder *b, const ir_op *op, val *results) {
  return !ir_has_strides(c->kernel, op->results[0]) && split_view(c, b, op, results);
}

/* Copies and products, and those who ask for the same memory elsewhere, need strides. */
static bool need_strides(void *user, ir_op *op) {
  pass_ctx *c = user;
  for (uint32_t i = 0; i < op->operand_count && !is_access(op->code) && !ir_is_view(op->code); i++)
    if (op->operands[i]->type.kind == IR_REF && !ir_has_strides(c->kernel, op->operands[i]))
      diag_report(c->diags, DIAG_view_user, op->loc, ir_op_get(op->code)->text);
  return true;
}

bool pass_expand_views(pass_ctx *c) {
  if (pass_collect(c, ir_is_recast).count == 0) return false;
  const bool knows_strides = c->target->kind == P_HOST && ir_is_crew(c->kernel);
  pass_expand(c, is_view_as, knows_strides ? split_unknown : split_view);
  pass_expand(c, is_access, knows_strides ? expand_unknown : expand);
  ir_walk(c->kernel->body, need_strides, c);
  const pass_ops views = pass_collect(c, ir_is_view);
  for (size_t i = views.count; i-- > 0;)
    if (views.data[i]->results[0]->uses == 0) ir_erase(views.data[i]);
  return true;
}
