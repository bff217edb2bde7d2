/* Types of the ops that make, move or convert elements. */
#include "ir/infer/infer.h"

typedef bool (*shape_rule)(ir_builder *b, ir_op *op);

static ir_dim dim(ir_builder *b, int64_t value) { return ir_dim_const(b->module, value); }
static const ir_shape *operand_shape(const ir_op *op) { return &op->operands[0]->type.shape; }

static bool infer_full(ir_builder *b, ir_op *op) {
  return ir_infer_result(b, op, ir_tile_type(op->attrs->type, &op->attrs->shape));
}

static bool infer_size(ir_builder *b, ir_op *op) { return ir_infer_result(b, op, ir_tile_type(IR_I32, NULL)); }

static bool infer_iota(ir_builder *b, ir_op *op) {
  return ir_need_class(b, op, op->attrs->type, T_NUM) && ir_need_axis(b, op, &op->attrs->axis, op->attrs->shape.rank) &&
         infer_full(b, op);
}

static bool infer_convert(ir_builder *b, ir_op *op) {
  return ir_infer_result(b, op, ir_tile_type(op->attrs->type, operand_shape(op)));
}

static bool infer_bitcast(ir_builder *b, ir_op *op) {
  const ir_dtype_info *from = ir_dtype_get(op->operands[0]->type.dtype), *to = ir_dtype_get(op->attrs->type);
  if (!ir_need_class(b, op, op->operands[0]->type.dtype, T_NUM) || !ir_need_class(b, op, op->attrs->type, T_NUM))
    return false;
  ir_type type = ir_tile_type(op->attrs->type, operand_shape(op));
  ir_shape *shape = &type.shape;
  const uint32_t ratio = from->bits > to->bits ? from->bits / to->bits : to->bits / from->bits;
  bool fits = from->bits == to->bits || (from->bits >= 8 && to->bits >= 8); /* less than a byte is not packed */
  if (from->bits > to->bits && fits) {
    fits = shape->rank < KILN_MAX_RANK;
    if (fits) shape->dims[shape->rank++] = dim(b, ratio);
  } else if (from->bits < to->bits && fits) {
    fits = shape->rank > 0 && ir_dim_equal(shape->dims[shape->rank - 1], dim(b, ratio)) != IR_NO;
    shape->rank -= fits;
  }
  if (fits) return ir_infer_result(b, op, type);
  diag_report(b->diags, DIAG_width_mismatch, op->loc, from->name, (long long)from->bits, to->name, (long long)to->bits,
              (long long)ratio);
  return false;
}

static bool cannot_broadcast(ir_builder *b, const ir_op *op) {
  kiln_str from = ir_shape_text(b->module, operand_shape(op)), to = ir_shape_text(b->module, &op->attrs->shape);
  diag_report(b->diags, DIAG_cannot_broadcast, op->loc, STR_FMT(from), STR_FMT(to));
  return false;
}

static bool infer_broadcast(ir_builder *b, ir_op *op) {
  ir_list *axes = &op->attrs->axes;
  const ir_shape *from = operand_shape(op), *to = &op->attrs->shape;
  if (from->rank > to->rank) return cannot_broadcast(b, op);
  if (axes->count == 0) {
    for (uint32_t i = 0; i < from->rank; i++) axes->at[axes->count++] = (int64_t)to->rank - from->rank + i;
  }
  if (!ir_need_list(b, op, "axes", axes, from->rank) || !ir_need_axes(b, op, axes, to->rank)) return false;
  for (uint32_t i = 0; i < from->rank; i++) {
    if (i > 0 &&
        !ir_need_range(b, op, "an axis after a larger one", axes->at[i], axes->at[i] > axes->at[i - 1], "growing axes"))
      return false;
    ir_dim d = from->dims[i];
    if (!(ir_dim_known(d) && d->value == 1) && ir_dim_equal(d, to->dims[axes->at[i]]) == IR_NO)
      return cannot_broadcast(b, op);
  }
  return ir_infer_result(b, op, ir_tile_type(op->operands[0]->type.dtype, to));
}

ir_dim ir_count_dim(ir_module *m, const ir_shape *shape) {
  ir_dim product = ir_dim_const(m, 1);
  for (uint32_t i = 0; i < shape->rank; i++) product = ir_dim_make(m, IR_DIM_MUL, product, shape->dims[i]);
  return product;
}

static bool infer_reshape(ir_builder *b, ir_op *op) {
  const ir_shape *from = operand_shape(op), *to = &op->attrs->shape;
  if (!infer_full(b, op)) return false; /* checks the size of the product */
  op->results[0]->type.dtype = op->operands[0]->type.dtype;
  ir_dim have = ir_count_dim(b->module, from), want = ir_count_dim(b->module, to);
  if (ir_dim_equal(have, want) != IR_NO) return true;
  kiln_str old_text = ir_shape_text(b->module, from), new_text = ir_shape_text(b->module, to);
  diag_report(b->diags, DIAG_element_count, op->loc, STR_FMT(old_text), STR_FMT(new_text));
  return false;
}

static bool infer_transpose(ir_builder *b, ir_op *op) {
  ir_list *axes = &op->attrs->axes;
  ir_type type = op->operands[0]->type;
  const ir_shape *from = operand_shape(op);
  if (axes->count == 0) {
    for (uint32_t i = 0; i < from->rank; i++) axes->at[axes->count++] = (int64_t)from->rank - 1 - i;
  }
  if (!ir_need_list(b, op, "axes", axes, from->rank) || !ir_need_axes(b, op, axes, from->rank)) return false;
  for (uint32_t i = 0; i < from->rank; i++) type.shape.dims[i] = from->dims[axes->at[i]];
  return ir_infer_result(b, op, type);
}

static bool infer_concatenate(ir_builder *b, ir_op *op) {
  if (!ir_need_range(b, op, "the number of operands", op->operand_count, op->operand_count > 0, "at least 1"))
    return false;
  ir_type type = op->operands[0]->type;
  if (!ir_need_axis(b, op, &op->attrs->axis, type.shape.rank)) return false;
  int64_t axis = op->attrs->axis;
  for (uint32_t i = 1; i < op->operand_count; i++) {
    ir_shape part = op->operands[i]->type.shape, expected = type.shape;
    kiln_str what = str_format(&b->module->arena, "operand %u", i + 1);
    if (part.rank == expected.rank) expected.dims[axis] = part.dims[axis];
    if (!ir_need_same_dtype(b, op, 0, i) ||
        !ir_need_shape(b, op, what.data, &part, "it should fit operand 1, which", &expected))
      return false;
    type.shape.dims[axis] = ir_dim_make(b->module, IR_DIM_ADD, type.shape.dims[axis], part.dims[axis]);
  }
  return ir_infer_result(b, op, type);
}

/* One dimension of a slice. A size of -1 becomes a number as soon as the dimension is one. */
static bool slice_dim(ir_builder *b, ir_op *op, uint32_t i, ir_dim *out) {
  int64_t start = op->attrs->start.at[i], *size = &op->attrs->size.at[i], stride = op->attrs->stride.at[i], last;
  ir_dim d = *out;
  if (!ir_need_range(b, op, "a start", start, start >= 0, "at least 0") ||
      !ir_need_range(b, op, "a stride", stride, stride >= 1, "at least 1") ||
      !ir_need_range(b, op, "a size", *size, *size >= -1, "at least 0"))
    return false;
  if (*size < 0 && ir_dim_known(d)) *size = start < d->value ? (d->value - start - 1) / stride + 1 : 0;
  if (*size < 0) {
    ir_dim rest = ir_dim_make(b->module, IR_DIM_SUB, d, dim(b, start));
    return *out = ir_dim_make(b->module, IR_DIM_CDIV, rest, dim(b, stride)), true;
  }
  *out = dim(b, *size);
  if (*size == 0 || !ir_dim_known(d)) return true;
  bool fits = i64_mul(*size - 1, stride, &last) && i64_add(last, start, &last) && last < d->value;
  if (!fits)
    diag_report(b->diags, DIAG_slice_range, op->loc, (long long)i, (long long)start, (long long)*size,
                (long long)stride, (long long)d->value);
  return fits;
}

static bool infer_slice(ir_builder *b, ir_op *op) {
  ir_type type = op->operands[0]->type;
  ir_list *stride = &op->attrs->stride;
  if (stride->count == 0) {
    while (stride->count < type.shape.rank) stride->at[stride->count++] = 1;
  }
  if (!ir_need_list(b, op, "start", &op->attrs->start, type.shape.rank) ||
      !ir_need_list(b, op, "size", &op->attrs->size, type.shape.rank) ||
      !ir_need_list(b, op, "stride", stride, type.shape.rank))
    return false;
  for (uint32_t i = 0; i < type.shape.rank; i++) {
    if (!slice_dim(b, op, i, &type.shape.dims[i])) return false;
  }
  return ir_infer_result(b, op, type);
}

/* d + low + high + (d - 1) * interior; a dimension of 0 has no gaps to fill. */
static ir_dim pad_dim(ir_builder *b, ir_dim d, int64_t low, int64_t high, int64_t interior) {
  ir_dim sum = ir_dim_make(b->module, IR_DIM_ADD, d, dim(b, low));
  sum = ir_dim_make(b->module, IR_DIM_ADD, sum, dim(b, high));
  if (interior == 0 || (ir_dim_known(d) && d->value == 0)) return sum;
  ir_dim gaps = ir_dim_make(b->module, IR_DIM_SUB, d, dim(b, 1));
  return ir_dim_make(b->module, IR_DIM_ADD, sum, ir_dim_make(b->module, IR_DIM_MUL, gaps, dim(b, interior)));
}

static bool infer_pad(ir_builder *b, ir_op *op) {
  static const int64_t most = INT64_C(1) << 31;
  ir_attrs *attrs = op->attrs;
  ir_type type = op->operands[0]->type, scalar = {.kind = IR_TILE, .dtype = type.dtype};
  if (attrs->interior.count == 0) attrs->interior.count = type.shape.rank;
  if (!ir_need_list(b, op, "low", &attrs->low, type.shape.rank) ||
      !ir_need_list(b, op, "high", &attrs->high, type.shape.rank) ||
      !ir_need_list(b, op, "interior", &attrs->interior, type.shape.rank) ||
      !ir_need_type(b, op, "operand 2", &op->operands[1]->type, &scalar))
    return false;
  for (uint32_t i = 0; i < type.shape.rank; i++) {
    int64_t low = attrs->low.at[i], high = attrs->high.at[i], interior = attrs->interior.at[i];
    if (!ir_need_range(b, op, "low", low, low > -most && low < most, "less than 2^31 either way") ||
        !ir_need_range(b, op, "high", high, high > -most && high < most, "less than 2^31 either way") ||
        !ir_need_range(b, op, "interior", interior, interior >= 0 && interior < most, "0 to 2^31 - 1"))
      return false;
    type.shape.dims[i] = pad_dim(b, type.shape.dims[i], low, high, interior);
  }
  return ir_infer_result(b, op, type);
}

static bool infer_reverse(ir_builder *b, ir_op *op) {
  return ir_need_axes(b, op, &op->attrs->axes, operand_shape(op)->rank) &&
         ir_infer_result(b, op, op->operands[0]->type);
}

static bool infer_integer_pow(ir_builder *b, ir_op *op) {
  const ir_type type = op->operands[0]->type;
  bool real = ir_is_float(type.dtype);
  return ir_need_class(b, op, type.dtype, T_NUM) &&
         ir_need_range(b, op, "exponent", op->attrs->exponent, real || op->attrs->exponent >= 0,
                       "at least 0 for integers") &&
         ir_infer_result(b, op, type);
}

static bool infer_reduce_precision(ir_builder *b, ir_op *op) {
  const ir_attrs *a = op->attrs;
  return ir_need_class(b, op, op->operands[0]->type.dtype, T_FLOAT) &&
         ir_need_range(b, op, "exponent", a->exponent, a->exponent >= 1 && a->exponent <= 64, "1 to 64") &&
         ir_need_range(b, op, "mantissa", a->mantissa, a->mantissa >= 0 && a->mantissa <= 64, "0 to 64") &&
         ir_infer_result(b, op, op->operands[0]->type);
}

static const shape_rule rules[IR_CODE_COUNT] = {
    [IR_full] = infer_full,
    [IR_size] = infer_size,
    [IR_iota] = infer_iota,
    [IR_convert] = infer_convert,
    [IR_bitcast] = infer_bitcast,
    [IR_broadcast] = infer_broadcast,
    [IR_reshape] = infer_reshape,
    [IR_transpose] = infer_transpose,
    [IR_concatenate] = infer_concatenate,
    [IR_slice] = infer_slice,
    [IR_pad] = infer_pad,
    [IR_reverse] = infer_reverse,
    [IR_dynamic_slice] = ir_infer_dynamic_slice,
    [IR_update] = ir_infer_update,
    [IR_take] = ir_infer_take,
    [IR_gather] = ir_infer_gather,
    [IR_scatter] = ir_infer_scatter,
    [IR_roll] = ir_infer_roll,
    [IR_sort] = ir_infer_sort,
    [IR_top_k] = ir_infer_top_k,
    [IR_integer_pow] = infer_integer_pow,
    [IR_reduce_precision] = infer_reduce_precision,
};

bool ir_infer_shape(ir_builder *b, ir_op *op) {
  const ir_op_info *info = ir_op_get(op->code);
  return (info->arity < 0 || ir_need_count(b, op, (uint32_t)info->arity)) && ir_need_tiles(b, op) &&
         rules[op->code](b, op);
}
