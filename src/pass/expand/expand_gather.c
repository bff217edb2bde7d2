/* gather and scatter, as lax has them. A *window* is a box of operand 0; where it starts is one row of the indices. */
#include "pass/expand/expand.h"
#include "pass/util.h"

/* Axis k of the indices (but the last) lies along this axis of the result of a gather, or of the updates. */
static uint32_t place_of_index(const ir_op *op, uint32_t k) {
  uint32_t axis = 0;
  while (ir_list_has(&op->attrs->offset_dims, axis) || k-- > 0) axis++;
  return axis;
}

static bool is_kept(const ir_attrs *a, uint32_t axis) {
  return !ir_list_has(&a->collapsed_dims, axis) && !ir_list_has(&a->batch_dims, axis);
}

static uint32_t window_count(const ir_op *op) { return op->operands[1]->type.shape.rank - 1; }

/* ---- gather ---- */

/* Component k of every index, over the shape of the result. */
static val starts_along(expansion *x, uint32_t k, const ir_shape *to) {
  ir_builder *b = x->b;
  val indices = x->op->operands[1];
  const uint32_t last = window_count(x->op);
  ir_shape shape = indices->type.shape;
  ir_attrs attrs = {.shape = *to, .axes = {.count = last}};
  val part = expand_slice(b, indices, last, k, 1);
  shape.rank = last;
  part = ir_convert(b, expand_reshape(b, part, &shape), IR_I32);
  for (uint32_t i = 0; i < last; i++) attrs.axes.at[i] = place_of_index(x->op, i);
  return ir_make1(b, IR_broadcast, &part, 1, &attrs);
}

/* Where along `axis` of operand 0 the elements of the result lie; `inside` collects whether their windows do. */
static val coordinate(expansion *x, uint32_t axis, uint32_t kept, const ir_shape *to, val *inside) {
  ir_builder *b = x->b;
  const ir_attrs *a = x->op->attrs;
  const int64_t room = ir_extent(&x->op->operands[0]->type, axis) - a->slice_sizes.at[axis];
  const int32_t k = ir_list_find(&a->start_map, axis), batch = ir_list_find(&a->batch_dims, axis);
  val at = NULL;
  if (k >= 0) {
    val start = starts_along(x, (uint32_t)k, to);
    val fits = expand_within(b, start, 0, room);
    *inside = *inside ? ir_map2(b, IR_and, *inside, fits) : fits;
    at = a->mode == IR_MODE_PROMISE ? start : expand_clamp(b, start, 0, room);
  }
  if (batch >= 0) at = expand_iota(b, to, place_of_index(x->op, (uint32_t)a->index_batch_dims.at[batch]));
  if (!is_kept(a, axis)) return at ? at : expand_int(b, to, 0);
  val within = expand_iota(b, to, a->offset_dims.at[kept]);
  return at ? ir_map2(b, IR_add, at, within) : within;
}

/* What lax fills with where nothing is given: NaN, the smallest signed or largest unsigned integer, true. */
static val fill_of(expansion *x, const ir_shape *to) {
  const ir_dtype dtype = x->op->operands[0]->type.dtype;
  if (x->op->operand_count == 3) return ir_broadcast_to(x->b, x->op->operands[2], to);
  const ir_dtype_info *info = ir_dtype_get(dtype);
  bool ones = info->class == IR_CLASS_UINT || info->class == IR_CLASS_BOOL;
  return ir_full(x->b, dtype, to, ones ? ir_bits_from_i64(dtype, -1) : ir_fill_bits(dtype));
}

bool expand_gather(expansion *x) {
  const ir_op *op = x->op;
  const ir_type *from = &op->operands[0]->type;
  const ir_shape *to = &op->results[0]->type.shape;
  val indices[KILN_MAX_RANK], inside = NULL;
  uint32_t kept = 0;
  if (ir_count(from) == 0) return x->results[0] = fill_of(x, to), true;
  if (from->shape.rank == 0) return x->results[0] = ir_broadcast_to(x->b, op->operands[0], to), true;
  for (uint32_t axis = 0; axis < from->shape.rank; axis++) {
    indices[axis] = coordinate(x, axis, kept, to, &inside);
    kept += is_kept(op->attrs, axis);
  }
  val taken = expand_take(x->b, op->operands[0], indices);
  if (op->attrs->mode == IR_MODE_FILL && inside) taken = ir_map3(x->b, IR_select, inside, taken, fill_of(x, to));
  return x->results[0] = taken, true;
}

/* ---- scatter ---- */

typedef struct scattering {
  expansion *x;
  ir_builder *b;
  val digits[KILN_MAX_RANK]; /* which index: its place along every axis of the indices but the last */
  val access[2 + KILN_MAX_RANK + 1];
  uint32_t access_count;
  ir_attrs attrs; /* of the window in the scratch */
  ir_shape window;
  val inside;
} scattering;

static void split_number(scattering *s, val number) {
  const ir_type *type = &s->x->op->operands[1]->type;
  for (uint32_t k = window_count(s->x->op); k-- > 0;) {
    val extent = ir_scalar_i32(s->b, ir_extent(type, k));
    s->digits[k] = ir_map2(s->b, IR_rem, number, extent);
    number = ir_map2(s->b, IR_div, number, extent);
  }
}

/* A box of `v` as a tile of the shape. */
static val box_of(scattering *s, val v, const val *starts, const ir_list *sizes, const ir_shape *shape) {
  val operands[1 + KILN_MAX_RANK] = {v};
  for (uint32_t d = 0; d < v->type.shape.rank; d++) operands[1 + d] = starts[d];
  val box = ir_make1(s->b, IR_dynamic_slice, operands, 1 + v->type.shape.rank, &(ir_attrs){.size = *sizes});
  return expand_reshape(s->b, box, shape);
}

static val component(scattering *s, uint32_t k) {
  val indices = s->x->op->operands[1];
  const uint32_t last = window_count(s->x->op);
  ir_list sizes = {.count = last + 1};
  val starts[KILN_MAX_RANK];
  for (uint32_t d = 0; d < last; d++) starts[d] = s->digits[d], sizes.at[d] = 1;
  starts[last] = ir_scalar_i32(s->b, k);
  sizes.at[last] = 1;
  return ir_convert(s->b, box_of(s, indices, starts, &sizes, &(ir_shape){0}), IR_I32);
}

static void place_axis(scattering *s, uint32_t axis, const ir_type *whole) {
  const ir_attrs *a = s->x->op->attrs;
  const int32_t k = ir_list_find(&a->start_map, axis), batch = ir_list_find(&a->batch_dims, axis);
  const bool kept = is_kept(a, axis);
  const int64_t size = kept ? ir_extent(&s->x->op->operands[2]->type, (uint32_t)a->offset_dims.at[s->window.rank]) : 1;
  const int64_t room = ir_extent(whole, axis) - size;
  ir_index *index = &s->attrs.index[axis];
  *index = (ir_index){.point = !kept, .operand = -1, .stride = 1, .start = ir_dim_const(s->b->module, 0)};
  if (kept) s->window.dims[s->window.rank++] = index->size = ir_dim_const(s->b->module, size);
  val start = k >= 0 ? component(s, (uint32_t)k) : batch >= 0 ? s->digits[a->index_batch_dims.at[batch]] : NULL;
  if (k >= 0 && a->mode == IR_MODE_CLIP) start = expand_clamp(s->b, start, 0, room);
  if (k >= 0 && a->mode == IR_MODE_FILL) {
    val fits = expand_within(s->b, start, 0, room);
    s->inside = s->inside ? ir_map2(s->b, IR_and, s->inside, fits) : fits;
  }
  if (!start) return;
  index->operand = (int32_t)s->access_count;
  s->access[s->access_count++] = start;
}

static val update_of(scattering *s) {
  val updates = s->x->op->operands[2];
  ir_list sizes = {.count = updates->type.shape.rank};
  val starts[KILN_MAX_RANK];
  for (uint32_t d = 0; d < sizes.count; d++) {
    starts[d] = ir_scalar_i32(s->b, 0);
    sizes.at[d] = ir_extent(&updates->type, d);
  }
  for (uint32_t k = 0; k < window_count(s->x->op); k++) {
    uint32_t axis = place_of_index(s->x->op, k);
    starts[axis] = s->digits[k];
    sizes.at[axis] = 1;
  }
  return box_of(s, updates, starts, &sizes, &s->window);
}

/* The window as it is; a load's starts stand one place before a store's. */
static val read_window(scattering *s, val scratch) {
  val operands[1 + KILN_MAX_RANK + 1] = {scratch};
  uint32_t count = 1;
  ir_attrs read = s->attrs;
  while (count + 1 < s->access_count) operands[count] = s->access[count + 1], count++;
  for (uint32_t axis = 0; axis < read.index_count; axis++) read.index[axis].operand -= read.index[axis].operand > 0;
  return ir_make1(s->b, IR_load, operands, count, &read);
}

/* One window: read, combined, written. */
static void scatter_one(scattering *s, val scratch, val number) {
  const ir_type *whole = &s->x->op->operands[0]->type;
  const uint32_t combine = s->x->op->attrs->combine;
  split_number(s, number);
  s->access_count = 2; /* a store's: behind the ref and the value */
  s->attrs.index_count = whole->shape.rank;
  for (uint32_t axis = 0; axis < whole->shape.rank; axis++) place_axis(s, axis, whole);
  s->attrs.masked = s->inside != NULL;
  if (s->inside) s->access[s->access_count++] = ir_broadcast_to(s->b, s->inside, &s->window);
  val value = update_of(s);
  if (combine != IR_COMBINE_SET) value = ir_map2(s->b, (ir_code)(combine - 1), read_window(s, scratch), value);
  s->access[0] = scratch;
  s->access[1] = value;
  ir_make(s->b, IR_store, s->access, s->access_count, &s->attrs);
}

bool expand_scatter(expansion *x) {
  ir_builder *b = x->b;
  const ir_type type = x->op->operands[0]->type;
  int64_t count = 1;
  for (uint32_t k = 0; k < window_count(x->op); k++) count *= ir_extent(&x->op->operands[1]->type, k);
  val scratch = pass_scratch(b, IR_SPACE_GMEM, type.dtype, &type.shape, (kiln_str){0});
  pass_store_whole(b, scratch, x->op->operands[0]);
  expand_loop loop = expand_loop_begin(b, ir_scalar_i32(b, 0), ir_scalar_i32(b, count), NULL, 0);
  scattering s = {.x = x, .b = b};
  scatter_one(&s, scratch, loop.index);
  expand_loop_end(b, &loop, NULL, NULL, 0);
  return x->results[0] = pass_load_whole(b, scratch), true;
}
