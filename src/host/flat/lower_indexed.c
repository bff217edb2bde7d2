/* Ops that find elements by computed indices, and sorts, into instructions: all on dense tiles. Accesses whose points
 * are tiles, and atomics. */
#include "host/flat/flatten.h"

static void take_all(flat *f, const ir_op *op) {
  for (uint32_t k = 0; k < op->operand_count; k++) flat_take(f, op->operands[k]);
}

static void make_dense(flat *f, const ir_op *op) { /* each before any is looked at: copying one may move others */
  for (uint32_t k = 0; k < op->operand_count; k++) flat_dense(f, op->operands[k]);
}

static host_window *new_window(flat *f, const ir_value *whole, const ir_value *part, ir_value *const *starts) {
  host_window *window = ARENA_NEW(f->arena, host_window);
  window->rank = whole->type.shape.rank;
  window->bytes = flat_bytes(whole);
  for (uint32_t d = 0; d < window->rank; d++) {
    window->dims[d] = ir_extent(&whole->type, d);
    window->sizes[d] = ir_extent(&part->type, d);
    window->starts[d] = flat_dense(f, starts[d]);
  }
  return window;
}

void flat_dynamic_slice(flat *f, const ir_op *op) {
  make_dense(f, op);
  host_window *window = new_window(f, op->operands[0], op->results[0], op->operands + 1);
  window->whole = flat_dense(f, op->operands[0]);
  window->part = flat_result_tile(f, op->results[0]);
  take_all(f, op);
  flat_emit(f, HOST_WINDOW, window);
}

void flat_update(flat *f, const ir_op *op) {
  const ir_value *v = op->results[0];
  make_dense(f, op);
  host_window *window = new_window(f, v, op->operands[1], op->operands + 2);
  host_move *move = ARENA_NEW(f->arena, host_move);
  move->from = flat_dense(f, op->operands[0]);
  window->part = flat_dense(f, op->operands[1]);
  window->whole = move->to = flat_result_tile(f, v);
  window->write = true;
  move->bytes = (uint64_t)ir_count(&v->type) * flat_bytes(v);
  take_all(f, op);
  flat_emit(f, HOST_MOVE, move);
  flat_emit(f, HOST_WINDOW, window);
}

void flat_take_op(flat *f, const ir_op *op) {
  const ir_value *from = op->operands[0];
  host_take *take = ARENA_NEW(f->arena, host_take);
  make_dense(f, op);
  take->in = flat_dense(f, from);
  take->rank = from->type.shape.rank;
  take->bytes = flat_bytes(from);
  take->count = ir_count(&from->type) > 0 ? ir_count(&op->results[0]->type) : 0;
  for (uint32_t d = 0; d < take->rank; d++) {
    take->dims[d] = ir_extent(&from->type, d);
    take->indices[d] = flat_dense(f, op->operands[1 + d]);
  }
  take->out = flat_result_tile(f, op->results[0]);
  take_all(f, op);
  flat_emit(f, HOST_TAKE, take);
}

void flat_sort(flat *f, const ir_op *op) {
  const ir_value *first = op->operands[0];
  host_sort *sort = ARENA_NEW(f->arena, host_sort);
  make_dense(f, op);
  sort->parts = ARENA_ARRAY(f->arena, host_sort_part, op->operand_count);
  sort->part_count = op->operand_count;
  sort->key_count = (uint32_t)op->attrs->keys;
  flat_split_axis(first, (uint32_t)op->attrs->axis, &sort->outer, &sort->count, &sort->inner);
  sort->spare = flat_slot(f, (uint64_t)sort->count * 8 * (sort->key_count + 1));
  for (uint32_t k = 0; k < op->operand_count; k++) {
    const ir_value *from = op->operands[k], *to = op->results[k];
    bool wanted = flat_value_of(f, to)->left > 0;
    sort->parts[k] = (host_sort_part){.in = flat_dense(f, from), .dtype = from->type.dtype, .bytes = flat_bytes(from)};
    sort->parts[k].out = wanted ? flat_result_tile(f, to) : HOST_NONE;
  }
  flat_free_slot(f, sort->spare);
  take_all(f, op);
  flat_emit(f, HOST_SORT, sort);
}

/* Dense memory read as elements of another width. */
void flat_bitcast_width(flat *f, const ir_op *op) {
  uint32_t slot = flat_dense(f, op->operands[0]);
  flat_share(f, op->results[0], op->operands[0], flat_operand_dense(f, &op->results[0]->type, slot));
}

/* ---- elements of refs ---- */

static void indexed_dim(flat *f, const ir_op *op, uint32_t d, uint32_t *ranges, host_indexed *access) {
  const ir_index *index = &op->attrs->index[d];
  struct host_indexed_dim *dim = &access->dims[d];
  const host_box_info *from = &f->boxes.data[access->from];
  *dim = (struct host_indexed_dim){.slot = HOST_NONE, .axis = HOST_NONE, .stride = index->stride};
  dim->extent = from->dims[d];
  dim->parent_stride = from->strides[d];
  if (index->operand >= 0) {
    dim->slot = flat_dense(f, op->operands[index->operand]);
    dim->array = op->operands[index->operand]->type.shape.rank > 0;
  } else {
    dim->start = index->start->value;
  }
  if (index->point) return;
  bool behind = access->arrays_rank > 0 && *ranges >= access->arrays_at;
  dim->axis = (*ranges)++ + (behind ? access->arrays_rank : 0);
}

static void place_indexed(flat *f, const ir_op *op, host_indexed *access) {
  const ir_value *tile = op->code == IR_store ? op->operands[1] : op->results[0];
  const ir_shape *arrays = ir_access_arrays(op, &access->arrays_at);
  uint32_t ranges = 0;
  access->from = flat_value_of(f, op->operands[0])->box;
  access->ref_rank = op->attrs->index_count;
  access->rank = tile->type.shape.rank;
  access->arrays_rank = arrays ? arrays->rank : 0;
  access->bytes = flat_bytes(tile);
  access->fill = ir_fill_bits(tile->type.dtype);
  for (uint32_t d = 0; d < access->rank; d++) access->sizes[d] = ir_extent(&tile->type, d);
  for (uint32_t d = 0; d < access->ref_rank; d++) indexed_dim(f, op, d, &ranges, access);
}

/* Mask, then other or what is expected, stand last. */
static void more_of_indexed(flat *f, const ir_op *op, host_indexed *access) {
  uint32_t next = op->operand_count - op->attrs->masked - op->attrs->other;
  access->mask = op->attrs->masked ? flat_dense(f, op->operands[next++]) : HOST_NONE;
  uint32_t last = op->attrs->other ? flat_dense(f, op->operands[next]) : HOST_NONE;
  access->other = op->code == IR_load ? last : HOST_NONE;
  access->expected = op->code == IR_atomic ? last : HOST_NONE;
  if (op->code == IR_atomic && op->attrs->combine && !op->attrs->other)
    access->combine = ir_lanes((ir_code)(op->attrs->combine - 1), op->operands[1]->type.dtype);
}

static void need_turns(flat *f) {
  if (f->plan->turns) return;
  struct host_turns *turns = arena_alloc(f->arena, sizeof *turns);
  *turns = (struct host_turns){.lock = mutex_create(f->plan->context->mem)};
  if (!turns->lock) arena_out(f->arena);
  f->plan->turns = turns;
}

void flat_say(flat *f, const ir_op *op) {
  host_say *say = ARENA_NEW(f->arena, host_say);
  say->words = op->attrs->words;
  say->count = op->operand_count;
  say->values = ARENA_ARRAY(f->arena, host_said, op->operand_count + 1);
  make_dense(f, op);
  for (uint32_t k = 0; k < op->operand_count; k++) {
    const ir_value *v = op->operands[k];
    say->values[k] = (host_said){.slot = flat_dense(f, v), .value = ir_said_of(&v->type)};
  }
  take_all(f, op);
  need_turns(f);
  flat_emit(f, op->code == IR_print ? HOST_PRINT : HOST_CHECK, say);
}

void flat_indexed(flat *f, const ir_op *op) {
  host_indexed *access = ARENA_NEW(f->arena, host_indexed);
  const uint32_t memory = flat_memory_of(f, flat_value_of(f, op->operands[0])->box);
  const bool writes = op->code != IR_load;
  if (ir_hands_over(op)) flat_settle_all(f);
  flat_await_products(f, op->operands[0]);
  for (uint32_t k = 1; k < op->operand_count; k++) flat_dense(f, op->operands[k]);
  if (writes || flat_group_writes(f, memory)) flat_close(f);
  if (writes) flat_settle_lazy(f, memory);
  place_indexed(f, op, access);
  more_of_indexed(f, op, access);
  access->value = writes ? flat_dense(f, op->operands[1]) : flat_result_tile(f, op->results[0]);
  const bool wants_old = op->code == IR_atomic && flat_value_of(f, op->results[0])->left > 0;
  access->old = wants_old ? flat_result_tile(f, op->results[0]) : HOST_NONE;
  for (uint32_t k = 1; k < op->operand_count; k++) flat_take(f, op->operands[k]);
  if (op->code == IR_atomic) need_turns(f);
  flat_emit(f, HOST_INDEXED, access);
}
