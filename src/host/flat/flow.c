/* Control flow becomes jumps. A value that a region yields is moved to where the op around it keeps its results; loops
 * keep their carried values in one place, and a value computed there already is not moved at all. */
#include <string.h>

#include "host/flat/flatten.h"

/* ---- what a region does to the outside ---- */

typedef struct effects {
  flat *f;
  uint32_t *memory; /* written by stores inside */
  uint32_t memory_count;
  VEC(uint32_t) used; /* tiles from outside that are read inside, as often as they are */
} effects;

static bool made_outside(const flat *f, const ir_value *v) { return f->values[v->id].kind != FLAT_NONE; }

static bool visit(void *user, ir_op *op) {
  effects *e = user;
  for (uint32_t k = 0; k < op->operand_count; k++) {
    const ir_value *v = op->operands[k];
    if (v->type.kind != IR_TILE || !made_outside(e->f, v)) continue;
    const flat_value *value = &e->f->values[v->id];
    if (value->tile != HOST_NONE) VEC_PUSH(e->f->arena, &e->used, value->tile);
  }
  if (ir_op_get(op->code)->effects & E_SYNC || ir_hands_over(op)) flat_settle_lazy(e->f, HOST_NONE);
  const ir_value *written = ir_written_ref(op);
  if (!written) return true;
  /* Refs made inside the region have no box yet: their memory is that of the ref they are views of. */
  uint32_t box = e->f->values[ir_root_ref(written)->id].box;
  if (box != HOST_NONE) flat_settle_lazy(e->f, flat_memory_of(e->f, box));
  return true;
}

/* Before a control op: what is read inside stays where it is until the end, what is written inside is copied first. */
static effects enter(flat *f, const ir_op *op) {
  effects e = {.f = f};
  flat_close(f);
  flat_settle_products(f);
  flat_close(f);
  for (uint32_t r = 0; r < op->region_count; r++) ir_walk(op->regions[r], visit, &e);
  e.used.count = 0; /* the copies moved values: look again */
  for (uint32_t r = 0; r < op->region_count; r++) ir_walk(op->regions[r], visit, &e);
  for (size_t i = 0; i < e.used.count; i++) f->tiles[e.used.data[i]].holds++;
  return e;
}

static void leave(effects *e) {
  for (size_t i = 0; i < e->used.count; i++) {
    e->f->tiles[e->used.data[i]].holds--;
    flat_tile_release(e->f, e->used.data[i]);
  }
}

/* ---- places for results ---- */

typedef struct keep { /* one carried value or result */
  uint32_t slot, tile;
  uint64_t bytes;
} keep;

static keep *new_keeps(flat *f, const ir_op *op) {
  keep *keeps = ARENA_ARRAY(f->arena, keep, op->result_count + 1);
  for (uint32_t k = 0; k < op->result_count; k++) {
    const ir_type *type = &op->results[k]->type;
    keeps[k].bytes = (uint64_t)ir_count(type) * ir_dtype_bytes(type->dtype);
    keeps[k].tile = HOST_NONE;
    if (type->shape.rank == 0) {
      keeps[k].slot = flat_cell(f);
      continue;
    }
    keeps[k].tile = flat_tile_new(f, keeps[k].bytes, 0);
    keeps[k].slot = f->tiles[keeps[k].tile].slot;
    f->tiles[keeps[k].tile].pinned = true;
  }
  return keeps;
}

static void be_at_keep(flat *f, const ir_value *v, const keep *k) {
  flat_set_at(f, v, flat_operand_dense(f, &v->type, k->slot), k->tile);
  flat_tile_add(f, k->tile, flat_value_of(f, v)->left);
}

static void finish_keeps(flat *f, const ir_op *op, const keep *keeps) {
  for (uint32_t k = 0; k < op->result_count; k++) {
    be_at_keep(f, op->results[k], &keeps[k]);
    if (keeps[k].tile == HOST_NONE) continue;
    f->tiles[keeps[k].tile].pinned = false;
    flat_tile_release(f, keeps[k].tile);
  }
}

/* ---- moving values there ---- */

static bool is_there(flat *f, const ir_value *v, const keep *k) {
  const host_operand *at = flat_value_of(f, v)->at;
  return at->slot == k->slot && at->offset == 0 && flat_is_dense(at, flat_bytes(v));
}

static void move_to(flat *f, const ir_value *v, const keep *k) {
  if (!is_there(f, v, k)) {
    if (v->type.shape.rank == 0) {
      host_move *move = ARENA_NEW(f->arena, host_move);
      *move = (host_move){.to = k->slot, .from = flat_dense(f, v), .bytes = k->bytes};
      flat_emit(f, HOST_MOVE, move);
    } else {
      flat_copy(f, flat_at(f, v), flat_operand_dense(f, &v->type, k->slot), flat_bytes(v));
    }
  }
  flat_take(f, v);
}

/* Whether the open loop may compute register `reg` onto a tile: whatever else reads the tile does so in this loop, at
 * the same place, and not after the register is written. */
static bool may_compute_onto(const flat *f, uint32_t reg, uint32_t tile) {
  const flat_group *g = &f->group;
  uint32_t taken = 0;
  if (g->regs[reg].input != HOST_NONE || g->regs[reg].tile != HOST_NONE || f->tiles[tile].holds > 0) return false;
  for (size_t i = 0; i < g->taken.count; i++) taken += g->taken.data[i] == tile;
  if (taken != f->tiles[tile].uses) return false;
  for (uint32_t i = 0; i < g->input_count; i++) {
    const flat_input *input = &g->inputs[i];
    if (input->tile != tile) continue;
    if (input->at.offset != 0 || !flat_is_dense(&input->at, g->regs[reg].bytes) || input->bytes != g->regs[reg].bytes)
      return false;
    for (uint32_t m = g->regs[reg].made_by + 1; m < g->micro_count; m++)
      for (uint32_t k = 0; k < 3; k++)
        if (g->micros[m].run.in[k] == input->reg) return false;
    for (uint32_t s = 0; s < g->sink_count; s++)
      if (g->sinks[s].sink.reg == input->reg) return false;
  }
  return true;
}

static void compute_onto(flat *f, const ir_value *v, const keep *k) {
  const flat_value *value = flat_value_of(f, v);
  if (value->kind != FLAT_REG || k->tile == HOST_NONE || value->left != 1) return;
  if (may_compute_onto(f, value->reg, k->tile)) f->group.regs[value->reg].tile = k->tile;
}

/* A value that lies where another is about to be moved gets out of the way. */
static bool in_the_way(flat *f, const ir_value *v, const keep *keeps, uint32_t count, uint32_t own) {
  const host_operand *at = flat_value_of(f, v)->at;
  for (uint32_t k = 0; k < count; k++)
    if (at->slot == keeps[k].slot && (k != own || !is_there(f, v, &keeps[k]))) return true;
  return false;
}

static void step_aside(flat *f, const ir_value *v) {
  const uint64_t bytes = (uint64_t)ir_count(&v->type) * flat_bytes(v);
  flat_value *value = flat_value_of(f, v);
  const host_operand *from = value->at;
  uint32_t before = value->tile, uses = value->left, tile = flat_tile_new(f, bytes, uses);
  host_operand *to = flat_operand_dense(f, &v->type, f->tiles[tile].slot);
  flat_copy(f, from, to, flat_bytes(v));
  if (before != HOST_NONE) f->tiles[before].uses -= uses;
  flat_set_at(f, v, to, tile);
}

static void yield_to(flat *f, const ir_op *yield, const keep *keeps, uint32_t count) {
  for (uint32_t k = 0; k < count; k++) compute_onto(f, yield->operands[k], &keeps[k]);
  for (uint32_t k = 0; k < count; k++) flat_at(f, yield->operands[k]);
  flat_close(f);
  for (uint32_t k = 0; k < count; k++)
    if (in_the_way(f, yield->operands[k], keeps, count, k)) step_aside(f, yield->operands[k]);
  for (uint32_t k = 0; k < count; k++) move_to(f, yield->operands[k], &keeps[k]);
}

static void flatten_into(flat *f, const ir_region *region, const keep *keeps, uint32_t count) {
  flat_scope scope = flat_region_begin(f, region);
  if (region->last && region->last->code == IR_yield) yield_to(f, region->last, keeps, count);
  flat_region_end(f, scope);
}

/* ---- the ops ---- */

static uint32_t here(const flat *f) { return (uint32_t)f->code.count; }
static void land(flat *f, uint32_t jump) { f->code.data[jump].target = here(f); }

static uint32_t emit_branch(flat *f, const ir_value *condition) {
  host_move *detail = ARENA_NEW(f->arena, host_move);
  detail->from = flat_dense(f, condition);
  flat_take(f, condition);
  return flat_emit(f, HOST_BRANCH, detail);
}

static void emit_jump(flat *f, host_code code, const void *detail, uint32_t target) {
  uint32_t jump = flat_emit(f, code, detail);
  f->code.data[jump].target = target;
}

static void carry(flat *f, const ir_op *op, uint32_t first, const keep *keeps) {
  for (uint32_t k = 0; k < op->result_count; k++) move_to(f, op->operands[first + k], &keeps[k]);
}

/* Faults name the step of the grid that a loop came from. */
static void note_step(flat *f, const ir_op *op, uint32_t cell) {
  kiln_host_plan *plan = f->plan;
  if (op->attrs && op->attrs->grid_axis > 0 && plan->step_count < sizeof plan->steps / sizeof *plan->steps)
    plan->steps[plan->step_count++] = (struct host_step){op->regions[0]->args[0]->name, cell};
}

static void for_op(flat *f, const ir_op *op) {
  const ir_region *body = op->regions[0];
  host_loop *loop = ARENA_NEW(f->arena, host_loop);
  for (uint32_t k = 0; k < op->operand_count; k++) flat_at(f, op->operands[k]);
  loop->begin = flat_dense(f, op->operands[0]);
  loop->end = flat_dense(f, op->operands[1]);
  loop->step = flat_dense(f, op->operands[2]);
  loop->index = flat_cell(f);
  keep *keeps = new_keeps(f, op);
  carry(f, op, 3, keeps);
  flat_set_at(f, body->args[0], flat_operand_dense(f, &body->args[0]->type, loop->index), HOST_NONE);
  for (uint32_t k = 0; k < op->result_count; k++) be_at_keep(f, body->args[k + 1], &keeps[k]);
  note_step(f, op, loop->index);
  uint32_t begin = flat_emit(f, HOST_LOOP_BEGIN, loop), top = here(f);
  flatten_into(f, body, keeps, op->result_count);
  emit_jump(f, HOST_LOOP_NEXT, loop, top);
  land(f, begin);
  for (uint32_t k = 0; k < 3; k++) flat_take(f, op->operands[k]);
  finish_keeps(f, op, keeps);
}

static void while_op(flat *f, const ir_op *op) {
  const ir_region *condition = op->regions[0], *body = op->regions[1];
  for (uint32_t k = 0; k < op->operand_count; k++) flat_at(f, op->operands[k]);
  keep *keeps = new_keeps(f, op);
  carry(f, op, 0, keeps);
  for (uint32_t k = 0; k < op->result_count; k++) {
    be_at_keep(f, condition->args[k], &keeps[k]);
    be_at_keep(f, body->args[k], &keeps[k]);
  }
  uint32_t top = here(f);
  flat_scope scope = flat_region_begin(f, condition);
  flat_at(f, condition->last->operands[0]);
  flat_close(f);
  flat_region_end(f, scope); /* also what leaves the loop has given back the condition's scratch */
  uint32_t exit = emit_branch(f, condition->last->operands[0]);
  flatten_into(f, body, keeps, op->result_count);
  emit_jump(f, HOST_JUMP, NULL, top);
  land(f, exit);
  finish_keeps(f, op, keeps);
}

static void when_op(flat *f, const ir_op *op) {
  flat_at(f, op->operands[0]);
  keep *keeps = new_keeps(f, op);
  uint32_t otherwise = emit_branch(f, op->operands[0]);
  flatten_into(f, op->regions[0], keeps, op->result_count);
  uint32_t end = flat_emit(f, HOST_JUMP, NULL);
  land(f, otherwise);
  if (op->region_count > 1) flatten_into(f, op->regions[1], keeps, op->result_count);
  land(f, end);
  finish_keeps(f, op, keeps);
}

static void switch_op(flat *f, const ir_op *op) {
  host_switch *choice = ARENA_NEW(f->arena, host_switch);
  uint32_t *ends = ARENA_ARRAY(f->arena, uint32_t, op->region_count + 1);
  flat_at(f, op->operands[0]);
  keep *keeps = new_keeps(f, op);
  choice->index = flat_dense(f, op->operands[0]);
  choice->count = op->region_count;
  choice->targets = ARENA_ARRAY(f->arena, uint32_t, op->region_count + 1);
  flat_take(f, op->operands[0]);
  flat_emit(f, HOST_SWITCH, choice);
  for (uint32_t r = 0; r < op->region_count; r++) {
    choice->targets[r] = here(f);
    flatten_into(f, op->regions[r], keeps, op->result_count);
    ends[r] = flat_emit(f, HOST_JUMP, NULL);
  }
  for (uint32_t r = 0; r < op->region_count; r++) land(f, ends[r]);
  finish_keeps(f, op, keeps);
}

static void scope_op(flat *f, const ir_op *op) {
  keep *keeps = new_keeps(f, op);
  flatten_into(f, op->regions[0], keeps, op->result_count);
  finish_keeps(f, op, keeps);
}

void flat_control(flat *f, const ir_op *op) {
  effects e = enter(f, op);
  switch (op->code) {
    case IR_for: for_op(f, op); break;
    case IR_while: while_op(f, op); break;
    case IR_when: when_op(f, op); break;
    case IR_scope: scope_op(f, op); break;
    case IR_warps: flat_warps(f, op); break;
    default: switch_op(f, op); break;
  }
  leave(&e);
}
