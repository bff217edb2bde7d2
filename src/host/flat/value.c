/* Values while a plan is made: finding where one is, taking its uses, and copying it when it must lie densely. */
#include <string.h>

#include "host/flat/flatten.h"

flat_value *flat_value_of(flat *f, const ir_value *v) { return &f->values[v->id]; }

void flat_set_at(flat *f, const ir_value *v, host_operand *at, uint32_t tile) {
  flat_value *value = flat_value_of(f, v);
  value->kind = FLAT_AT;
  value->at = at;
  value->tile = tile;
  value->place = NULL;
  value->home = f->region;
}

void flat_take(flat *f, const ir_value *v) {
  flat_value *value = flat_value_of(f, v);
  value->left--;
  flat_tile_take(f, value->tile);
}

host_operand *flat_at(flat *f, const ir_value *v) {
  flat_value *value = flat_value_of(f, v);
  if (value->kind == FLAT_PRODUCT) flat_product(f, v);
  if (value->kind == FLAT_REG || value->kind == FLAT_PENDING) flat_close(f);
  if (value->kind == FLAT_REG) flat_close(f); /* a narrow reduction was rounded in a loop of its own */
  return value->at;
}

void flat_share(flat *f, const ir_value *v, const ir_value *of, host_operand *at) {
  const flat_value *shared = flat_value_of(f, of);
  flat_value *value = flat_value_of(f, v);
  flat_set_at(f, v, at, shared->tile);
  value->place = shared->place;
  flat_tile_add(f, shared->tile, value->left);
  if (at->box != HOST_NONE && value->left > 0) VEC_PUSH(f->arena, &f->lazy, v->id);
  flat_take(f, of);
}

uint32_t flat_result_tile(flat *f, const ir_value *v) {
  flat_value *value = flat_value_of(f, v);
  if (v->type.shape.rank == 0) {
    uint32_t cell = flat_cell(f);
    flat_set_at(f, v, flat_operand_dense(f, &v->type, cell), HOST_NONE);
    return cell;
  }
  uint32_t tile = flat_tile_new(f, (uint64_t)ir_count(&v->type) * flat_bytes(v), value->left);
  uint32_t slot = f->tiles[tile].slot;
  flat_set_at(f, v, flat_operand_dense(f, &v->type, slot), tile);
  return slot;
}

/* A loop of its own that copies; the open one stays open. */
void flat_copy(flat *f, const host_operand *from, const host_operand *to, uint32_t bytes) {
  flat_group *g = flat_lone_begin(f, to->dims, to->rank);
  g->inputs[0] = (flat_input){.at = *from, .bytes = bytes, .reg = 0, .tile = HOST_NONE, .memory = HOST_NONE};
  g->regs[0] = (flat_reg){.bytes = bytes, .input = 0, .made_by = HOST_NONE, .tile = HOST_NONE};
  g->sinks[0] = (flat_sink){.sink = {.reg = 0, .bytes = bytes, .to = *to}, .memory = HOST_NONE};
  g->input_count = g->reg_count = g->sink_count = 1;
  flat_standalone(f, g);
}

/* Copies the value to a fresh tile that has `uses`. */
static host_operand *copied(flat *f, const ir_value *v, uint32_t uses, uint32_t *tile) {
  *tile = flat_tile_new(f, (uint64_t)ir_count(&v->type) * flat_bytes(v), uses);
  host_operand *to = flat_operand_dense(f, &v->type, f->tiles[*tile].slot);
  flat_copy(f, flat_value_of(f, v)->at, to, flat_bytes(v));
  return to;
}

uint32_t flat_dense(flat *f, const ir_value *v) {
  host_operand *at = flat_at(f, v);
  flat_value *value = flat_value_of(f, v);
  uint32_t tile;
  if (at->slot != HOST_NONE && at->offset == 0 && flat_is_dense(at, flat_bytes(v))) return at->slot;
  if (value->home == f->region) { /* from now on the value is the copy */
    host_operand *to = copied(f, v, value->left, &tile);
    if (value->tile != HOST_NONE) {
      f->tiles[value->tile].uses -= value->left;
      flat_tile_release(f, value->tile);
    }
    flat_set_at(f, v, to, tile);
    return to->slot;
  }
  host_operand *to = copied(f, v, 1, &tile); /* made outside: another turn or branch must find it as it was */
  f->tiles[tile].holds = 1;
  VEC_PUSH(f->arena, &f->borrowed, tile);
  return to->slot;
}

void flat_settle_lazy(flat *f, uint32_t memory) {
  size_t kept = 0;
  for (size_t i = 0; i < f->lazy.count; i++) {
    flat_value *value = &f->values[f->lazy.data[i]];
    bool waiting = value->kind == FLAT_AT && value->left > 0 && value->at->box != HOST_NONE;
    const bool meant = waiting && (memory == HOST_NONE || flat_memory_of(f, value->at->box) == memory);
    if (meant && value->home == f->region) {
      flat_dense(f, f->by_id[f->lazy.data[i]]);
      waiting = false;
    }
    if (waiting) f->lazy.data[kept++] = f->lazy.data[i];
  }
  f->lazy.count = kept;
}

void flat_settle_products(flat *f) {
  for (size_t i = 0; i < f->products.count; i++) {
    const ir_value *v = f->by_id[f->products.data[i]];
    if (flat_value_of(f, v)->kind == FLAT_PRODUCT) flat_product(f, v);
  }
  f->products.count = 0;
}

void flat_settle_all(flat *f) {
  flat_close(f);
  flat_settle_products(f);
  flat_close(f);
  flat_settle_lazy(f, HOST_NONE);
  flat_close(f);
}
