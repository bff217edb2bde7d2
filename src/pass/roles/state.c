/* The values of a role's text as one of its states has them: known already, made again, or kept in scratch since the
 * state that made them. */
#include "pass/roles/state.h"

/* ---- values ---- */

static void know(steps *s, const ir_value *v, val as) {
  s->now[v->id] = as;
  VEC_PUSH(s->p->arena, &s->known, (val)v);
}

void state_forget(steps *s) {
  for (size_t i = 0; i < s->known.count; i++) s->now[s->known.data[i]->id] = NULL;
  s->known.count = 0;
}

state_moment state_remember(const steps *s) {
  state_moment m = {.state = s->state, .place = s->place, .untouched = s->untouched, .count = s->known.count};
  m.values = ARENA_ARRAY(s->p->arena, val, m.count + 1);
  m.as = ARENA_ARRAY(s->p->arena, val, m.count + 1);
  for (size_t i = 0; i < m.count; i++) {
    m.values[i] = s->known.data[i];
    m.as[i] = s->now[m.values[i]->id];
  }
  return m;
}

void state_recall(steps *s, const state_moment *m) {
  state_forget(s);
  s->state = m->state;
  s->place = m->place;
  s->untouched = m->untouched;
  for (size_t i = 0; i < m->count; i++) know(s, m->values[i], m->as[i]);
}

static bool made_in_text(const ir_value *v) { return v->def ? v->def->code != IR_scratch : v->region != NULL; }

bool state_is_made_again(const ir_value *v) {
  const ir_op *op = v->def;
  if (!op) return false;
  if (v->type.kind != IR_TILE || op->code == IR_full || op->code == IR_iota) return true;
  if (ir_op_get(op->code)->form != IR_FORM_MAP || v->type.shape.rank > 0 || ir_is_float(v->type.dtype)) return false;
  for (uint32_t i = 0; i < op->operand_count; i++)
    if (op->operands[i]->type.shape.rank > 0 || ir_is_float(op->operands[i]->type.dtype)) return false;
  return true;
}

val state_room(steps *s, const ir_value *v) {
  if (!s->keep[v->id]) s->keep[v->id] = pass_scratch(&s->p->top, IR_SPACE_REGS, v->type.dtype, &v->type.shape, v->name);
  return s->keep[v->id];
}

static void look_at(steps *s, const ir_value *v) {
  if (s->home[v->id] == s->place || s->again[v->id] == s->place) return;
  if (!state_is_made_again(v)) {
    s->kept[v->id] = true;
    return;
  }
  s->again[v->id] = s->place;
  for (uint32_t i = 0; i < v->def->operand_count; i++) state_read(s, v->def->operands[i]);
}

/* What a loop counts is within its bounds wherever its body asks, as far as they are known: said once more, as the body
 * has lost its loop. */
static val within_bounds(steps *s, const ir_value *v, val i) {
  const ir_op *loop = v->region ? v->region->owner : NULL;
  int64_t begin, end, step;
  if (!loop || loop->code != IR_for || v != loop->regions[0]->args[0]) return i;
  if (!pass_integer(loop->operands[2], &step) || step < 1) return i;
  const bool begins = pass_integer(loop->operands[0], &begin), ends = pass_integer(loop->operands[1], &end);
  if (begins && ends && end <= begin) return i;
  if (ends) i = ir_map2(&s->b, IR_min, i, ir_scalar_i32(&s->b, end - 1));
  return begins ? ir_map2(&s->b, IR_max, ir_scalar_i32(&s->b, begin), i) : i;
}

val state_read(steps *s, val v) {
  if (s->p->spins) return v; /* the text is not cut */
  if (!made_in_text(v)) return s->looks ? NULL : v;
  if (s->looks) return look_at(s, v), NULL;
  if (s->now[v->id]) return s->now[v->id];
  if (s->kept[v->id]) {
    know(s, v, within_bounds(s, v, pass_load_whole(&s->b, state_room(s, v))));
    return s->now[v->id];
  }
  for (uint32_t i = 0; i < v->def->operand_count; i++) state_read(s, v->def->operands[i]);
  ir_clone_op(&s->b, v->def, s->now);
  know(s, v, s->now[v->id]);
  return s->now[v->id];
}

void state_make(steps *s, const ir_value *v, val as) {
  if (s->looks) {
    s->home[v->id] = s->place;
    return;
  }
  know(s, v, as);
  if (s->kept[v->id]) pass_store_whole(&s->b, state_room(s, v), as);
}

/* ---- values that regions hand on ---- */

void state_share_rooms(steps *s, ir_value *const *as, ir_value *const *to, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    s->kept[as[i]->id] = s->kept[to[i]->id] = true;
    s->keep[to[i]->id] = s->looks ? NULL : state_room(s, as[i]);
  }
}

void state_hand_on(steps *s, ir_value *const *values, ir_value *const *to, uint32_t count) {
  val *read = ARENA_ARRAY(s->p->arena, val, count + 1);
  for (uint32_t i = 0; i < count; i++) {
    s->kept[to[i]->id] = true;
    read[i] = state_read(s, values[i]);
  }
  for (uint32_t i = 0; i < count && !s->looks; i++) pass_store_whole(&s->b, state_room(s, to[i]), read[i]);
  s->untouched = s->untouched && count == 0;
}
