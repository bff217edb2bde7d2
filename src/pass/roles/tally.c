/* Barriers and semaphores as counters: who tells adds to this round's row, who waits hears the row of the round
 * before. */
#include "model/team.h"
#include "pass/roles/phase.h"

tally *phase_tally(phasing *p, const ir_value *made, uint32_t block) {
  for (size_t i = 0; i < p->tallies.count; i++)
    if (p->tallies.data[i].made == made && p->tallies.data[i].block == block) return &p->tallies.data[i];
  return NULL;
}

void phase_add_tallies(phasing *p, const ir_op *scratch) {
  const ir_value *made = scratch->results[0];
  const cluster_barrier_desc desc = team_barrier(p->c->kernel, scratch);
  const bool counts = made->type.kind == IR_SEMAPHORE;
  for (uint32_t block = 0; block < p->blocks; block++) {
    tally t = {.made = made, .block = block, .count = ir_count(&made->type)};
    t.need = counts ? 0 : cluster_barrier_expected(&desc);
    const ir_shape rows = p->spins ? phase_shape(p, 1, t.count, 0) : phase_shape(p, 2, PHASE_ROWS, t.count);
    t.told = pass_scratch(&p->top, IR_SPACE_SMEM, IR_I32, &rows, made->name);
    VEC_PUSH(p->arena, &p->tallies, t);
  }
}

/* ---- elements ---- */

/* From the place in a view to the place in what it is a view of. */
static void place_under(steps *s, const ir_op *view, val *at) {
  val under[KILN_MAX_RANK] = {NULL};
  uint32_t axis = 0;
  for (uint32_t d = 0; d < view->attrs->index_count; d++) {
    const ir_index *index = &view->attrs->index[d];
    val start = index->operand >= 0 ? steps_read(s, view->operands[index->operand]) : NULL;
    if (s->looks) continue;
    if (!start) start = ir_scalar_i32(&s->b, index->start->value);
    under[d] = start;
    if (index->point) continue;
    val step = ir_map2(&s->b, IR_mul, at[axis++], ir_scalar_i32(&s->b, index->stride));
    under[d] = ir_map2(&s->b, IR_add, start, step);
  }
  for (uint32_t d = 0; d < view->attrs->index_count; d++) at[d] = under[d];
}

static val number_of(steps *s, const ir_value *array, const val *at) {
  val number = ir_scalar_i32(&s->b, 0);
  for (uint32_t d = 0; d < array->type.shape.rank; d++) {
    val size = ir_scalar_i32(&s->b, ir_extent(&array->type, d));
    number = d ? ir_map2(&s->b, IR_add, ir_map2(&s->b, IR_mul, number, size), at[d]) : at[d];
  }
  return number;
}

bool tally_find(steps *s, const ir_op *op, tally_spot *out) {
  const ir_value *ref = op->operands[0];
  uint32_t block = s->r->block;
  val at[KILN_MAX_RANK];
  for (uint32_t d = 0; d < ref->type.shape.rank; d++) at[d] = s->looks ? NULL : ir_scalar_i32(&s->b, 0);
  for (; ref->def->code != IR_scratch; ref = ref->def->operands[0]) {
    if (ref->def->code == IR_view) place_under(s, ref->def, at);
    if (ref->def->code == IR_peer && !phase_peer_block(s->p, ref->def, &block)) return false;
  }
  out->tally = phase_tally(s->p, s->p->made_by[ref->id], block);
  if (!s->looks) out->element = number_of(s, ref, at);
  return true;
}

/* ---- telling ---- */

static void add_to(steps *s, const tally *t, val element, val amount) {
  ir_builder *b = &s->b;
  if (s->p->spins) {
    amount = ir_map3(b, IR_select, pass_load_whole(b, s->r->gone), ir_scalar_i32(b, 0), amount);
    const ir_attrs now = {
        .index_count = 1, .index = {pass_point(b, 2, 0)}, .combine = 1 + IR_add, .order = IR_ORDER_RELEASE};
    ir_make(b, IR_atomic, (val[]){t->told, amount, element}, 3, &now);
    return;
  }
  const ir_attrs attrs = {.index_count = 2, .index = {pass_point(b, 2, 0), pass_point(b, 3, 0)}, .combine = 1 + IR_add};
  ir_make(b, IR_atomic, (val[]){t->told, amount, s->p->slot, element}, 4, &attrs);
}

void tally_tell(steps *s, const ir_op *op) {
  tally_spot spot;
  const bool signals = op->code == IR_signal;
  if (!tally_find(s, op, &spot)) return;
  val amount = signals ? steps_read(s, op->operands[1]) : NULL;
  if (s->looks) return;
  if (!amount) amount = ir_scalar_i32(&s->b, 1);
  const ir_value *made = spot.tally->made;
  const cluster_barrier_desc desc = team_barrier(s->p->c->kernel, made->def);
  for (uint32_t to = 0; to < s->p->blocks; to++) {
    const bool own = to == spot.tally->block;
    if (desc.collective ? cluster_barrier_reaches(&desc, spot.tally->block, to) : own)
      add_to(s, phase_tally(s->p, made, to), spot.element, amount);
  }
}

/* ---- waiting ---- */

static uint32_t number_in(const steps *s, const tally *t) { return (uint32_t)(t - s->p->tallies.data); }

static val line_for(steps *s, const tally *t) {
  const ir_shape line = phase_shape(s->p, 1, t->count, 0);
  val ref = pass_scratch(&s->p->top, IR_SPACE_REGS, IR_I32, &line, t->made->name);
  VEC_PUSH(s->p->arena, &s->r->remembers, ref);
  return ref;
}

void tally_begin_asking(steps *s, const tally *t) {
  role *r = s->r;
  const uint32_t number = number_in(s, t);
  if (!r->heard) {
    r->heard = ARENA_ARRAY(s->p->arena, val, s->p->tallies.count);
    r->taken = ARENA_ARRAY(s->p->arena, val, s->p->tallies.count);
  }
  if (r->heard[number]) return;
  r->heard[number] = s->p->spins ? t->told : line_for(s, t);
  r->taken[number] = line_for(s, t);
}

val tally_pick(ir_builder *b, val line, val element) {
  const ir_attrs one = {.size = {1, {1}}};
  const ir_shape none = {.rank = 0};
  return expand_reshape(b, ir_make1(b, IR_dynamic_slice, (val[]){line, element}, 2, &one), &none);
}

static val pick(ir_builder *b, val ref, val element) { return tally_pick(b, pass_load_whole(b, ref), element); }

/* A look at what is there now. */
static val look(ir_builder *b, const tally_spot *spot) {
  const ir_attrs attrs = {
      .index_count = 1, .index = {pass_point(b, 2, 0)}, .combine = 1 + IR_or, .order = IR_ORDER_ACQUIRE};
  return ir_make1(b, IR_atomic, (val[]){spot->tally->told, ir_scalar_i32(b, 0), spot->element}, 3, &attrs);
}

val tally_heard(steps *s, const tally_spot *spot) {
  if (s->p->spins) return look(&s->b, spot);
  return pick(&s->b, s->r->heard[number_in(s, spot->tally)], spot->element);
}

val tally_taken(steps *s, ir_builder *b, const tally_spot *spot) {
  return pick(b, s->r->taken[number_in(s, spot->tally)], spot->element);
}

val tally_ask(steps *s, const ir_op *op, const tally_spot *spot, val *amount) {
  *amount = op->operand_count > 1 ? steps_read(s, op->operands[1]) : NULL;
  if (op->attrs->keep) spot->tally->kept = true;
  if (s->looks) return tally_begin_asking(s, spot->tally), NULL;
  if (!*amount) *amount = ir_scalar_i32(&s->b, spot->tally->need);
  return ir_map2(&s->b, IR_sub, tally_heard(s, spot), tally_taken(s, &s->b, spot));
}

void tally_take(steps *s, const tally_spot *spot, val amount) {
  ir_builder *b = &s->b;
  val taken = s->r->taken[number_in(s, spot->tally)];
  const ir_shape *line = &taken->type.shape;
  val numbers = expand_iota(b, line, 0);
  val here = ir_map2(b, IR_eq, numbers, ir_broadcast_to(b, spot->element, line));
  val more = ir_map3(b, IR_select, here, ir_broadcast_to(b, amount, line), expand_int(b, line, 0));
  pass_store_whole(b, taken, ir_map2(b, IR_add, pass_load_whole(b, taken), more));
}

val tally_answer(steps *s, const ir_op *op) {
  tally_spot spot;
  val amount;
  tally_find(s, op, &spot);
  val answer = tally_ask(s, op, &spot, &amount);
  if (op->code == IR_count || s->looks) return answer;
  answer = ir_map2(&s->b, IR_ge, answer, amount);
  tally_take(s, &spot, ir_map3(&s->b, IR_select, answer, amount, ir_scalar_i32(&s->b, 0)));
  return answer;
}

void tally_hear(phasing *p, role *r, ir_builder *b) {
  for (size_t i = 0; r->heard && i < p->tallies.count; i++) {
    const tally *t = &p->tallies.data[i];
    if (!r->heard[i]) continue;
    ir_attrs row = pass_whole_index(b, &t->told->type.shape);
    row.index[0] = pass_point(b, 1, 0);
    val news = ir_make1(b, IR_load, (val[]){t->told, p->before}, 2, &row);
    pass_store_whole(b, r->heard[i], ir_map2(b, IR_add, pass_load_whole(b, r->heard[i]), news));
  }
}
