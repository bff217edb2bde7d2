/* The attribute table, and what left-out attributes stand for. */
#include "ir/attrs.h"

static const attr_info attrs[ATTR_COUNT] = {
#define ATTR(name, bit, kind, field) {#name, bit, ATTR_##kind, offsetof(ir_attrs, field)},
#include "ir/attrs.def"
#undef ATTR
};

const attr_info *ir_attr_get(attr_id id) { return &attrs[id]; }

const char *ir_attr_name(ir_code code, attr_id id) {
  const ir_op_info *info = ir_op_get(code);
  if (info->form == IR_FORM_REDUCE && id == ATTR_ID_axes) return "axis";
  return info->attrs & attrs[id].bit ? attrs[id].name : NULL;
}

bool ir_attr_optional(ir_code code, attr_id id) {
  switch (id) {
    case ATTR_ID_keep:
    case ATTR_ID_reverse:
    case ATTR_ID_stride:
    case ATTR_ID_interior:
    case ATTR_ID_lhs_contract:
    case ATTR_ID_rhs_contract:
    case ATTR_ID_lhs_batch:
    case ATTR_ID_rhs_batch: return true;
    case ATTR_ID_axes: return code != IR_reverse;
    case ATTR_ID_type: return code == IR_dot;
    default: return false;
  }
}

static ir_dtype accumulator(ir_dtype dtype) {
  const ir_dtype_info *info = ir_dtype_get(dtype);
  if (info->bits >= 32) return dtype;
  return info->class == IR_CLASS_FLOAT ? IR_F32 : IR_I32;
}

static void set_axis(ir_list *list, uint32_t axis) { *list = (ir_list){.count = 1, .at = {axis}}; }

/* The matrix product of the last two axes, the ones before them batches; a vector has one axis, which is contracted. */
static void complete_dot(ir_attrs *a, uint32_t given, const ir_type *lhs, const ir_type *rhs) {
  uint32_t lists =
      1u << ATTR_ID_lhs_contract | 1u << ATTR_ID_rhs_contract | 1u << ATTR_ID_lhs_batch | 1u << ATTR_ID_rhs_batch;
  uint32_t left = lhs->shape.rank, right = rhs->shape.rank, batch = left < right ? left : right;
  if (!(given & 1u << ATTR_ID_type)) a->type = accumulator(lhs->dtype);
  if (given & lists || left == 0 || right == 0) return;
  set_axis(&a->lhs_contract, left - 1);
  set_axis(&a->rhs_contract, right > 1 ? right - 2 : 0);
  batch = batch > 2 ? batch - 2 : 0;
  a->lhs_batch.count = a->rhs_batch.count = batch;
  for (uint32_t i = 0; i < batch; i++) a->lhs_batch.at[i] = a->rhs_batch.at[i] = i;
}

void ir_attrs_complete(ir_code code, ir_attrs *a, uint32_t given, ir_value *const *operands, uint32_t operand_count) {
  if (code == IR_dot && operand_count == 2) complete_dot(a, given, &operands[0]->type, &operands[1]->type);
  if (ir_op_get(code)->form != IR_FORM_REDUCE || operand_count != 1 || given & 1u << ATTR_ID_axes) return;
  for (a->axes.count = 0; a->axes.count < operands[0]->type.shape.rank; a->axes.count++)
    a->axes.at[a->axes.count] = a->axes.count;
}
