/* Types of ops that find elements by computed indices, and of sorts. */
#include "ir/infer/infer.h"

static ir_dim dim(ir_builder *b, int64_t value) { return ir_dim_const(b->module, value); }
static const ir_shape *shape_of(const ir_op *op, uint32_t operand) { return &op->operands[operand]->type.shape; }

static bool need_least(ir_builder *b, const ir_op *op, uint32_t count) {
  return op->operand_count >= count || ir_need_count(b, op, count);
}

/* Operands from `first` on are one i32 scalar for every axis of operand 0. */
static bool need_starts(ir_builder *b, const ir_op *op, uint32_t first) {
  if (!need_least(b, op, first) || !ir_need_count(b, op, first + shape_of(op, 0)->rank)) return false;
  for (uint32_t i = first; i < op->operand_count; i++)
    if (!ir_need_scalar_i32(b, op, "a start", &op->operands[i]->type)) return false;
  return true;
}

/* A part's size in a dimension of the whole. */
static bool need_fit(ir_builder *b, const ir_op *op, ir_dim part, ir_dim whole) {
  if (!ir_dim_known(part)) return true;
  return ir_need_range(b, op, "a size", part->value,
                       part->value >= 0 && (!ir_dim_known(whole) || part->value <= whole->value),
                       "0 to the size of the dimension");
}

bool ir_infer_dynamic_slice(ir_builder *b, ir_op *op) {
  ir_type type = op->operand_count ? op->operands[0]->type : ir_tile_type(IR_I32, NULL);
  if (!need_starts(b, op, 1) || !ir_need_list(b, op, "size", &op->attrs->size, type.shape.rank)) return false;
  for (uint32_t i = 0; i < type.shape.rank; i++) { /* -1: the whole dimension, a number as soon as that is one */
    ir_dim whole = type.shape.dims[i];
    int64_t *size = &op->attrs->size.at[i];
    if (*size == -1 && !ir_dim_known(whole)) continue;
    if (*size == -1) *size = whole->value;
    type.shape.dims[i] = dim(b, *size);
    if (!need_fit(b, op, type.shape.dims[i], whole)) return false;
  }
  return ir_infer_result(b, op, type);
}

bool ir_infer_update(ir_builder *b, ir_op *op) {
  if (!need_starts(b, op, 2) || !ir_need_same_dtype(b, op, 0, 1)) return false;
  const ir_shape *whole = shape_of(op, 0), *part = shape_of(op, 1);
  if (part->rank != whole->rank) return ir_need_shape(b, op, "operand 2", part, "operand 1", whole);
  for (uint32_t i = 0; i < whole->rank; i++)
    if (!need_fit(b, op, part->dims[i], whole->dims[i])) return false;
  return ir_infer_result(b, op, op->operands[0]->type);
}

bool ir_infer_take(ir_builder *b, ir_op *op) {
  if (!need_least(b, op, 2) || !ir_need_count(b, op, 1 + shape_of(op, 0)->rank)) return false;
  ir_type index = ir_tile_type(IR_I32, shape_of(op, 1)), result = index;
  for (uint32_t i = 1; i < op->operand_count; i++)
    if (!ir_need_type(b, op, "an index", &op->operands[i]->type, &index)) return false;
  result.dtype = op->operands[0]->type.dtype;
  return ir_infer_result(b, op, result);
}

bool ir_infer_roll(ir_builder *b, ir_op *op) {
  ir_attrs *attrs = op->attrs;
  uint32_t rank = shape_of(op, 0)->rank;
  if (!ir_need_scalar_i32(b, op, "the shift", &op->operands[1]->type) || !ir_need_axis(b, op, &attrs->axis, rank) ||
      !ir_need_axis(b, op, &attrs->stride_axis, rank))
    return false;
  if (attrs->stride.count > 1) return ir_need_list(b, op, "stride", &attrs->stride, 1);
  return ir_infer_result(b, op, op->operands[0]->type);
}

/* ---- sorts ---- */

bool ir_infer_sort(ir_builder *b, ir_op *op) {
  if (!need_least(b, op, 1) || !ir_need_axis(b, op, &op->attrs->axis, shape_of(op, 0)->rank) ||
      !ir_need_range(b, op, "keys", op->attrs->keys, op->attrs->keys >= 1 && op->attrs->keys <= op->operand_count,
                     "1 to the number of operands"))
    return false;
  ir_type *types = ARENA_ARRAY(&b->module->arena, ir_type, op->operand_count);
  for (uint32_t i = 0; i < op->operand_count; i++) {
    kiln_str what = str_format(&b->module->arena, "operand %u", i + 1);
    if (!ir_need_shape(b, op, what.data, shape_of(op, i), "operand 1", shape_of(op, 0))) return false;
    types[i] = op->operands[i]->type;
  }
  return ir_infer_results(b, op, types, op->operand_count);
}

bool ir_infer_top_k(ir_builder *b, ir_op *op) {
  ir_type types[2] = {op->operands[0]->type, op->operands[0]->type};
  int64_t last = -1;
  if (!ir_need_class(b, op, types[0].dtype, T_NUM) || !ir_need_axis(b, op, &last, types[0].shape.rank)) return false;
  ir_dim k = dim(b, op->attrs->k);
  if (!need_fit(b, op, k, types[0].shape.dims[last])) return false;
  types[0].shape.dims[last] = types[1].shape.dims[last] = k;
  types[1].dtype = IR_I32;
  return ir_infer_results(b, op, types, 2);
}

/* ---- gather and scatter ---- */

/* What both have: indices whose last axis counts the axes of operand 0 that they start along; `rank` is that of what
 * the windows lie side by side in. */
static bool need_windows(ir_builder *b, ir_op *op, uint32_t rank) {
  ir_attrs *a = op->attrs;
  const ir_shape *whole = shape_of(op, 0), *indices = shape_of(op, 1);
  if (!ir_need_class(b, op, op->operands[1]->type.dtype, T_INT) ||
      !ir_need_range(b, op, "the rank of the indices", indices->rank, indices->rank > 0, "at least 1"))
    return false;
  uint32_t last = indices->rank - 1, windows = whole->rank - a->collapsed_dims.count - a->batch_dims.count;
  if (!ir_need_axes(b, op, &a->offset_dims, rank) || !ir_need_axes(b, op, &a->collapsed_dims, whole->rank) ||
      !ir_need_axes(b, op, &a->start_map, whole->rank) || !ir_need_axes(b, op, &a->batch_dims, whole->rank) ||
      !ir_need_axes(b, op, &a->index_batch_dims, last) ||
      !ir_need_list(b, op, "index_batch_dims", &a->index_batch_dims, a->batch_dims.count) ||
      !ir_need_list(b, op, "offset_dims", &a->offset_dims, windows))
    return false;
  for (uint32_t i = 1; i < a->offset_dims.count; i++)
    if (!ir_need_range(b, op, "an offset dimension after a larger one", a->offset_dims.at[i],
                       a->offset_dims.at[i] > a->offset_dims.at[i - 1], "growing ones"))
      return false;
  for (uint32_t i = 0; i < a->batch_dims.count; i++)
    if (!ir_need_range(
            b, op, "a batch dimension", a->batch_dims.at[i],
            !ir_list_has(&a->collapsed_dims, a->batch_dims.at[i]) && !ir_list_has(&a->start_map, a->batch_dims.at[i]),
            "one that is neither collapsed nor started along"))
      return false;
  ir_dim count = indices->dims[last];
  return !ir_dim_known(count) || ir_need_range(b, op, "the last size of the indices", count->value,
                                               count->value == a->start_map.count, "the length of start_map");
}

/* The shape whose axes `offset_dims` are those of windows, in order, and whose others are those of the indices. */
static ir_shape side_by_side(const ir_op *op, const ir_shape *window, uint32_t rank) {
  ir_shape out = {.rank = rank};
  uint32_t next_window = 0, next_index = 0;
  for (uint32_t i = 0; i < rank; i++)
    out.dims[i] =
        ir_list_has(&op->attrs->offset_dims, i) ? window->dims[next_window++] : shape_of(op, 1)->dims[next_index++];
  return out;
}

static bool window_sizes(ir_builder *b, const ir_op *op, ir_shape *window) {
  const ir_attrs *a = op->attrs;
  const ir_shape *whole = shape_of(op, 0);
  if (!ir_need_list(b, op, "slice_sizes", &a->slice_sizes, whole->rank)) return false;
  for (uint32_t i = 0; i < whole->rank; i++) {
    int64_t size = a->slice_sizes.at[i];
    bool gone = ir_list_has(&a->collapsed_dims, i) || ir_list_has(&a->batch_dims, i);
    if (!need_fit(b, op, dim(b, size), whole->dims[i]) ||
        !ir_need_range(b, op, "the size of a dimension that goes", size, !gone || size == 1, "1"))
      return false;
    if (!gone) window->dims[window->rank++] = dim(b, size);
  }
  return true;
}

bool ir_infer_gather(ir_builder *b, ir_op *op) {
  bool filled = op->operand_count == 3;
  if (!ir_need_count(b, op, filled ? 3 : 2)) return false;
  ir_type type = op->operands[0]->type, fill = ir_tile_type(type.dtype, NULL);
  uint32_t rank = shape_of(op, 1)->rank + op->attrs->offset_dims.count - (shape_of(op, 1)->rank > 0);
  ir_shape window = {0};
  if (filled && !ir_need_type(b, op, "operand 3", &op->operands[2]->type, &fill)) return false;
  if (!ir_need_range(b, op, "the rank of the result", rank, rank <= KILN_MAX_RANK, "at most 8") ||
      !need_windows(b, op, rank) || !window_sizes(b, op, &window))
    return false;
  type.shape = side_by_side(op, &window, rank);
  return ir_infer_result(b, op, type);
}

bool ir_infer_scatter(ir_builder *b, ir_op *op) {
  const ir_attrs *a = op->attrs;
  if (!ir_need_count(b, op, 3) || !ir_need_same_dtype(b, op, 0, 2)) return false;
  const ir_shape *whole = shape_of(op, 0), *updates = shape_of(op, 2);
  ir_shape window = {0};
  if (!need_windows(b, op, updates->rank)) return false;
  for (uint32_t i = 0; i < whole->rank; i++) {
    if (ir_list_has(&a->collapsed_dims, i) || ir_list_has(&a->batch_dims, i)) continue;
    ir_dim size = updates->dims[a->offset_dims.at[window.rank]];
    if (!need_fit(b, op, size, whole->dims[i])) return false;
    window.dims[window.rank++] = size;
  }
  uint32_t rank = shape_of(op, 1)->rank - 1 + window.rank;
  if (!ir_need_range(b, op, "the rank of the updates", updates->rank, updates->rank == rank,
                     "that of the windows and the indices, less 1"))
    return false;
  ir_shape expected = side_by_side(op, &window, rank);
  return ir_need_shape(b, op, "operand 3", updates, "what windows and indices make", &expected) &&
         ir_infer_result(b, op, op->operands[0]->type);
}
