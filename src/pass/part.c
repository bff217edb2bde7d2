/* Parts of memories: see part.h. */
#include "pass/part.h"

#include "pass/expand/expand.h"

/* ---- finding ---- */

static bool read_dim(const ir_op *op, uint32_t axis, part_dim *out) {
  const ir_index *index = &op->attrs->index[axis];
  *out = (part_dim){.point = index->point, .size = index->point ? 1 : index->size->value};
  if (index->operand < 0) return out->number = index->start->value, index->point || index->stride == 1;
  const ir_value *start = op->operands[index->operand];
  if (!pass_integer(start, &out->number)) out->start = start;
  return start->type.shape.rank == 0 && (index->point || index->stride == 1);
}

static bool read_dims(const ir_op *op, part *out) {
  *out = (part){.ref = op->operands[0], .rank = op->attrs->index_count};
  for (uint32_t d = 0; d < out->rank; d++)
    if (!read_dim(op, d, &out->dims[d])) return false;
  return true;
}

bool part_of(const ir_op *op, part *out) {
  if ((op->code != IR_load && op->code != IR_store) || op->attrs->masked || pass_at_edge(op->operands[0])) return false;
  const ir_op *view = op->operands[0]->def;
  const bool whole = pass_whole_access(op) && view && view->code == IR_view;
  return read_dims(whole ? view : op, out);
}

/* ---- comparing ---- */

static bool same_start(const part_dim *a, const part_dim *b) { return a->start == b->start && a->number == b->number; }

bool part_same(const part *a, const part *b) {
  if (a->ref != b->ref) return false;
  for (uint32_t d = 0; d < a->rank; d++)
    if (!same_start(&a->dims[d], &b->dims[d]) || a->dims[d].size != b->dims[d].size ||
        a->dims[d].point != b->dims[d].point)
      return false;
  return true;
}

bool part_within(const part *inner, const part *outer) {
  if (inner->ref != outer->ref) return false;
  for (uint32_t d = 0; d < inner->rank; d++) {
    const part_dim *in = &inner->dims[d], *out = &outer->dims[d];
    if (in->start != out->start || in->number < out->number || in->number + in->size > out->number + out->size)
      return false;
  }
  return true;
}

bool part_apart(const part *a, const part *b) {
  for (uint32_t d = 0; a->ref == b->ref && d < a->rank; d++) {
    const part_dim *x = &a->dims[d], *y = &b->dims[d];
    if (x->start == y->start && (x->number + x->size <= y->number || y->number + y->size <= x->number)) return true;
  }
  return false;
}

/* ---- taking ---- */

/* Dimensions of `from` that are no points are those of `outer` that are none, in order: as much less of each. */
static void make_smaller(part *from, const part *inner, const part *outer) {
  for (uint32_t d = 0, axis = 0; d < from->rank; d++) {
    while (axis < outer->rank && outer->dims[axis].point) axis++;
    if (from->dims[d].point || axis == outer->rank) continue;
    from->dims[d].number += inner->dims[axis].number - outer->dims[axis].number;
    from->dims[d].size = inner->dims[axis++].size;
  }
}

ir_value *part_view(ir_builder *b, const part *from) {
  ir_attrs attrs = {.index_count = from->rank};
  ir_value *operands[1 + KILN_MAX_RANK] = {from->ref};
  uint32_t count = 1;
  for (uint32_t d = 0; d < from->rank; d++) {
    const part_dim *dim = &from->dims[d];
    ir_index *index = &attrs.index[d];
    *index = (ir_index){.point = dim->point, .operand = -1, .stride = 1, .size = ir_dim_const(b->module, dim->size)};
    index->start = ir_dim_const(b->module, dim->start ? 0 : dim->number);
    if (!dim->start) continue;
    ir_value *start = (ir_value *)(uintptr_t)dim->start;
    index->operand = (int32_t)count;
    operands[count++] = dim->number ? ir_map2(b, IR_add, start, ir_scalar_i32(b, dim->number)) : start;
  }
  return ir_make1(b, IR_view, operands, count, &attrs);
}

/* A load of so much less, behind the one that made the tile. NULL: no such load. */
static ir_value *load_part(const ir_builder *b, const ir_value *tile, const part *inner, const part *outer) {
  const ir_op *load = tile->def;
  part from;
  if (!load || !part_of(load, &from) || !pass_read_only(b->kernel, ir_root_ref(from.ref))) return NULL;
  ir_builder at = *b;
  at.region = load->parent;
  at.before = load->next;
  at.loc = load->loc;
  make_smaller(&from, inner, outer);
  ir_value *view = part_view(&at, &from);
  return pass_load_whole(&at, view);
}

ir_value *part_take(ir_builder *b, ir_value *tile, const part *inner, const part *outer, const ir_shape *shape) {
  ir_value *taken = part_same(inner, outer) ? tile : load_part(b, tile, inner, outer);
  return taken ? expand_reshape(b, taken, shape) : NULL;
}
