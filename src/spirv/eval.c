/* One element of a tile: virtual values are computed from the elements of their operands, at coordinates that shape ops
 * only rename. What was computed once in reach is not computed again. */
#include "spirv/lower.h"

#define EVAL_KEY 0x10001u /* no opcode: apart from the keys of instructions */

/* Aligned groups share one comparison: with the base and the extent multiples of m, at < extent just when at rounded
 * down to a multiple of m is. */
spv_id spv_inside(spv_lower *low, spv_id at, int64_t extent) {
  spv_code *c = &low->code;
  spv_fact fact = *spv_fact_of(c, at);
  if (fact.low >= 0 && fact.high < extent) return 0;
  if (fact.low >= extent || fact.high < 0) return spv_const_bool(c->m, false);
  if (fact.base && fact.base != at) {
    int64_t group = spv_fact_of(c, fact.base)->multiple & 15;
    group = group ? group & -group : 16;
    while (group > 1 && extent % group) group /= 2;
    int64_t rest = (fact.add % group + group) % group;
    if (rest) at = spv_add(c, fact.base, spv_int(c, fact.add - rest));
  }
  return spv_op2(c, SpvOpULessThan, c->boolean, at, spv_int(c, extent));
}

/* ---- shape ops ---- */

static spv_id eval_broadcast(spv_lower *low, const ir_op *op, const spv_point *at) {
  const ir_value *from = op->operands[0];
  uint32_t rank = from->type.shape.rank, outer = at->rank - rank;
  const ir_list *axes = &op->attrs->axes;
  spv_point inner = {.rank = rank};
  for (uint32_t k = 0; k < rank; k++) inner.at[k] = at->at[axes->count ? (uint32_t)axes->at[k] : outer + k];
  return spv_eval(low, from, &inner); /* axes of extent 1 are brought to 0 there */
}

/* The coordinates of axes [first, end) of `type` for the element of that number among them. */
static void take_apart(spv_lower *low, const ir_type *type, uint32_t first, uint32_t end, spv_id number, spv_id *at) {
  for (uint32_t axis = end; axis-- > first;) {
    uint32_t extent = (uint32_t)ir_extent(type, axis);
    at[axis] = axis == first ? number : spv_mod_const(&low->code, number, extent);
    if (axis > first) number = spv_div_const(&low->code, number, extent);
  }
}

static spv_id put_together(spv_lower *low, const ir_type *type, uint32_t first, uint32_t end, const spv_id *at) {
  spv_id number = spv_int(&low->code, 0);
  for (uint32_t axis = first; axis < end; axis++)
    number = spv_add(&low->code, spv_mul(&low->code, number, spv_int(&low->code, ir_extent(type, axis))), at[axis]);
  return number;
}

/* Runs of axes with equal products are taken on their own, so that untouched axes keep their coordinates. */
static spv_id eval_reshape(spv_lower *low, const ir_op *op, const spv_point *at) {
  const ir_type *to = &op->results[0]->type, *from = &op->operands[0]->type;
  spv_point inner = {.rank = from->shape.rank};
  uint32_t to_first = 0, from_first = 0;
  while (from_first < from->shape.rank || to_first < to->shape.rank) {
    uint32_t to_end = to_first, from_end = from_first;
    int64_t to_size = to_end < to->shape.rank ? ir_extent(to, to_end++) : 1;
    int64_t from_size = from_end < from->shape.rank ? ir_extent(from, from_end++) : 1;
    while (to_size != from_size) {
      if (to_size < from_size)
        to_size *= ir_extent(to, to_end++);
      else
        from_size *= ir_extent(from, from_end++);
    }
    take_apart(low, from, from_first, from_end, put_together(low, to, to_first, to_end, at->at), inner.at);
    to_first = to_end;
    from_first = from_end;
  }
  return spv_eval(low, op->operands[0], &inner);
}

static spv_id eval_transpose(spv_lower *low, const ir_op *op, const spv_point *at) {
  const ir_list *axes = &op->attrs->axes;
  spv_point inner = {.rank = at->rank};
  for (uint32_t k = 0; k < at->rank; k++) inner.at[axes->count ? (uint32_t)axes->at[k] : at->rank - 1 - k] = at->at[k];
  return spv_eval(low, op->operands[0], &inner);
}

static spv_id eval_reverse(spv_lower *low, const ir_op *op, const spv_point *at) {
  spv_point inner = *at;
  for (uint32_t k = 0; k < op->attrs->axes.count; k++) {
    uint32_t axis = (uint32_t)op->attrs->axes.at[k];
    spv_id last = spv_int(&low->code, ir_extent(&op->results[0]->type, axis) - 1);
    inner.at[axis] = spv_sub(&low->code, last, at->at[axis]);
  }
  return spv_eval(low, op->operands[0], &inner);
}

static spv_id eval_slice(spv_lower *low, const ir_op *op, const spv_point *at) {
  spv_code *c = &low->code;
  spv_point inner = {.rank = at->rank};
  for (uint32_t axis = 0; axis < at->rank; axis++) {
    int64_t stride = axis < op->attrs->stride.count ? op->attrs->stride.at[axis] : 1;
    spv_id scaled = spv_mul(c, at->at[axis], spv_int(c, stride));
    inner.at[axis] = spv_add(c, scaled, spv_int(c, op->attrs->start.at[axis]));
  }
  return spv_eval(low, op->operands[0], &inner);
}

static int64_t listed(const ir_list *list, uint32_t axis) { return axis < list->count ? list->at[axis] : 0; }

static spv_id eval_pad(spv_lower *low, const ir_op *op, const spv_point *at) {
  spv_code *c = &low->code;
  const ir_type *from = &op->operands[0]->type;
  spv_id padding = spv_eval_scalar(low, op->operands[1]), inside = 0;
  spv_point inner = {.rank = at->rank};
  for (uint32_t axis = 0; axis < at->rank; axis++) {
    int64_t extent = ir_extent(from, axis), pitch = listed(&op->attrs->interior, axis) + 1;
    if (extent == 0) return padding;
    spv_id moved = spv_sub(c, at->at[axis], spv_int(c, listed(&op->attrs->low, axis)));
    spv_id here = spv_inside(low, moved, (extent - 1) * pitch + 1);
    moved = spv_clamp_to(low, moved, (extent - 1) * pitch + 1);
    if (pitch > 1) {
      spv_id rest = spv_mod_const(c, moved, (uint32_t)pitch);
      here = spv_both(c, here, spv_op2(c, SpvOpIEqual, c->boolean, rest, spv_int(c, 0)));
      moved = spv_div_const(c, moved, (uint32_t)pitch);
    }
    inside = spv_both(c, inside, here);
    inner.at[axis] = moved;
  }
  if (inside == spv_const_bool(c->m, false)) return padding;
  return spv_select(c, spv_num_type(low, from->dtype), inside, spv_eval(low, op->operands[0], &inner), padding);
}

static spv_id eval_concatenate(spv_lower *low, const ir_op *op, const spv_point *at) {
  spv_code *c = &low->code;
  uint32_t axis = (uint32_t)op->attrs->axis;
  int64_t begin = 0;
  spv_id result = 0, type = spv_num_type(low, op->results[0]->type.dtype);
  for (uint32_t k = 0; k < op->operand_count; k++) {
    int64_t extent = ir_extent(&op->operands[k]->type, axis);
    spv_id moved = spv_sub(c, at->at[axis], spv_int(c, begin));
    const spv_fact fact = *spv_fact_of(c, moved);
    begin += extent;
    if (extent == 0 || fact.low >= extent || fact.high < 0) continue; /* certainly another operand */
    spv_point inner = *at;
    inner.at[axis] = spv_clamp_to(low, moved, extent);
    spv_id here = spv_eval(low, op->operands[k], &inner);
    if (fact.low >= 0 && fact.high < extent) return here;
    spv_id from_here = spv_op2(c, SpvOpSGreaterThanEqual, c->boolean, moved, spv_int(c, 0));
    result = result ? spv_select(c, type, from_here, here, result) : here;
  }
  return result ? result : spv_num_const(low, op->results[0]->type.dtype, 0); /* outside: nobody looks */
}

/* ---- all ops ---- */

static spv_id eval_map(spv_lower *low, const ir_op *op, const spv_point *at) {
  spv_id operands[3] = {0};
  for (uint32_t i = 0; i < op->operand_count; i++) operands[i] = spv_eval(low, op->operands[i], at);
  ir_dtype dtype = op->operands[op->code == IR_select ? 1 : 0]->type.dtype;
  return spv_map(low, op->code, dtype, operands, op->loc);
}

static spv_id eval_op(spv_lower *low, const ir_op *op, const spv_point *at) {
  const ir_type *type = &op->results[0]->type;
  if (ir_op_get(op->code)->form == IR_FORM_MAP) return eval_map(low, op, at);
  switch (op->code) {
    case IR_load: return spv_load_op(low, op, at);
    case IR_full: return spv_num_const(low, type->dtype, op->attrs->bits);
    case IR_size: return spv_int(&low->code, op->attrs->dim->value);
    case IR_iota: return spv_num_convert(low, IR_I32, type->dtype, at->at[op->attrs->axis]);
    case IR_convert:
      return spv_num_convert(low, op->operands[0]->type.dtype, type->dtype, spv_eval(low, op->operands[0], at));
    case IR_bitcast: return spv_eval_bitcast(low, op, at);
    case IR_broadcast: return eval_broadcast(low, op, at);
    case IR_reshape: return eval_reshape(low, op, at);
    case IR_transpose: return eval_transpose(low, op, at);
    case IR_reverse: return eval_reverse(low, op, at);
    case IR_slice: return eval_slice(low, op, at);
    case IR_pad: return eval_pad(low, op, at);
    case IR_concatenate: return eval_concatenate(low, op, at);
    case IR_dynamic_slice: return spv_eval_dynamic_slice(low, op, at);
    case IR_update: return spv_eval_update(low, op, at);
    case IR_take: return spv_eval_take(low, op, at);
    default:
      diag_report(low->diags, DIAG_spirv_unsupported_op, op->loc, ir_op_get(op->code)->text,
                  ir_dtype_get(type->dtype)->name);
      spv_give_up(low);
  }
}

size_t spv_eval_key(const ir_value *value, const spv_point *point, uint32_t *key) {
  key[0] = EVAL_KEY;
  key[1] = value->id;
  for (uint32_t k = 0; k < point->rank; k++) key[2 + k] = point->at[k];
  return 2 + point->rank;
}

spv_id spv_eval(spv_lower *low, const ir_value *value, const spv_point *point) {
  spv_point at = *point;
  for (uint32_t axis = 0; axis < at.rank; axis++)
    if (ir_extent(&value->type, axis) == 1) at.at[axis] = spv_int(&low->code, 0);
  uint32_t key[2 + KILN_MAX_RANK];
  size_t count = spv_eval_key(value, &at, key);
  spv_id id = spv_recall(&low->code, key, count);
  if (id) return id;
  if (low->homes[value->id].kind != SPV_VIRTUAL) return spv_home_eval(low, value, &at);
  id = eval_op(low, value->def, &at);
  spv_memorize(&low->code, key, count, id, spv_fact_of(&low->code, id)->level);
  return id;
}

spv_id spv_eval_scalar(spv_lower *low, const ir_value *value) { return spv_eval(low, value, &(spv_point){.rank = 0}); }
