/* What stands for a unit's values where its pieces are written: its places are numbers, its loops are those of the
 * order that was found, what is cheap is computed again, and what outlives its piece lies in memory, which
 * promote_scratch makes values again. */
#include "pass/roles/write.h"

/* ---- memory ---- */

/* What is made within the parts of a thread is each part's own. */
static bool made_in_parts(const ir_value *v) {
  const ir_region *region = v->def ? v->def->parent : v->region;
  for (; region && region->owner; region = region->owner->parent)
    if (region->owner->code == IR_warps) return true;
  return false;
}

static uint32_t unit_number(const writer *w, const ir_value *v) {
  return w->unit->whole && !made_in_parts(v) ? w->unit->number : w->at->unit;
}

ir_value *write_slot(writer *w, const ir_value *v) {
  const uint32_t slot = w->r->values[v->id].slot;
  if (slot == 0) return NULL;
  ir_value **ref = &w->slots[unit_number(w, v) * w->r->slot_count + slot - 1];
  if (!*ref) *ref = pass_scratch(&w->top, IR_SPACE_ACC, v->type.dtype, &v->type.shape, v->name);
  return *ref;
}

static ir_value *memory_of(writer *w, const ir_op *op) {
  uint32_t number = 0;
  while (w->r->scratches.data[number].op != op) number++;
  const roles_scratch *scratch = &w->r->scratches.data[number];
  const uint32_t block = roles_block(w->r, w->unit);
  const uint32_t owner = scratch->depth > DEPTH_GPU_BLOCK ? unit_number(w, op->results[0]) : block;
  const ir_type *type = &op->results[0]->type;
  ir_value **ref = &w->memory[number][scratch->has_peers ? 0 : owner];
  if (!*ref && scratch->has_peers) *ref = write_blocks(w, op);
  if (!*ref) *ref = pass_scratch(&w->top, type->space, type->dtype, &type->shape, op->results[0]->name);
  return scratch->has_peers ? write_row(&w->b, *ref, NULL, block) : *ref;
}

/* ---- indices ---- */

static ir_value *add_scaled(ir_builder *b, ir_value *sum, ir_value *v, int64_t factor) {
  if (factor == 0) return sum;
  ir_value *part = factor == 1 ? v : ir_map2(b, IR_mul, v, ir_scalar_i32(b, factor));
  return sum ? ir_map2(b, IR_add, sum, part) : part;
}

/* The trip of the unit's own loop of that depth, in terms of the loops that are written. */
static ir_value *trip_of(writer *w, uint32_t depth) {
  int64_t number = w->at->base[depth];
  ir_value *sum = NULL;
  const roll_row *row = w->at->rows;
  for (size_t i = 0; row; i++, row = row->inner) {
    const write_loop *loop = &w->loops.data[i];
    number -= row->by[depth] * loop->first;
    sum = add_scaled(&w->b, sum, loop->index, row->by[depth]);
  }
  if (!sum || number == 0) return sum ? sum : ir_scalar_i32(&w->b, number);
  return ir_map2(&w->b, IR_add, sum, ir_scalar_i32(&w->b, number));
}

static ir_value *index_of(writer *w, const roles_step *loop) {
  ir_value *begin = write_value(w, loop->op->operands[0]), *step = write_value(w, loop->op->operands[2]);
  ir_value *trip = trip_of(w, loop->depth - 1);
  int64_t number;
  if (!pass_integer(step, &number) || number != 1) trip = ir_map2(&w->b, IR_mul, trip, step);
  return pass_integer(begin, &number) && number == 0 ? trip : ir_map2(&w->b, IR_add, begin, trip);
}

/* ---- values ---- */

void write_map(writer *w, const ir_value *v, ir_value *to) {
  w->map[v->id] = to;
  VEC_PUSH(w->r->arena, &w->mapped, v->id);
}

void write_forget(writer *w) {
  for (size_t i = 0; i < w->mapped.count; i++) w->map[w->mapped.data[i]] = NULL;
  w->mapped.count = 0;
}

static ir_value *free_value(writer *w, ir_value *v) {
  bool known;
  const int64_t place = roles_place(w->r, w->unit, v, &known);
  if (known) return ir_scalar_i32(&w->b, place);
  if (!v->def) return v;
  if (v->def->code == IR_scratch) return memory_of(w, v->def);
  for (uint32_t i = 0; i < v->def->operand_count; i++) write_value(w, v->def->operands[i]);
  ir_clone_op(&w->b, v->def, w->map);
  return w->map[v->id];
}

ir_value *write_value(writer *w, ir_value *v) {
  if (w->map[v->id]) return w->map[v->id];
  const roles_value *info = &w->r->values[v->id];
  ir_value *made;
  if (info->home == ROLES_INDEX)
    made = index_of(w, info->loop);
  else if (info->home == ROLES_FREE)
    made = free_value(w, v);
  else
    made = pass_load_whole(&w->b, write_slot(w, roles_carrier(v)));
  write_map(w, v, made);
  return made;
}
