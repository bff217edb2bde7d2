/* Types of elementwise ops, reductions and scans. */
#include "ir/infer/infer.h"

/* The shape of all operands; a known dimension wins over one that is still an expression. */
static bool common_shape(ir_builder *b, const ir_op *op, ir_shape *out) {
  *out = op->operands[0]->type.shape;
  for (uint32_t i = 1; i < op->operand_count; i++) {
    const ir_shape *shape = &op->operands[i]->type.shape;
    kiln_str what = str_format(&b->module->arena, "operand %u", i + 1);
    if (!ir_need_shape(b, op, what.data, shape, "operand 1", &op->operands[0]->type.shape)) return false;
    for (uint32_t axis = 0; axis < out->rank; axis++) {
      if (ir_dim_known(shape->dims[axis])) out->dims[axis] = shape->dims[axis];
    }
  }
  return true;
}

bool ir_infer_map(ir_builder *b, ir_op *op) {
  const ir_op_info *info = ir_op_get(op->code);
  uint32_t first = info->result == IR_RESULT_SELECT ? 1 : 0; /* first operand of the common type */
  ir_shape shape;
  if (!ir_need_count(b, op, (uint32_t)info->arity) || !ir_need_tiles(b, op)) return false;
  ir_dtype dtype = op->operands[first]->type.dtype;
  if (first && !ir_need_class(b, op, op->operands[0]->type.dtype, T_BOOL)) return false;
  for (uint32_t i = first + 1; i < op->operand_count; i++) {
    if (!ir_need_same_dtype(b, op, first, i)) return false;
  }
  if (!ir_need_class(b, op, dtype, info->types) || !common_shape(b, op, &shape)) return false;
  return ir_infer_result(b, op, ir_tile_type(info->result == IR_RESULT_BOOL ? IR_BOOL : dtype, &shape));
}

static void sort(ir_list *list) {
  for (uint32_t i = 1; i < list->count; i++) {
    for (uint32_t j = i; j > 0 && list->at[j - 1] > list->at[j]; j--) {
      int64_t swap = list->at[j];
      list->at[j] = list->at[j - 1];
      list->at[j - 1] = swap;
    }
  }
}

bool ir_infer_reduce(ir_builder *b, ir_op *op) {
  const ir_op_info *info = ir_op_get(op->code);
  ir_attrs *attrs = op->attrs;
  bool arg = info->combine < 0;
  if (!ir_need_count(b, op, 1) || !ir_need_tiles(b, op)) return false;
  const ir_type *from = &op->operands[0]->type;
  if (!ir_need_class(b, op, from->dtype, info->types) || !ir_need_axes(b, op, &attrs->axes, from->shape.rank))
    return false;
  if (arg && !ir_need_list(b, op, "axis", &attrs->axes, 1)) return false;
  sort(&attrs->axes);
  ir_type to = {.kind = IR_TILE, .dtype = arg ? IR_I32 : from->dtype};
  for (uint32_t axis = 0, next = 0; axis < from->shape.rank; axis++) {
    bool reduced = next < attrs->axes.count && attrs->axes.at[next] == axis;
    next += reduced;
    if (!reduced)
      to.shape.dims[to.shape.rank++] = from->shape.dims[axis];
    else if (attrs->keep)
      to.shape.dims[to.shape.rank++] = ir_dim_const(b->module, 1);
  }
  return ir_infer_result(b, op, to);
}

bool ir_infer_scan(ir_builder *b, ir_op *op) {
  if (!ir_need_count(b, op, 1) || !ir_need_tiles(b, op)) return false;
  const ir_type *from = &op->operands[0]->type;
  return ir_need_class(b, op, from->dtype, ir_op_get(op->code)->types) &&
         ir_need_axis(b, op, &op->attrs->axis, from->shape.rank) && ir_infer_result(b, op, *from);
}
