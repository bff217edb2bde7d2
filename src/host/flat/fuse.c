/* Building fused loops: elementwise ops of one shape are gathered, in order, until something needs what they make. */
#include <string.h>

#include "host/flat/flatten.h"

enum { ROOM = 8 }; /* registers that one op may need */

static void set_space(flat *f, flat_group *g, const int64_t *dims, uint32_t rank) {
  g->rank = rank;
  memcpy(g->dims, dims, rank * sizeof *dims);
  g->source = f->source;
}

void flat_group_begin(flat *f, const int64_t *dims, uint32_t rank) {
  flat_group *g = &f->group;
  bool same = g->open && g->rank == rank && memcmp(g->dims, dims, rank * sizeof *dims) == 0;
  bool room = g->reg_count + ROOM <= HOST_MAX_REGS && g->sink_count + ROOM <= HOST_MAX_REGS;
  if (same && room) return;
  flat_close(f);
  g->open = true;
  set_space(f, g, dims, rank);
}

static void empty(flat_group *g) { g->input_count = g->reg_count = g->micro_count = g->sink_count = 0; }

flat_group *flat_lone_begin(flat *f, const int64_t *dims, uint32_t rank) {
  empty(&f->lone);
  set_space(f, &f->lone, dims, rank);
  return &f->lone;
}

static uint32_t new_reg(flat_group *g, uint32_t bytes, uint32_t input, uint32_t micro) {
  g->regs[g->reg_count] = (flat_reg){.bytes = bytes, .input = input, .made_by = micro, .tile = HOST_NONE};
  return g->reg_count++;
}

uint32_t flat_group_input(flat *f, const host_operand *at, uint32_t bytes, uint32_t tile) {
  flat_group *g = &f->group;
  for (uint32_t i = 0; i < g->input_count; i++)
    if (g->inputs[i].key == at) return g->inputs[i].reg;
  uint32_t reg = new_reg(g, bytes, g->input_count, HOST_NONE);
  g->inputs[g->input_count++] = (flat_input){.at = *at,
                                             .key = at,
                                             .bytes = bytes,
                                             .reg = reg,
                                             .tile = tile,
                                             .memory = at->box == HOST_NONE ? HOST_NONE : flat_memory_of(f, at->box)};
  return reg;
}

/* The group must have been begun, with v's shape. */
uint32_t flat_group_value(flat *f, const ir_value *v) {
  flat_value *value = flat_value_of(f, v);
  if (value->kind == FLAT_REG) {
    value->left--;
    return value->reg;
  }
  uint32_t reg = flat_group_input(f, value->at, flat_bytes(v), value->tile);
  flat_input *input = &f->group.inputs[f->group.regs[reg].input];
  if (value->at->box != HOST_NONE) input->place = value->place, input->from = value->at->box;
  value->left--;
  if (value->tile != HOST_NONE) VEC_PUSH(f->arena, &f->group.taken, value->tile);
  return reg;
}

uint32_t flat_group_micro(flat *f, ir_lanes_fn fn, const uint32_t *in, uint32_t count, uint32_t bytes) {
  flat_group *g = &f->group;
  uint32_t reg = new_reg(g, bytes, HOST_NONE, g->micro_count);
  host_micro *micro = &g->micros[g->micro_count].run;
  g->micros[g->micro_count++] = (flat_micro){.run = {.fn = fn, .out = (uint16_t)reg}};
  for (uint32_t k = 0; k < 3; k++) micro->in[k] = (uint16_t)in[k < count ? k : 0];
  return reg;
}

uint32_t flat_group_map(flat *f, ir_code code, ir_dtype dtype, const uint32_t *in, uint32_t count, uint32_t bytes) {
  uint32_t reg = flat_group_micro(f, ir_lanes(code, dtype), in, count, bytes);
  flat_micro *micro = &f->group.micros[f->group.micro_count - 1];
  for (uint32_t k = 0; k < 2; k++) micro->one[k] = ir_lanes_one(code, dtype, k);
  return reg;
}

void flat_group_result(flat *f, const ir_value *v, uint32_t reg) {
  flat_value *value = flat_value_of(f, v);
  value->kind = FLAT_REG;
  value->reg = reg;
  value->tile = HOST_NONE;
  value->home = f->region;
  VEC_PUSH(f->arena, &f->group.values, v->id);
}

flat_sink *flat_group_sink(flat *f, uint32_t reg, const host_operand *to, uint32_t bytes) {
  flat_sink *sink = &f->group.sinks[f->group.sink_count++];
  *sink = (flat_sink){.sink = {.reg = reg, .bytes = bytes, .to = *to}, .result = HOST_NONE, .memory = HOST_NONE};
  return sink;
}

bool flat_group_writes(const flat *f, uint32_t memory) {
  for (uint32_t s = 0; f->group.open && s < f->group.sink_count; s++)
    if (f->group.sinks[s].memory == memory) return true;
  return false;
}

/* ---- closing ---- */

/* A value that is needed after the loop gets a tile: its register's, if another value has the same register. */
static void keep_value(flat *f, uint32_t id) {
  flat_group *g = &f->group;
  const ir_value *v = f->by_id[id];
  flat_value *value = &f->values[id];
  flat_reg *reg = &g->regs[value->reg];
  if (value->kind != FLAT_REG) return;
  if (value->left == 0) {
    value->kind = FLAT_NONE;
    return;
  }
  if (reg->tile == HOST_NONE) {
    reg->tile = flat_tile_new(f, (uint64_t)ir_count(&v->type) * flat_bytes(v), 0);
    if (reg->input != HOST_NONE) {
      host_operand *to = flat_operand_dense(f, &v->type, f->tiles[reg->tile].slot);
      flat_group_sink(f, value->reg, to, flat_bytes(v));
    }
  }
  uint32_t tile = reg->tile;
  flat_tile_add(f, tile, value->left);
  flat_set_at(f, v, flat_operand_dense(f, &v->type, f->tiles[tile].slot), tile);
}

/* Reductions made in f32 for the sake of narrow floats are rounded by a loop of their own, which is left open. */
static void round_reductions(flat *f, const flat_sink *sinks, uint32_t count) {
  for (uint32_t s = 0; s < count; s++) {
    if (sinks[s].result == HOST_NONE || !sinks[s].narrow) continue;
    const ir_value *v = f->by_id[sinks[s].result];
    int64_t dims[KILN_MAX_RANK] = {0};
    for (uint32_t d = 0; d < v->type.shape.rank; d++) dims[d] = ir_extent(&v->type, d);
    flat_group_begin(f, dims, v->type.shape.rank);
    host_operand *wide = flat_operand_dense(f, &v->type, sinks[s].sink.to.slot);
    flat_dense_strides(wide->dims, wide->rank, 4, wide->strides);
    uint32_t tile = flat_tile_of(f, wide->slot, 1);
    uint32_t in = flat_group_input(f, wide, 4, tile);
    VEC_PUSH(f->arena, &f->group.taken, tile);
    flat_group_result(f, v, flat_group_micro(f, ir_convert_lanes(IR_F32, v->type.dtype), &in, 1, flat_bytes(v)));
  }
}

static void settle_reduction(flat *f, const flat_sink *sink) {
  if (sink->result == HOST_NONE || sink->narrow) return;
  const ir_value *v = f->by_id[sink->result];
  flat_value *value = flat_value_of(f, v);
  uint32_t tile = flat_tile_of(f, sink->sink.to.slot, value->left);
  flat_set_at(f, v, flat_operand_dense(f, &v->type, sink->sink.to.slot), tile);
  flat_tile_release(f, tile);
}

void flat_close(flat *f) {
  flat_group *g = &f->group;
  if (!g->open) return;
  const ir_op *current = f->source;
  f->source = g->source;
  for (size_t i = 0; i < g->values.count; i++) keep_value(f, g->values.data[i]);
  for (size_t i = 0; i < g->taken.count; i++) flat_tile_take(f, g->taken.data[i]);
  flat_standalone(f, g);
  flat_sink *sinks = arena_copy(f->arena, g->sinks, g->sink_count * sizeof *sinks);
  const uint32_t sink_count = g->sink_count;
  g->open = false;
  empty(g);
  g->values.count = g->taken.count = 0;
  for (uint32_t s = 0; s < sink_count; s++) settle_reduction(f, &sinks[s]);
  round_reductions(f, sinks, sink_count);
  f->source = current;
}
