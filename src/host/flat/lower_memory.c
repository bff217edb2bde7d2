/* Loads, stores, views and scratch. A load only places a box; its elements are read by whoever uses them, or copied
 * just before the memory changes. */
#include <string.h>

#include "host/flat/flatten.h"

uint32_t flat_memory_of(const flat *f, uint32_t box) { return f->roots.data[f->boxes.data[box].root].memory; }

static uint32_t new_box(flat *f, host_box_info info) {
  info.run = host_run_bytes(&info);
  VEC_PUSH(f->arena, &f->boxes, info);
  return (uint32_t)f->boxes.count - 1;
}

/* The ref of a param or a scratch, and the box that is the whole of it. */
uint32_t flat_root(flat *f, const ir_value *ref) {
  const uint32_t root = (uint32_t)f->roots.count;
  host_box_info info = {.root = root, .dtype = ref->type.dtype, .rank = ref->type.shape.rank, .inside = true};
  for (uint32_t d = 0; d < info.rank; d++) info.dims[d] = ir_extent(&ref->type, d);
  flat_dense_strides(info.dims, info.rank, (int64_t)ir_dtype_bytes(info.dtype), info.strides);
  flat_value_of(f, ref)->box = new_box(f, info);
  host_root made = {.name = ref->name,
                    .kind = ref->type.kind,
                    .made_by = ref->def,
                    .dtype = info.dtype,
                    .box = flat_value_of(f, ref)->box,
                    .memory = root};
  made.bytes = (uint64_t)ir_count(&ref->type) * ir_dtype_bytes(info.dtype);
  machine_space(f->plan->kind, ref->type.space, &made.space); /* machine_of_kernel has seen that it is there */
  VEC_PUSH(f->arena, &f->roots, made);
  return root;
}

/* ---- placing ---- */

static bool provably_inside(const struct host_place_dim *dim) {
  int64_t last;
  if (dim->slot != HOST_NONE || dim->start < 0) return false;
  if (dim->point) return dim->start < dim->extent;
  return dim->size == 0 ||
         (i64_mul(dim->size - 1, dim->stride, &last) && i64_add(last, dim->start, &last) && last < dim->extent);
}

static void place_dim(flat *f, const ir_op *op, uint32_t d, struct host_place_dim *dim) {
  const ir_index *index = &op->attrs->index[d];
  dim->point = index->point;
  dim->slot = index->operand >= 0 ? flat_dense(f, op->operands[index->operand]) : HOST_NONE;
  dim->start = index->operand >= 0 ? 0 : index->start->value;
  dim->size = index->point ? 1 : index->size->value;
  dim->stride = index->point ? 1 : index->stride;
}

/* Fills the place and what is known of the box that it makes. */
static void make_place(flat *f, const ir_op *op, host_place *place, host_box_info *to) {
  place->from = flat_value_of(f, op->operands[0])->box;
  const host_box_info from = f->boxes.data[place->from];
  place->to = HOST_NONE;
  place->rank = from.rank;
  *to = (host_box_info){.root = from.root, .dtype = from.dtype, .edge = from.edge, .inside = from.inside};
  for (uint32_t d = 0; d < from.rank; d++) {
    struct host_place_dim *dim = &place->dim[d];
    place_dim(f, op, d, dim);
    dim->extent = from.dims[d];
    dim->parent_stride = from.strides[d];
    to->inside = to->inside && provably_inside(dim);
    if (dim->point) continue;
    to->dims[to->rank] = dim->size;
    to->strides[to->rank++] = dim->size > 1 ? dim->parent_stride * dim->stride : dim->parent_stride;
  }
}

/* Reading or writing all of a ref needs no new box. */
static bool is_whole(const host_place *place) {
  for (uint32_t d = 0; d < place->rank; d++) {
    const struct host_place_dim *dim = &place->dim[d];
    if (dim->point || dim->slot != HOST_NONE || dim->start != 0 || dim->stride != 1 || dim->size != dim->extent)
      return false;
  }
  return true;
}

static void take_starts(flat *f, const ir_op *op) {
  for (uint32_t d = 0; d < op->attrs->index_count; d++)
    if (op->attrs->index[d].operand >= 0) flat_take(f, op->operands[op->attrs->index[d].operand]);
}

/* The box that a load or store works on. */
static uint32_t access_box(flat *f, const ir_op *op, uint32_t mask, const host_place **out) {
  host_check *check = ARENA_NEW(f->arena, host_check);
  host_place *place = &check->place;
  host_box_info info;
  make_place(f, op, place, &info);
  take_starts(f, op);
  *out = NULL;
  check->mask = mask;
  check->box = place->from;
  if (!is_whole(place)) {
    check->box = place->to = new_box(f, info);
    flat_emit(f, HOST_PLACE, place);
    *out = place;
  }
  if (f->plan->check && !info.inside) flat_emit(f, HOST_CHECK_BOUNDS, check);
  return check->box;
}

void flat_view(flat *f, const ir_op *op) {
  host_place *place = ARENA_NEW(f->arena, host_place);
  host_box_info info;
  make_place(f, op, place, &info);
  take_starts(f, op);
  info.edge = info.edge || op->attrs->edge;
  place->to = new_box(f, info);
  flat_value_of(f, op->results[0])->box = place->to;
  flat_emit(f, HOST_PLACE, place);
}

void flat_permute(flat *f, const ir_op *op) {
  host_permute *permute = ARENA_NEW(f->arena, host_permute);
  permute->from = flat_value_of(f, op->operands[0])->box;
  const host_box_info from = f->boxes.data[permute->from];
  host_box_info to = from;
  permute->rank = from.rank;
  for (uint32_t d = 0; d < from.rank; d++) {
    permute->axes[d] = (uint32_t)op->attrs->axes.at[d];
    to.dims[d] = from.dims[permute->axes[d]];
    to.strides[d] = from.strides[permute->axes[d]];
  }
  permute->to = flat_value_of(f, op->results[0])->box = new_box(f, to);
  flat_emit(f, HOST_PERMUTE, permute);
}

static bool same_dims(const host_box_info *a, const host_box_info *b) {
  return a->rank == b->rank && memcmp(a->dims, b->dims, a->rank * sizeof *a->dims) == 0;
}

/* Of memory that keeps its strides, or has no gaps: ir_has_strides. */
void flat_recast(flat *f, const ir_op *op) {
  host_recast *recast = ARENA_NEW(f->arena, host_recast);
  const ir_type *type = &op->results[0]->type;
  recast->from = flat_value_of(f, op->operands[0])->box;
  const host_box_info from = f->boxes.data[recast->from];
  host_box_info to = from;
  const int64_t bytes = (int64_t)ir_dtype_bytes(type->dtype), have = (int64_t)ir_dtype_bytes(from.dtype);
  to.dtype = type->dtype;
  to.rank = type->shape.rank;
  for (uint32_t d = 0; d < to.rank; d++) to.dims[d] = ir_extent(type, d);
  recast->same = bytes == have && same_dims(&from, &to);
  host_box_info rows = from;
  if (rows.rank == to.rank) rows.dims[to.rank - 1] = to.dims[to.rank - 1];
  if (bytes != have && same_dims(&rows, &to) && from.strides[to.rank - 1] == have)
    to.strides[to.rank - 1] = bytes;
  else if (!recast->same)
    flat_dense_strides(to.dims, to.rank, bytes, to.strides);
  recast->to = flat_value_of(f, op->results[0])->box = new_box(f, to);
  flat_emit(f, HOST_RECAST, recast);
}

void flat_scratch(flat *f, const ir_op *op) {
  host_scratch *scratch = ARENA_NEW(f->arena, host_scratch);
  scratch->root = flat_root(f, op->results[0]);
  VEC_PUSH(f->arena, &f->scratch, scratch);
  f->scratch_now += f->roots.data[scratch->root].bytes;
  if (f->scratch_now > f->plan->scratch_bytes) f->plan->scratch_bytes = f->scratch_now;
  flat_emit(f, HOST_SCRATCH, scratch);
}

/* The same part of the same memory elsewhere: a root of its own, which takes no room. */
uint32_t flat_peer_box(flat *f, const ir_op *op) {
  host_box_info info = f->boxes.data[flat_value_of(f, op->operands[0])->box];
  host_root peer = f->roots.data[info.root];
  host_scratch *held = ARENA_NEW(f->arena, host_scratch);
  info.root = held->root = (uint32_t)f->roots.count;
  peer.bytes = 0;
  VEC_PUSH(f->arena, &f->roots, peer);
  VEC_PUSH(f->arena, &f->scratch, held);
  return flat_value_of(f, op->results[0])->box = new_box(f, info);
}

void flat_release_scratch(flat *f, size_t kept) {
  while (f->scratch.count > kept) {
    const host_scratch *scratch = f->scratch.data[--f->scratch.count];
    f->scratch_now -= f->roots.data[scratch->root].bytes;
    flat_emit(f, HOST_RELEASE, scratch);
  }
}

/* ---- accesses ---- */

static uint32_t mask_operand(const ir_op *op) { /* the first behind the starts */
  uint32_t next = op->code == IR_load ? 1 : 2;
  for (uint32_t d = 0; d < op->attrs->index_count; d++) next += op->attrs->index[d].operand >= 0;
  return next;
}

static host_access *new_access(flat *f, uint32_t box) {
  host_access *access = ARENA_NEW(f->arena, host_access);
  *access = (host_access){.box = box, .tile = HOST_NONE, .mask = HOST_NONE, .other = HOST_NONE};
  return access;
}

/* One element without a mask: the common case of scalar loops. */
static bool point_access(flat *f, const ir_op *op, uint32_t cell) {
  host_point *point = ARENA_NEW(f->arena, host_point);
  host_box_info info;
  if (op->attrs->masked || f->plan->check) return false;
  for (uint32_t d = 0; d < op->attrs->index_count; d++)
    if (!op->attrs->index[d].point) return false;
  make_place(f, op, &point->place, &info);
  take_starts(f, op);
  point->cell = cell;
  point->bytes = (uint32_t)ir_dtype_bytes(info.dtype);
  point->fill = ir_fill_bits(info.dtype);
  flat_emit(f, op->code == IR_load ? HOST_POINT_READ : HOST_POINT_WRITE, point);
  return true;
}

static void masked_load(flat *f, const ir_op *op, host_access *access) {
  const uint32_t first = mask_operand(op);
  const ir_value *mask = op->attrs->masked ? op->operands[first] : NULL;
  const ir_value *other = op->attrs->other ? op->operands[first + op->attrs->masked] : NULL;
  access->tile = flat_result_tile(f, op->results[0]);
  if (mask) flat_take(f, mask);
  if (other) flat_take(f, other);
  flat_emit(f, HOST_READ, access);
}

/* A load whose result is not used still counts when checking. */
void flat_load(flat *f, const ir_op *op) {
  uint32_t arrays_at;
  if (ir_access_arrays(op, &arrays_at)) {
    flat_indexed(f, op);
    return;
  }
  const ir_value *v = op->results[0];
  flat_value *value = flat_value_of(f, v);
  flat_await_products(f, op->operands[0]);
  const uint32_t first = mask_operand(op), memory = flat_memory_of(f, flat_value_of(f, op->operands[0])->box);
  const host_place *place;
  if (flat_group_writes(f, memory)) flat_close(f);
  uint32_t mask = op->attrs->masked ? flat_dense(f, op->operands[first]) : HOST_NONE;
  uint32_t other = op->attrs->other ? flat_dense(f, op->operands[first + op->attrs->masked]) : HOST_NONE;
  if (v->type.shape.rank == 0 && point_access(f, op, flat_result_tile(f, v))) return;
  host_access *access = new_access(f, access_box(f, op, mask, &place));
  access->mask = mask;
  access->other = other;
  if (f->plan->check) flat_emit(f, HOST_CHECK_READ, access);
  if (mask != HOST_NONE || other != HOST_NONE || v->type.shape.rank == 0) {
    masked_load(f, op, access);
    return;
  }
  flat_set_at(f, v, flat_operand_box(f, &v->type, access->box), HOST_NONE);
  value->place = place;
  if (value->left > 0) VEC_PUSH(f->arena, &f->lazy, v->id);
}

/* ---- stores ---- */

static bool same_place(const host_place *a, uint32_t a_box, const host_place *b, uint32_t b_box) {
  if (!a || !b) return a == b && a_box == b_box;
  if (a->from != b->from) return false;
  for (uint32_t d = 0; d < a->rank; d++) {
    const struct host_place_dim *x = &a->dim[d], *y = &b->dim[d];
    if (x->point != y->point || x->slot != y->slot || x->start != y->start || x->size != y->size ||
        x->stride != y->stride)
      return false;
  }
  return true;
}

/* The open loop may take a store only if it touches the same memory nowhere else but, element for element, at the same
 * place. */
static bool may_join(const flat *f, uint32_t memory, const host_place *place, uint32_t box) {
  const flat_group *g = &f->group;
  if (!g->open || flat_group_writes(f, memory)) return false;
  for (uint32_t i = 0; i < g->input_count; i++) {
    const flat_input *input = &g->inputs[i];
    const host_box_info *info = &f->boxes.data[box];
    if (input->memory != memory) continue;
    if (!same_place(input->place, input->from, place, box)) return false;
    if (memcmp(input->at.strides, info->strides, info->rank * sizeof *info->strides) != 0 || input->at.offset != 0)
      return false;
  }
  return true;
}

static void dense_store(flat *f, const ir_op *op, uint32_t box, uint32_t mask) {
  const ir_value *v = op->operands[1];
  host_access *access = new_access(f, box);
  access->tile = flat_dense(f, v);
  access->mask = mask;
  flat_close(f);
  flat_settle_lazy(f, flat_memory_of(f, box));
  flat_take(f, v);
  if (mask != HOST_NONE) flat_take(f, op->operands[mask_operand(op)]);
  flat_emit(f, HOST_WRITE, access);
  if (f->plan->check) flat_emit(f, HOST_MARK_WRITTEN, access);
}

static void fused_store(flat *f, const ir_op *op, uint32_t box, const host_place *place) {
  const ir_value *v = op->operands[1];
  const uint32_t memory = flat_memory_of(f, box);
  int64_t dims[KILN_MAX_RANK];
  for (uint32_t d = 0; d < v->type.shape.rank; d++) dims[d] = ir_extent(&v->type, d);
  flat_value *value = flat_value_of(f, v);
  if (value->kind == FLAT_PRODUCT || value->kind == FLAT_PENDING) flat_at(f, v);
  if (!may_join(f, memory, place, box)) flat_close(f);
  flat_settle_lazy(f, memory);
  flat_group_begin(f, dims, v->type.shape.rank);
  uint32_t reg = flat_group_value(f, v);
  flat_sink *sink = flat_group_sink(f, reg, flat_operand_box(f, &v->type, box), flat_bytes(v));
  sink->memory = memory;
  if (!f->plan->check) return;
  flat_close(f);
  host_access *access = new_access(f, box);
  flat_emit(f, HOST_MARK_WRITTEN, access);
}

void flat_store(flat *f, const ir_op *op) {
  uint32_t arrays_at;
  if (ir_access_arrays(op, &arrays_at)) {
    flat_indexed(f, op);
    return;
  }
  const ir_value *v = op->operands[1];
  const host_place *place;
  flat_await_products(f, op->operands[0]);
  uint32_t mask = op->attrs->masked ? flat_dense(f, op->operands[mask_operand(op)]) : HOST_NONE;
  if (v->type.shape.rank == 0) {
    uint32_t cell = flat_dense(f, v);
    flat_close(f);
    flat_settle_lazy(f, flat_memory_of(f, flat_value_of(f, op->operands[0])->box));
    if (point_access(f, op, cell)) {
      flat_take(f, v);
      return;
    }
  }
  uint32_t box = access_box(f, op, mask, &place);
  if (mask != HOST_NONE || v->type.shape.rank == 0)
    dense_store(f, op, box, mask);
  else
    fused_store(f, op, box, place);
}
