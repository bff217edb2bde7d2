/* Type inference: the dispatch, and the checks that all rules share. A rule lets a dimension pass that cannot be
 * compared before binding; the bound copy is inferred anew and checked then. */
#include "ir/infer/infer.h"
const char *ir_op_label(const ir_op *op) {
  const ir_op_info *info = ir_op_get(op->code);
  return info->infix[0] ? info->infix : info->text;
}

bool ir_infer(ir_builder *b, ir_op *op) {
  switch (ir_op_get(op->code)->form) {
    case IR_FORM_MAP: return ir_infer_map(b, op);
    case IR_FORM_REDUCE: return ir_infer_reduce(b, op);
    case IR_FORM_SCAN: return ir_infer_scan(b, op);
    case IR_FORM_SHAPE: return op->code == IR_dot ? ir_infer_dot(b, op) : ir_infer_shape(b, op);
    case IR_FORM_EFFECT: break;
  }
  const uint32_t effects = ir_op_get(op->code)->effects;
  if (effects & (E_CONTROL | E_TERMINATOR)) return true;
  return ir_is_of_units(op->code) ? ir_infer_sync(b, op) : ir_infer_memory(b, op);
}

static bool count_fits(const ir_shape *shape) {
  int64_t count = 1;
  for (uint32_t i = 0; i < shape->rank; i++) {
    if (ir_dim_known(shape->dims[i]) && (!i64_mul(count, shape->dims[i]->value, &count) || count > IR_LARGEST_TILE))
      return false;
  }
  return true;
}

static bool need_size(ir_builder *b, const ir_op *op, const ir_type *type) {
  for (uint32_t i = 0; i < type->shape.rank; i++) {
    ir_dim d = type->shape.dims[i];
    if (ir_dim_known(d) && !ir_need_range(b, op, "a size", d->value, d->value >= 0, "at least 0")) return false;
  }
  if (count_fits(&type->shape)) return true;
  kiln_str shown = ir_type_text(b->module, type);
  return diag_report(b->diags, DIAG_too_large, op->loc, STR_FMT(shown)), false;
}

bool ir_infer_results(ir_builder *b, ir_op *op, const ir_type *types, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if (!need_size(b, op, &types[i])) return false;
  if (!op->results) ir_add_results(b, op, count, types);
  for (uint32_t i = 0; i < count; i++) op->results[i]->type = types[i];
  return true;
}

bool ir_infer_result(ir_builder *b, ir_op *op, ir_type type) { return ir_infer_results(b, op, &type, 1); }

/* ---- texts ---- */

kiln_str ir_shape_text(ir_module *m, const ir_shape *shape) {
  text t = text_new(&m->arena);
  text_char(&t, '[');
  for (uint32_t i = 0; i < shape->rank; i++) {
    if (i) text_add(&t, STR(", "));
    ir_dim_print(&t, shape->dims[i]);
  }
  text_char(&t, ']');
  return text_str(&t);
}

kiln_str ir_any_text(ir_module *m, const ir_type *type) {
  text t = text_new(&m->arena);
  if (type->kind == IR_REF) text_add(&t, STR("a ref "));
  if (type->kind > IR_REF) text_add(&t, STR("a "));
  ir_type_print(&t, type);
  return text_str(&t);
}

static const char *class_text(uint32_t classes) {
  switch (classes) {
    case T_BOOL: return "bool";
    case T_INT: return "integers";
    case T_BITS: return "bool and integers";
    case T_FLOAT: return "floats";
    case T_NUM: return "numbers";
    default: return "any type";
  }
}

/* ---- checks ---- */

bool ir_need_count(ir_builder *b, const ir_op *op, uint32_t count) {
  if (op->operand_count == count) return true;
  diag_report(b->diags, DIAG_operand_count, op->loc, ir_op_label(op), (long long)count, count == 1 ? "" : "s",
              (long long)op->operand_count);
  return false;
}

bool ir_need_class(ir_builder *b, const ir_op *op, ir_dtype dtype, uint32_t classes) {
  const ir_dtype_info *info = ir_dtype_get(dtype);
  if (classes & (uint32_t)info->class) return true;
  diag_report(b->diags, DIAG_type_refused, op->loc, ir_op_label(op), info->name, class_text(classes));
  return false;
}

bool ir_need_same_dtype(ir_builder *b, const ir_op *op, uint32_t first, uint32_t second) {
  const ir_type *a = &op->operands[first]->type, *c = &op->operands[second]->type;
  if (a->dtype == c->dtype) return true;
  const char *want = ir_dtype_get(a->dtype)->name;
  kiln_str left = ir_type_text(b->module, a), right = ir_type_text(b->module, c);
  kiln_str hint =
      str_format(&b->module->arena, "there is no implicit conversion: write the cast, such as %s(..)", want);
  diag_report_with(b->diags, DIAG_type_mismatch, op->loc, &(diag_extra){.hint = hint.data}, ir_op_label(op),
                   (long long)first + 1, STR_FMT(left), (long long)second + 1, STR_FMT(right));
  return false;
}

bool ir_need_shape(ir_builder *b, const ir_op *op, const char *what, const ir_shape *shape, const char *other,
                   const ir_shape *expected) {
  if (ir_shape_equal(shape, expected) != IR_NO) return true;
  kiln_str found = ir_shape_text(b->module, shape), want = ir_shape_text(b->module, expected);
  diag_report(b->diags, DIAG_shape_mismatch, op->loc, ir_op_label(op), what, STR_FMT(found), other, STR_FMT(want));
  return false;
}

bool ir_need_type(ir_builder *b, const ir_op *op, const char *what, const ir_type *type, const ir_type *expected) {
  if (type->kind == expected->kind && type->dtype == expected->dtype &&
      ir_shape_equal(&type->shape, &expected->shape) != IR_NO)
    return true;
  kiln_str found = ir_any_text(b->module, type), want = ir_any_text(b->module, expected);
  diag_report(b->diags, DIAG_expected_type, op->loc, ir_op_label(op), what, STR_FMT(want), STR_FMT(found));
  return false;
}

bool ir_need_scalar_i32(ir_builder *b, const ir_op *op, const char *what, const ir_type *type) {
  return ir_need_type(b, op, what, type, &(ir_type){.kind = IR_TILE, .dtype = IR_I32});
}

bool ir_need_tiles(ir_builder *b, const ir_op *op) {
  for (uint32_t i = 0; i < op->operand_count; i++) {
    if (op->operands[i]->type.kind == IR_TILE) continue;
    diag_report(b->diags, DIAG_ref_operand, op->loc, ir_op_label(op), (long long)i + 1);
    return false;
  }
  return true;
}

bool ir_need_list(ir_builder *b, const ir_op *op, const char *what, const ir_list *list, uint32_t count) {
  if (list->count == count) return true;
  diag_report(b->diags, DIAG_attribute_count, op->loc, ir_op_label(op), what, (long long)list->count, (long long)count);
  return false;
}

bool ir_need_axis(ir_builder *b, const ir_op *op, int64_t *axis, uint32_t rank) {
  int64_t from_start = *axis < 0 ? *axis + rank : *axis;
  if (from_start >= 0 && from_start < rank) return *axis = from_start, true;
  diag_report(b->diags, DIAG_axis_range, op->loc, ir_op_label(op), (long long)*axis, (long long)rank);
  return false;
}

bool ir_need_axes(ir_builder *b, const ir_op *op, ir_list *axes, uint32_t rank) {
  uint32_t seen = 0;
  for (uint32_t i = 0; i < axes->count; i++) {
    if (!ir_need_axis(b, op, &axes->at[i], rank)) return false;
    if (seen >> axes->at[i] & 1) {
      diag_report(b->diags, DIAG_duplicate_axis, op->loc, ir_op_label(op), (long long)axes->at[i]);
      return false;
    }
    seen |= UINT32_C(1) << axes->at[i];
  }
  return true;
}

bool ir_need_range(ir_builder *b, const ir_op *op, const char *what, int64_t value, bool ok, const char *expected) {
  if (!ok) diag_report(b->diags, DIAG_attribute_range, op->loc, ir_op_label(op), what, (long long)value, expected);
  return ok;
}
