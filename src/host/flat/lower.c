/* Pure ops: elementwise ones join the open loop, shape ops change strides, the rest becomes an instruction of its own.
 */
#include <string.h>

#include "host/flat/flatten.h"

static void shape_of(const ir_value *v, int64_t *dims) {
  for (uint32_t d = 0; d < KILN_MAX_RANK; d++) dims[d] = d < v->type.shape.rank ? ir_extent(&v->type, d) : 0;
}

/* An op whose result nobody wants. */
static void drop(flat *f, const ir_op *op) {
  for (uint32_t k = 0; k < op->operand_count; k++) {
    flat_value *value = flat_value_of(f, op->operands[k]);
    value->left--;
    if (value->kind == FLAT_AT) flat_tile_take(f, value->tile);
  }
}

/* ---- elementwise ---- */

static void scalar_op(flat *f, const ir_op *op, ir_lanes_fn fn) {
  host_scalar *detail = ARENA_NEW(f->arena, host_scalar);
  for (uint32_t k = 0; k < 3; k++)
    detail->in[k] = k < op->operand_count ? flat_dense(f, op->operands[k]) : detail->in[0];
  detail->fn = fn;
  detail->out = flat_result_tile(f, op->results[0]);
  for (uint32_t k = 0; k < op->operand_count; k++) flat_take(f, op->operands[k]);
  flat_emit(f, HOST_SCALAR, detail);
}

/* Makes sure that a value can be an input of the loop that is open, or about to be. */
static void ready(flat *f, const ir_value *v) {
  flat_kind kind = flat_value_of(f, v)->kind;
  if (kind == FLAT_PRODUCT || kind == FLAT_PENDING) flat_at(f, v);
}

/* The open loop with all operands of `op` in it. */
static void gather(flat *f, const ir_op *op, uint32_t in[3]) {
  const ir_value *v = op->results[0];
  int64_t dims[KILN_MAX_RANK];
  shape_of(v, dims);
  for (uint32_t k = 0; k < op->operand_count; k++) ready(f, op->operands[k]);
  flat_group_begin(f, dims, v->type.shape.rank);
  for (uint32_t k = 0; k < op->operand_count; k++) in[k] = flat_group_value(f, op->operands[k]);
}

static void map_op(flat *f, const ir_op *op) {
  const ir_value *v = op->results[0];
  const ir_dtype dtype = op->operands[op->operand_count - 1]->type.dtype;
  uint32_t in[3];
  if (op->code == IR_add && flat_accumulate(f, op)) return;
  if (v->type.shape.rank == 0) {
    scalar_op(f, op, ir_lanes(op->code, dtype));
    return;
  }
  gather(f, op, in);
  flat_group_result(f, v, flat_group_map(f, op->code, dtype, in, op->operand_count, flat_bytes(v)));
}

static void convert_op(flat *f, const ir_op *op) {
  const ir_value *v = op->results[0];
  const ir_lanes_fn fn = ir_convert_lanes(op->operands[0]->type.dtype, v->type.dtype);
  uint32_t in[3];
  if (v->type.shape.rank == 0) {
    scalar_op(f, op, fn);
    return;
  }
  gather(f, op, in);
  flat_group_result(f, v, flat_group_micro(f, fn, in, 1, flat_bytes(v)));
}

/* ---- constants ---- */

static void full_op(flat *f, const ir_op *op) {
  const ir_value *v = op->results[0];
  uint64_t bits = op->code == IR_size ? ir_bits_from_i64(IR_I32, op->attrs->dim->value) : op->attrs->bits;
  host_operand *at = flat_operand_dense(f, &v->type, flat_constant(f, &bits, sizeof bits));
  memset(at->strides, 0, sizeof at->strides);
  flat_set_at(f, v, at, HOST_NONE);
}

/* One row of numbers, repeated along the other axes. */
static void iota_op(flat *f, const ir_op *op) {
  const ir_value *v = op->results[0];
  const uint32_t axis = (uint32_t)op->attrs->axis;
  int64_t count = ir_extent(&v->type, axis), stride = flat_bytes(v);
  if ((uint64_t)count > f->plan->memory_limit / 16) {
    f->too_large = true;
    count = 0;
  }
  int64_t *numbers = ARENA_ARRAY(f->arena, int64_t, (size_t)count + 1);
  void *row = arena_alloc(f->arena, (size_t)(count + 1) * 8);
  for (int64_t i = 0; i < count; i++) numbers[i] = i;
  ir_convert_lanes(IR_I64, v->type.dtype)(row, (const void *const[]){numbers}, (size_t)count);
  host_operand *at = flat_operand_dense(f, &v->type, flat_constant(f, row, (uint64_t)(count + 1) * 8));
  memset(at->strides, 0, sizeof at->strides);
  at->strides[axis] = stride;
  flat_set_at(f, v, at, HOST_NONE);
}

/* ---- strides only ---- */

static void bitcast_op(flat *f, const ir_op *op) {
  const ir_value *v = op->results[0], *from = op->operands[0];
  if (flat_bytes(v) != flat_bytes(from)) {
    flat_bitcast_width(f, op);
    return;
  }
  ready(f, from);
  if (flat_value_of(f, from)->kind == FLAT_REG)
    flat_group_result(f, v, flat_group_value(f, from));
  else
    flat_share(f, v, from, arena_copy(f->arena, flat_at(f, from), sizeof(host_operand)));
}

static void broadcast_op(flat *f, const ir_op *op) {
  flat_share(f, op->results[0], op->operands[0],
             flat_broadcast(f, flat_at(f, op->operands[0]), &op->results[0]->type, &op->attrs->axes));
}

static void transpose_op(flat *f, const ir_op *op) {
  flat_share(f, op->results[0], op->operands[0], flat_transpose(f, flat_at(f, op->operands[0]), &op->attrs->axes));
}

static void slice_op(flat *f, const ir_op *op) {
  const ir_attrs *attrs = op->attrs;
  ir_list size = attrs->size;
  for (uint32_t d = 0; d < op->results[0]->type.shape.rank; d++) size.at[d] = ir_extent(&op->results[0]->type, d);
  flat_share(f, op->results[0], op->operands[0],
             flat_slice(f, flat_at(f, op->operands[0]), &attrs->start, &size, &attrs->stride));
}

static void reverse_op(flat *f, const ir_op *op) {
  flat_share(f, op->results[0], op->operands[0], flat_reverse(f, flat_at(f, op->operands[0]), &op->attrs->axes));
}

static void reshape_op(flat *f, const ir_op *op) {
  const ir_value *v = op->results[0], *from = op->operands[0];
  host_operand *at = flat_reshape(f, flat_at(f, from), &v->type, flat_bytes(v));
  if (at) {
    flat_share(f, v, from, at);
    return;
  }
  uint32_t slot = flat_result_tile(f, v);
  flat_copy(f, flat_at(f, from), flat_operand_dense(f, &from->type, slot), flat_bytes(v));
  flat_take(f, from);
}

/* ---- copies into a new tile ---- */

static void concatenate_op(flat *f, const ir_op *op) {
  const ir_value *v = op->results[0];
  const uint32_t axis = (uint32_t)op->attrs->axis;
  for (uint32_t k = 0; k < op->operand_count; k++) flat_at(f, op->operands[k]);
  host_operand whole = *flat_operand_dense(f, &v->type, flat_result_tile(f, v));
  for (uint32_t k = 0; k < op->operand_count; k++) {
    const host_operand *from = flat_at(f, op->operands[k]);
    host_operand part = whole;
    memcpy(part.dims, from->dims, sizeof part.dims);
    flat_copy(f, from, &part, flat_bytes(v));
    flat_take(f, op->operands[k]);
    whole.offset += from->dims[axis] * whole.strides[axis];
  }
}

/* The elements of one dimension that land inside the result: [first, end) of `count`, at low + i * step. */
static void landing(int64_t count, int64_t low, int64_t step, int64_t room, int64_t *first, int64_t *end) {
  *first = low < 0 ? (-low + step - 1) / step : 0;
  *end = room <= low ? 0 : (room - 1 - low) / step + 1;
  if (*end > count) *end = count;
  if (*first > *end) *first = *end;
}

static void pad_op(flat *f, const ir_op *op) {
  const ir_value *v = op->results[0], *x = op->operands[0], *value = op->operands[1];
  const ir_attrs *attrs = op->attrs;
  const ir_list none = {0};
  flat_at(f, x);
  flat_at(f, value);
  host_operand *to = flat_operand_dense(f, &v->type, flat_result_tile(f, v));
  flat_copy(f, flat_broadcast(f, flat_at(f, value), &v->type, &none), to, flat_bytes(v));
  host_operand from = *flat_at(f, x), part = *to;
  for (uint32_t d = 0; d < part.rank; d++) {
    int64_t step = attrs->interior.at[d] + 1, low = attrs->low.at[d], first, end;
    landing(from.dims[d], low, step, to->dims[d], &first, &end);
    from.offset += first * from.strides[d];
    from.dense_offset += first * from.dense_strides[d];
    part.offset += end > first ? (low + first * step) * part.strides[d] : 0;
    part.strides[d] *= step;
    part.dims[d] = from.dims[d] = end - first;
  }
  flat_copy(f, &from, &part, flat_bytes(v));
  flat_take(f, x);
  flat_take(f, value);
}

/* ---- reductions and scans ---- */

static bool in_list(const ir_list *list, uint32_t axis) {
  for (uint32_t k = 0; k < list->count; k++)
    if (list->at[k] == axis) return true;
  return false;
}

/* The result's strides over the operand's dimensions. */
static host_operand reduced_operand(const ir_op *op, const int64_t *dims, uint32_t rank, uint32_t slot, int64_t bytes) {
  host_operand to = {.slot = slot, .box = HOST_NONE, .staging = HOST_NONE, .rank = rank};
  memcpy(to.dims, dims, sizeof to.dims);
  for (uint32_t d = rank; d-- > 0;) {
    if (in_list(&op->attrs->axes, d)) continue;
    to.strides[d] = bytes;
    bytes *= dims[d];
  }
  return to;
}

static void reduce_op(flat *f, const ir_op *op) {
  const ir_value *x = op->operands[0], *v = op->results[0];
  const bool narrow = ir_is_float(v->type.dtype) && ir_dtype_wide(v->type.dtype) != v->type.dtype;
  const ir_dtype dtype = narrow ? IR_F32 : v->type.dtype;
  const uint32_t bytes = (uint32_t)ir_dtype_bytes(dtype), rank = x->type.shape.rank;
  int64_t dims[KILN_MAX_RANK];
  shape_of(x, dims);
  ready(f, x);
  flat_group_begin(f, dims, rank);
  uint32_t reg = flat_group_value(f, x);
  if (narrow) reg = flat_group_micro(f, ir_convert_lanes(v->type.dtype, IR_F32), &reg, 1, bytes);
  uint32_t slot = flat_slot(f, (uint64_t)ir_count(&v->type) * bytes);
  host_operand to = reduced_operand(op, dims, rank, slot, bytes);
  flat_sink *sink = flat_group_sink(f, reg, &to, bytes);
  sink->sink.combine = ir_lanes((ir_code)ir_op_get(op->code)->combine, dtype);
  sink->sink.reduce = ir_reduce_lanes(op->code, dtype);
  sink->sink.identity = ir_identity_bits_as(op->code, v->type.dtype, dtype);
  sink->sink.result_count = ir_count(&v->type);
  sink->result = v->id;
  sink->narrow = narrow;
  flat_value_of(f, v)->kind = FLAT_PENDING;
  flat_value_of(f, v)->home = f->region;
}

void flat_split_axis(const ir_value *x, uint32_t axis, int64_t *outer, int64_t *count, int64_t *inner) {
  *outer = *inner = 1;
  *count = ir_extent(&x->type, axis);
  for (uint32_t d = 0; d < axis; d++) *outer *= ir_extent(&x->type, d);
  for (uint32_t d = axis + 1; d < x->type.shape.rank; d++) *inner *= ir_extent(&x->type, d);
}

static void arg_op(flat *f, const ir_op *op) {
  const ir_value *x = op->operands[0];
  host_arg *arg = ARENA_NEW(f->arena, host_arg);
  arg->dtype = ir_dtype_wide(x->type.dtype);
  const bool same = arg->dtype == x->type.dtype;
  arg->in = same ? flat_dense(f, x) : flat_converted(f, flat_at(f, x), x->type.dtype, arg->dtype)->slot;
  arg->smallest = op->code == IR_argmin;
  flat_split_axis(x, (uint32_t)op->attrs->axes.at[0], &arg->outer, &arg->count, &arg->inner);
  arg->out = flat_result_tile(f, op->results[0]);
  flat_take(f, x);
  flat_emit(f, HOST_ARG, arg);
}

static void scan_op(flat *f, const ir_op *op) {
  const ir_value *x = op->operands[0];
  host_scan *scan = ARENA_NEW(f->arena, host_scan);
  scan->in = flat_dense(f, x);
  scan->combine = ir_lanes((ir_code)ir_op_get(op->code)->combine, x->type.dtype);
  scan->bytes = flat_bytes(x);
  scan->reverse = op->attrs->reverse;
  flat_split_axis(x, (uint32_t)op->attrs->axis, &scan->outer, &scan->count, &scan->inner);
  scan->out = flat_result_tile(f, op->results[0]);
  scan->spare = flat_slot(f, (uint64_t)scan->count * scan->bytes);
  flat_free_slot(f, scan->spare);
  flat_take(f, x);
  flat_emit(f, HOST_SCAN, scan);
}

/* ---- dispatch ---- */

static void shape_op(flat *f, const ir_op *op) {
  switch (op->code) {
    case IR_full:
    case IR_size: full_op(f, op); break;
    case IR_iota: iota_op(f, op); break;
    case IR_convert: convert_op(f, op); break;
    case IR_bitcast: bitcast_op(f, op); break;
    case IR_dynamic_slice: flat_dynamic_slice(f, op); break;
    case IR_update: flat_update(f, op); break;
    case IR_take: flat_take_op(f, op); break;
    case IR_sort: flat_sort(f, op); break;
    case IR_broadcast: broadcast_op(f, op); break;
    case IR_reshape: reshape_op(f, op); break;
    case IR_transpose: transpose_op(f, op); break;
    case IR_concatenate: concatenate_op(f, op); break;
    case IR_slice: slice_op(f, op); break;
    case IR_pad: pad_op(f, op); break;
    case IR_reverse: reverse_op(f, op); break;
    default: flat_dot(f, op); break;
  }
}

void flat_pure(flat *f, const ir_op *op) {
  const ir_op_info *info = ir_op_get(op->code);
  bool wanted = false;
  for (uint32_t k = 0; k < op->result_count; k++) wanted |= flat_value_of(f, op->results[k])->left > 0;
  if (!wanted) {
    drop(f, op);
    return;
  }
  switch (info->form) {
    case IR_FORM_MAP: map_op(f, op); break;
    case IR_FORM_REDUCE: info->combine < 0 ? arg_op(f, op) : reduce_op(f, op); break;
    case IR_FORM_SCAN: scan_op(f, op); break;
    default: shape_op(f, op); break;
  }
}
