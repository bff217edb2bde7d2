/* Shape ops without work: operands are memory and strides, so broadcasting, transposing, slicing, reversing and most
 * reshaping only change strides. Each exists twice, for the place itself and for its dense copy (see host_operand). */
#include <string.h>

#include "host/flat/flatten.h"

void flat_dense_strides(const int64_t *dims, uint32_t rank, int64_t bytes, int64_t *out) {
  for (uint32_t d = rank; d-- > 0;) {
    out[d] = bytes;
    bytes *= dims[d];
  }
}

static host_operand *new_operand(flat *f, const ir_type *type) {
  host_operand *at = ARENA_NEW(f->arena, host_operand);
  at->slot = at->box = at->staging = HOST_NONE;
  at->rank = type->shape.rank;
  for (uint32_t d = 0; d < at->rank; d++) at->dims[d] = ir_extent(type, d);
  flat_dense_strides(at->dims, at->rank, (int64_t)ir_dtype_bytes(type->dtype), at->dense_strides);
  memcpy(at->strides, at->dense_strides, sizeof at->strides);
  return at;
}

host_operand *flat_operand_dense(flat *f, const ir_type *type, uint32_t slot) {
  host_operand *at = new_operand(f, type);
  at->slot = slot;
  return at;
}

host_operand *flat_operand_box(flat *f, const ir_type *type, uint32_t box) {
  host_operand *at = new_operand(f, type);
  at->box = box;
  memcpy(at->strides, f->boxes.data[box].strides, sizeof at->strides);
  return at;
}

static bool strides_dense(const host_operand *at, const int64_t *strides, int64_t bytes) {
  for (uint32_t d = at->rank; d-- > 0;) {
    if (at->dims[d] != 1 && strides[d] != bytes) return false;
    bytes *= at->dims[d];
  }
  return true;
}

bool flat_is_dense(const host_operand *at, uint32_t bytes) {
  return strides_dense(at, at->strides, bytes) && (at->box == HOST_NONE || strides_dense(at, at->dense_strides, bytes));
}

static host_operand *copy_of(flat *f, const host_operand *at) { return arena_copy(f->arena, at, sizeof *at); }

host_operand *flat_broadcast(flat *f, const host_operand *at, const ir_type *type, const ir_list *axes) {
  host_operand *out = copy_of(f, at);
  out->rank = type->shape.rank;
  memset(out->strides, 0, sizeof out->strides);
  memset(out->dense_strides, 0, sizeof out->dense_strides);
  for (uint32_t d = 0; d < out->rank; d++) out->dims[d] = ir_extent(type, d);
  for (uint32_t d = 0; d < at->rank; d++) {
    uint32_t to = axes->count ? (uint32_t)axes->at[d] : out->rank - at->rank + d;
    if (at->dims[d] != out->dims[to]) continue; /* size 1: repeated */
    out->strides[to] = at->strides[d];
    out->dense_strides[to] = at->dense_strides[d];
  }
  return out;
}

host_operand *flat_transpose(flat *f, const host_operand *at, const ir_list *axes) {
  host_operand *out = copy_of(f, at);
  for (uint32_t d = 0; d < at->rank; d++) {
    uint32_t from = axes->count ? (uint32_t)axes->at[d] : at->rank - 1 - d;
    out->dims[d] = at->dims[from];
    out->strides[d] = at->strides[from];
    out->dense_strides[d] = at->dense_strides[from];
  }
  return out;
}

host_operand *flat_slice(flat *f, const host_operand *at, const ir_list *start, const ir_list *size,
                         const ir_list *stride) {
  host_operand *out = copy_of(f, at);
  for (uint32_t d = 0; d < at->rank; d++) {
    int64_t step = stride->count ? stride->at[d] : 1;
    out->offset += start->at[d] * at->strides[d];
    out->dense_offset += start->at[d] * at->dense_strides[d];
    out->dims[d] = size->at[d];
    out->strides[d] *= step;
    out->dense_strides[d] *= step;
  }
  return out;
}

host_operand *flat_reverse(flat *f, const host_operand *at, const ir_list *axes) {
  host_operand *out = copy_of(f, at);
  for (uint32_t k = 0; k < axes->count; k++) {
    const uint32_t d = (uint32_t)axes->at[k];
    if (at->dims[d] == 0) continue;
    out->offset += (at->dims[d] - 1) * at->strides[d];
    out->dense_offset += (at->dims[d] - 1) * at->dense_strides[d];
    out->strides[d] = -at->strides[d];
    out->dense_strides[d] = -at->dense_strides[d];
  }
  return out;
}

/* Dimensions that are not 1 must be the same ones in the same order, or the operand dense. */
host_operand *flat_reshape(flat *f, const host_operand *at, const ir_type *type, uint32_t bytes) {
  host_operand *out = copy_of(f, at);
  uint32_t from = 0;
  bool same = true;
  out->rank = type->shape.rank;
  for (uint32_t d = 0; d < out->rank; d++) out->dims[d] = ir_extent(type, d);
  if (flat_is_dense(at, bytes)) {
    flat_dense_strides(out->dims, out->rank, bytes, out->strides);
    flat_dense_strides(out->dims, out->rank, bytes, out->dense_strides);
    return out;
  }
  for (uint32_t d = 0; d < out->rank && same; d++) {
    out->strides[d] = out->dense_strides[d] = 0;
    if (out->dims[d] == 1) continue;
    while (from < at->rank && at->dims[from] == 1) from++;
    same = from < at->rank && at->dims[from] == out->dims[d];
    if (!same) break;
    out->strides[d] = at->strides[from];
    out->dense_strides[d] = at->dense_strides[from++];
  }
  while (from < at->rank && at->dims[from] == 1) from++;
  return same && from == at->rank ? out : NULL;
}
