/* Ops that find elements by computed indices, and sorts, into instructions: all on dense tiles. */
#include "host/flatten.h"

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
