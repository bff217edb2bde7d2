/* Types of load, store, views and scratch. Whether an access stays inside its array is no question of types. */
#include "ir/infer/infer.h"
#include "ir/layout.h"

/* Arrays stand where the points do when no range is between two of those, else in front. */
static uint32_t place_of_arrays(const ir_index *index, uint32_t count) {
  uint32_t ranges = 0, at = 0, runs = 0;
  for (uint32_t i = 0; i < count; i++) {
    bool starts = index[i].point && (i == 0 || !index[i - 1].point);
    if (starts && runs++ == 0) at = ranges;
    ranges += !index[i].point;
  }
  return runs == 1 ? at : 0;
}

static bool append_all(const ir_shape *from, ir_shape *out) {
  for (uint32_t i = 0; i < from->rank; i++) {
    if (out->rank == KILN_MAX_RANK) return false;
    out->dims[out->rank++] = from->dims[i];
  }
  return true;
}

bool ir_index_shape(const ir_index *index, uint32_t count, const ir_shape *arrays, ir_shape *out) {
  const ir_shape none = {0};
  uint32_t at = place_of_arrays(index, count), ranges = 0;
  bool placed = false, fits = true;
  *out = (ir_shape){0};
  if (!arrays) arrays = &none;
  for (uint32_t i = 0; i < count && fits; i++) {
    if (index[i].point) continue;
    if (ranges++ == at) fits = append_all(arrays, out), placed = true;
    fits = fits && append_all(&(ir_shape){.rank = 1, .dims = {index[i].size}}, out);
  }
  return fits && (placed || append_all(arrays, out));
}

const ir_shape *ir_access_arrays(const ir_op *op, uint32_t *at) {
  const ir_attrs *attrs = op->attrs;
  for (uint32_t i = 0; i < attrs->index_count; i++) {
    const ir_index *index = &attrs->index[i];
    if (index->operand < 0 || op->operands[index->operand]->type.shape.rank == 0) continue;
    *at = place_of_arrays(attrs->index, attrs->index_count);
    return &op->operands[index->operand]->type.shape;
  }
  return NULL;
}

static bool need_start(ir_builder *b, const ir_op *op, const ir_index *index, const ir_shape *arrays) {
  const ir_type *type = &op->operands[index->operand]->type;
  bool array = index->point && op->code != IR_view && type->shape.rank > 0;
  if (!array) return ir_need_scalar_i32(b, op, "an index", type);
  ir_type expected = ir_tile_type(IR_I32, arrays);
  return ir_need_type(b, op, "an index", type, &expected);
}

/* The shape that an index cuts out of `ref`, whose dimensions it must match one by one. */
static bool cut(ir_builder *b, const ir_op *op, const ir_type *ref, ir_shape *out) {
  const ir_attrs *attrs = op->attrs;
  uint32_t at;
  if (attrs->index_count != ref->shape.rank) {
    diag_report(b->diags, DIAG_index_count, op->loc, (long long)ref->shape.rank, (long long)attrs->index_count);
    return false;
  }
  for (uint32_t i = 0; i < attrs->index_count; i++)
    if (attrs->index[i].operand >= (int32_t)op->operand_count)
      return ir_need_count(b, op, (uint32_t)attrs->index[i].operand + 1);
  const ir_shape *arrays = ir_access_arrays(op, &at);
  for (uint32_t i = 0; i < attrs->index_count; i++) {
    const ir_index *index = &attrs->index[i];
    if (index->operand >= 0 && !need_start(b, op, index, arrays)) return false;
    if (!index->point && !ir_need_range(b, op, "a stride", index->stride, index->stride >= 1, "at least 1"))
      return false;
  }
  if (ir_index_shape(attrs->index, attrs->index_count, arrays, out)) return true;
  return ir_need_range(b, op, "the rank of the result", KILN_MAX_RANK + 1, false, "at most 8");
}

static uint32_t start_count(const ir_attrs *attrs) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < attrs->index_count; i++) count += attrs->index[i].operand >= 0;
  return count;
}

static bool need_ref(ir_builder *b, const ir_op *op) {
  if (op->operand_count > 0 && op->operands[0]->type.kind == IR_REF) return true;
  diag_report(b->diags, DIAG_not_a_ref, op->loc, ir_op_label(op));
  return false;
}

static bool need_mask(ir_builder *b, const ir_op *op, const ir_value *mask, const ir_shape *shape) {
  ir_type expected = ir_tile_type(IR_BOOL, shape);
  return ir_need_type(b, op, "the mask", &mask->type, &expected);
}

static bool infer_load(ir_builder *b, ir_op *op) {
  const ir_type *ref = &op->operands[0]->type;
  uint32_t next = 1 + start_count(op->attrs);
  ir_type type = {.kind = IR_TILE, .dtype = ref->dtype};
  if (!ir_need_count(b, op, next + op->attrs->masked + op->attrs->other) || !cut(b, op, ref, &type.shape)) return false;
  if (op->attrs->masked && !need_mask(b, op, op->operands[next++], &type.shape)) return false;
  if (op->attrs->other && !ir_need_type(b, op, "`other`", &op->operands[next]->type, &type)) return false;
  return ir_infer_result(b, op, type);
}

static bool infer_store(ir_builder *b, ir_op *op) {
  const ir_type *ref = &op->operands[0]->type;
  uint32_t next = 2 + start_count(op->attrs);
  ir_type type = {.kind = IR_TILE, .dtype = ref->dtype};
  if (!ir_need_count(b, op, next + op->attrs->masked) || !cut(b, op, ref, &type.shape)) return false;
  if (!ir_need_type(b, op, "the value", &op->operands[1]->type, &type)) return false;
  return !op->attrs->masked || need_mask(b, op, op->operands[next], &type.shape);
}

/* As a store, and then what was there; `other` is what is expected to be. */
static bool infer_atomic(ir_builder *b, ir_op *op) {
  const ir_type *ref = &op->operands[0]->type;
  const ir_attrs *attrs = op->attrs;
  uint32_t next = 2 + start_count(attrs);
  ir_type type = {.kind = IR_TILE, .dtype = ref->dtype};
  const uint32_t types = attrs->combine == 0 ? T_ANY : ir_op_get((ir_code)(attrs->combine - 1))->types;
  if (!ir_need_count(b, op, next + attrs->masked + attrs->other) || !cut(b, op, ref, &type.shape) ||
      !ir_need_class(b, op, ref->dtype, types) || !ir_need_type(b, op, "the value", &op->operands[1]->type, &type))
    return false;
  if (attrs->masked && !need_mask(b, op, op->operands[next++], &type.shape)) return false;
  if (attrs->other && !ir_need_type(b, op, "what is expected", &op->operands[next]->type, &type)) return false;
  return ir_infer_result(b, op, type);
}

static bool infer_view(ir_builder *b, ir_op *op) {
  ir_type type = op->operands[0]->type;
  if (type.kind == IR_TILE) return need_ref(b, op);
  return ir_need_count(b, op, 1 + start_count(op->attrs)) && cut(b, op, &op->operands[0]->type, &type.shape) &&
         ir_infer_result(b, op, type);
}

/* ---- the same memory under another type ---- */

static bool need_depth(ir_builder *b, const ir_op *op, ir_dtype dtype) {
  int views = 1, widths = ir_dtype_get(dtype)->bits != ir_dtype_get(op->operands[0]->type.dtype)->bits;
  for (const ir_value *ref = op->operands[0]; ref->def && views <= IR_MAX_VIEWS; ref = ref->def->operands[0]) {
    if (!ir_is_view(ref->def->code)) break;
    if (ref->def->code == IR_view) continue;
    views++;
    widths += ir_dtype_get(ref->type.dtype)->bits != ir_dtype_get(ref->def->operands[0]->type.dtype)->bits;
  }
  if (views <= IR_MAX_VIEWS && widths <= IR_MAX_WIDTHS) return true;
  diag_report(b->diags, DIAG_view_depth, op->loc, (int)IR_MAX_VIEWS, (int)IR_MAX_WIDTHS);
  return false;
}

static bool refuse_view(ir_builder *b, const ir_op *op, const ir_type *from, const ir_type *to) {
  const uint32_t have = ir_dtype_get(from->dtype)->bits, want = ir_dtype_get(to->dtype)->bits;
  kiln_str one = ir_type_text(b->module, from), other = ir_type_text(b->module, to);
  if (have == want)
    diag_report(b->diags, DIAG_view_elements, op->loc, STR_FMT(one), STR_FMT(other));
  else
    diag_report(b->diags, DIAG_view_width, op->loc, STR_FMT(one), STR_FMT(other),
                (long long)(have < want ? want / have : have / want));
  return false;
}

/* They are numbered by i32. */
static bool need_numbers(ir_builder *b, const ir_op *op) {
  ir_dim count = ir_count_dim(b->module, &op->attrs->shape);
  return !ir_dim_known(count) ||
         ir_need_range(b, op, "the number of elements", count->value, count->value <= INT32_MAX, "at most 2147483647");
}

static bool infer_view_as(ir_builder *b, ir_op *op) {
  if (!ir_need_count(b, op, 1)) return false;
  const ir_type *from = &op->operands[0]->type, to = ir_ref_type(op->attrs->type, from->space, &op->attrs->shape);
  uint32_t axis;
  if (from->dtype != to.dtype && (!ir_need_class(b, op, from->dtype, T_NUM) || !ir_need_class(b, op, to.dtype, T_NUM)))
    return false;
  if (!ir_need_range(b, op, "the rank of the ref", from->shape.rank, from->shape.rank > 0, "at least 1") ||
      !need_depth(b, op, to.dtype) || !ir_infer_result(b, op, to) || !need_numbers(b, op))
    return false;
  const bool one_width = ir_dtype_get(from->dtype)->bits == ir_dtype_get(to.dtype)->bits;
  const bool fits =
      one_width ? ir_dim_equal(ir_count_dim(b->module, &from->shape), ir_count_dim(b->module, &to.shape)) != IR_NO
                : ir_view_axis(from, &to, &axis);
  return fits || refuse_view(b, op, from, &to);
}

static bool infer_permute(ir_builder *b, ir_op *op) {
  ir_list *axes = &op->attrs->axes;
  const ir_type *from = &op->operands[0]->type;
  ir_type type = *from;
  if (!ir_need_count(b, op, 1) || !ir_need_list(b, op, "axes", axes, from->shape.rank) ||
      !ir_need_axes(b, op, axes, from->shape.rank) || !need_depth(b, op, from->dtype))
    return false;
  for (uint32_t d = 0; d < from->shape.rank; d++) type.shape.dims[d] = from->shape.dims[axes->at[d]];
  return ir_infer_result(b, op, type);
}

/* Through views that keep the type of what is under them. */
static bool need_own_type(ir_builder *b, const ir_op *op) {
  for (const ir_value *ref = op->operands[0]; ref->def; ref = ref->def->operands[0]) {
    if (!ir_is_view(ref->def->code)) break;
    const ir_dtype from = ref->def->operands[0]->type.dtype;
    if (ref->type.dtype == from) continue;
    diag_report(b->diags, DIAG_atomic_view, op->loc, ir_dtype_get(ref->type.dtype)->name, ir_dtype_get(from)->name);
    return false;
  }
  return true;
}

static bool infer_say(ir_builder *b, ir_op *op) {
  ir_type condition = ir_tile_type(IR_BOOL, NULL);
  if (!ir_need_tiles(b, op)) return false;
  return op->code == IR_print ||
         (ir_need_count(b, op, 1) && ir_need_type(b, op, "the condition", &op->operands[0]->type, &condition));
}

static bool infer_scratch(ir_builder *b, ir_op *op) {
  ir_type type = ir_ref_type(op->attrs->type, op->attrs->space, &op->attrs->shape);
  ir_address address;
  if (op->attrs->kind > IR_REF) type.kind = op->attrs->kind;
  if (!ir_infer_result(b, op, type)) return false;
  if (type.kind != IR_REF || op->attrs->layout.rank == 0 || !ir_shape_known(&type.shape)) return true;
  if (ir_type_address(&op->attrs->layout, &type, &address) && address.elements <= IR_LARGEST_TILE) return true;
  kiln_str shown = ir_type_text(b->module, &type);
  diag_report(b->diags, DIAG_too_large, op->loc, STR_FMT(shown));
  return false;
}

bool ir_infer_memory(ir_builder *b, ir_op *op) {
  if (ir_op_get(op->code)->effects & E_TELLS) return infer_say(b, op);
  if (op->code == IR_scratch) return infer_scratch(b, op);
  if (op->code == IR_view) return infer_view(b, op);
  if (!need_ref(b, op)) return false;
  if (op->code == IR_load) return infer_load(b, op);
  if (op->code == IR_view_as) return infer_view_as(b, op);
  if (op->code == IR_permute) return infer_permute(b, op);
  if (op->code == IR_atomic) return need_own_type(b, op) && infer_atomic(b, op);
  return infer_store(b, op);
}
