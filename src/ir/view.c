/* Views: what they are of, how types that share their bits fit together, and which ones are memory with strides. */
#include "ir/ir.h"

bool ir_is_recast(ir_code code) { return code == IR_view_as || code == IR_permute; }
bool ir_is_view(ir_code code) { return code == IR_view || ir_is_recast(code); }

ir_value *ir_root_ref(const ir_value *ref) {
  while (ref->def && (ir_is_view(ref->def->code) || ref->def->code == IR_peer)) ref = ref->def->operands[0];
  return (ir_value *)(uintptr_t)ref;
}

bool ir_through_recast(const ir_value *ref) {
  for (; ref->def && ir_is_view(ref->def->code); ref = ref->def->operands[0])
    if (ir_is_recast(ref->def->code)) return true;
  return false;
}

/* ---- the same bits as other types ---- */

static bool fits_along(const ir_type *narrow, const ir_type *wide, uint32_t axis, int64_t ratio) {
  for (uint32_t d = 0; d < wide->shape.rank; d++) {
    ir_dim one = narrow->shape.dims[d], other = wide->shape.dims[d];
    int64_t size;
    if (d != axis && ir_dim_equal(one, other) == IR_NO) return false;
    if (d != axis || !ir_dim_known(one) || !ir_dim_known(other)) continue;
    if (!i64_mul(other->value, ratio, &size) || one->value != size) return false;
  }
  return true;
}

/* Multiplies by the number of elements; false when that is not known, or too large. */
static bool times_elements(int64_t *count, const ir_shape *shape) {
  for (uint32_t d = 0; d < shape->rank; d++)
    if (!ir_dim_known(shape->dims[d]) || !i64_mul(*count, shape->dims[d]->value, count)) return false;
  return true;
}

/* False when they are known to have other numbers of bits. */
static bool same_bits(const ir_type *narrow, const ir_type *wide, int64_t ratio) {
  int64_t few = ratio, many = 1;
  return !times_elements(&few, &wide->shape) || !times_elements(&many, &narrow->shape) || few == many;
}

bool ir_view_axis(const ir_type *from, const ir_type *to, uint32_t *axis) {
  const uint32_t have = ir_dtype_get(from->dtype)->bits, want = ir_dtype_get(to->dtype)->bits;
  const ir_type *narrow = have < want ? from : to, *wide = have < want ? to : from;
  const int64_t ratio = have < want ? want / have : have / want;
  *axis = to->shape.rank;
  if (have == want) return true;
  for (uint32_t d = from->shape.rank == to->shape.rank ? to->shape.rank : 0; d-- > 0;)
    if (fits_along(narrow, wide, d, ratio)) return *axis = d, true;
  return same_bits(narrow, wide, ratio);
}

/* ---- memory with strides ---- */

enum { DEEPEST = 64, ALIGNED = 64 }; /* views of views; bytes to which memory is aligned */

/* Where the elements of a ref lie. */
typedef struct lie {
  int64_t strides[KILN_MAX_RANK]; /* bytes */
  uint64_t align;                 /* bytes: of the first element */
} lie;

/* `align` bytes of its first element. */
static lie dense_lie(const ir_type *type, uint64_t align) {
  lie l = {.strides = {0}, .align = align};
  int64_t bytes = (int64_t)ir_dtype_bytes(type->dtype);
  for (uint32_t d = type->shape.rank; d-- > 0;) {
    l.strides[d] = bytes;
    if (!i64_mul(bytes, type->shape.dims[d]->value, &bytes)) bytes = 0; /* too large for any memory */
  }
  return l;
}

static bool is_dense(const lie *l, const ir_type *type) {
  const lie dense = dense_lie(type, l->align);
  for (uint32_t d = 0; d < type->shape.rank; d++)
    if (l->strides[d] != dense.strides[d] && ir_extent(type, d) != 1) return false;
  return true;
}

/* The largest power of two that divides both. */
static uint64_t common_align(uint64_t align, int64_t bytes) {
  while (align > 1 && bytes % (int64_t)align) align /= 2;
  return align;
}

static void cut_lie(lie *l, const ir_op *view) {
  uint32_t rank = 0;
  for (uint32_t d = 0; d < view->operands[0]->type.shape.rank; d++) {
    const ir_index *index = &view->attrs->index[d];
    const int64_t stride = l->strides[d];
    l->align = common_align(l->align, index->operand >= 0 ? stride : index->start->value * stride);
    if (!index->point) l->strides[rank++] = stride * index->stride;
  }
}

static void permute_lie(lie *l, const ir_op *permute) {
  const lie from = *l;
  for (uint32_t d = 0; d < permute->attrs->axes.count; d++) l->strides[d] = from.strides[permute->attrs->axes.at[d]];
}

static bool whole_bytes(ir_dtype dtype) { return ir_dtype_get(dtype)->bits == ir_dtype_get(dtype)->stored; }

/* The same rows of elements that lie side by side, or the same elements. */
static bool keeps_rows(const lie *l, const ir_type *from, const ir_type *to) {
  const uint32_t rank = to->shape.rank, have = ir_dtype_get(from->dtype)->bits, want = ir_dtype_get(to->dtype)->bits;
  if (from->shape.rank != rank) return false;
  for (uint32_t d = 0; d + 1 < rank; d++)
    if (ir_extent(from, d) != ir_extent(to, d)) return false;
  if (have == want) return ir_extent(from, rank - 1) == ir_extent(to, rank - 1);
  return l->strides[rank - 1] == (int64_t)ir_dtype_bytes(from->dtype);
}

/* False when the elements of the view have no strides of their own. */
static bool recast_lie(lie *l, const ir_op *view_as) {
  const ir_type *from = &view_as->operands[0]->type, *to = &view_as->results[0]->type;
  const uint32_t have = ir_dtype_get(from->dtype)->bits, want = ir_dtype_get(to->dtype)->bits;
  const bool widths = have != want, rows = keeps_rows(l, from, to);
  uint32_t axis;
  if (widths && (!ir_view_axis(from, to, &axis) || axis + 1 < to->shape.rank)) return false;
  if (widths && !(whole_bytes(from->dtype) && whole_bytes(to->dtype) && l->align % ir_dtype_bytes(to->dtype) == 0))
    return false;
  if (!rows && !is_dense(l, from)) return false;
  if (!rows) *l = dense_lie(to, l->align);
  if (widths && rows) l->strides[to->shape.rank - 1] = (int64_t)ir_dtype_bytes(to->dtype);
  for (uint32_t d = 0; widths && d + 1 < to->shape.rank; d++)
    if (l->strides[d] % (int64_t)ir_dtype_bytes(to->dtype)) return false;
  return true;
}

static bool is_param(const ir_kernel *k, const ir_value *ref) {
  for (uint32_t i = 0; i < k->param_count; i++)
    if (k->params[i].ref == ref) return true;
  return false;
}

bool ir_has_strides(const ir_kernel *k, const ir_value *ref) {
  const ir_op *views[DEEPEST];
  uint32_t count = 0;
  for (; ref->def && ref->def->code != IR_scratch; ref = ref->def->operands[0]) {
    if (count == DEEPEST) return false;
    if (ref->def->code != IR_peer) views[count++] = ref->def;
    if (!ir_shape_known(&ref->type.shape)) return true; /* asked again once it is */
  }
  if (!ir_shape_known(&ref->type.shape)) return true;
  if (!ref->def && !is_param(k, ref)) { /* a block, which may lie anywhere */
    for (uint32_t i = 0; i < count; i++)
      if (views[i]->code == IR_view_as) return false;
    return true;
  }
  lie l = dense_lie(&ref->type, ALIGNED);
  while (count-- > 0) {
    if (views[count]->code == IR_view) cut_lie(&l, views[count]);
    if (views[count]->code == IR_permute) permute_lie(&l, views[count]);
    if (views[count]->code == IR_view_as && !recast_lie(&l, views[count])) return false;
  }
  return true;
}
