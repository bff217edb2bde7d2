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

static void note_inside(steps *s, val at, int64_t extent, val *inside) {
  const pass_range range = pass_range_of(s->p->c->kernel, at);
  if (range.low >= 0 && range.high < extent) return;
  val within = expand_within(&s->b, at, 0, extent - 1);
  *inside = *inside ? ir_map2(&s->b, IR_and, *inside, within) : within;
}

/* From the place in a view to the place in what it is a view of. */
static void place_under(steps *s, const ir_op *view, val *at, val *inside) {
  val under[KILN_MAX_RANK] = {NULL};
  uint32_t axis = 0;
  for (uint32_t d = 0; d < view->attrs->index_count; d++) {
    const ir_index *index = &view->attrs->index[d];
    val start = index->operand >= 0 ? state_read(s, view->operands[index->operand]) : NULL;
    if (s->looks) continue;
    if (!start) start = ir_scalar_i32(&s->b, index->start->value);
    under[d] = start;
    if (index->point) continue;
    val step = ir_map2(&s->b, IR_mul, at[axis++], ir_scalar_i32(&s->b, index->stride));
    under[d] = ir_map2(&s->b, IR_add, start, step);
  }
  for (uint32_t d = 0; d < view->attrs->index_count; d++) {
    at[d] = under[d];
    if (!s->looks) note_inside(s, at[d], ir_extent(&view->operands[0]->type, d), inside);
  }
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
  *out = (tally_spot){.inside = NULL};
  for (uint32_t d = 0; d < ref->type.shape.rank; d++) out->at[d] = s->looks ? NULL : ir_scalar_i32(&s->b, 0);
  for (; ref->def->code != IR_scratch; ref = ref->def->operands[0]) {
    if (ref->def->code == IR_view) place_under(s, ref->def, out->at, &out->inside);
    if (ref->def->code == IR_peer && !phase_peer_block(s->p, ref->def, &block)) return false;
  }
  out->tally = phase_tally(s->p, s->p->made_by.data[ref->id], block);
  if (s->looks) return true;
  out->element = number_of(s, ref, out->at);
  if (out->inside) out->element = ir_map3(&s->b, IR_select, out->inside, out->element, ir_scalar_i32(&s->b, 0));
  return true;
}

void tally_guard(steps *s, const ir_op *op, const tally_spot *spot) {
  if (!spot->inside) return;
  ir_told told = phase_told(s->p, s->r, spot->tally->made, op->loc, IR_LOG_OUTSIDE);
  told.wait->op = str_from(ir_op_get(op->code)->text);
  ir_builder within = phase_when(&s->b, ir_map1(&s->b, IR_not, spot->inside));
  phase_tell(s->p, &within, &told, spot->at);
  tell_ask_stop(&within);
}

/* ---- telling ---- */

static void add_to(steps *s, const tally *t, val element, val amount) {
  ir_builder *b = &s->b;
  if (!s->p->spins) {
    phase_combine(b, IR_add, t->told, (val[]){s->p->slot, element}, 2, amount);
    return;
  }
  amount = ir_map3(b, IR_select, pass_load_whole(b, s->r->gone), ir_scalar_i32(b, 0), amount);
  phase_combine_in_order(b, IR_ORDER_RELEASE, IR_add, t->told, &element, 1, amount);
}

void tally_tell(steps *s, const ir_op *op) {
  tally_spot spot;
  const bool signals = op->code == IR_signal;
  if (!tally_find(s, op, &spot)) return;
  val amount = signals ? state_read(s, op->operands[1]) : NULL;
  if (s->looks) return;
  if (!amount) amount = ir_scalar_i32(&s->b, 1);
  tally_guard(s, op, &spot);
  if (spot.inside) amount = ir_map3(&s->b, IR_select, spot.inside, amount, ir_scalar_i32(&s->b, 0));
  const ir_value *made = spot.tally->made;
  const cluster_barrier_desc desc = team_barrier(s->p->c->kernel, made->def);
  for (uint32_t to = 0; to < s->p->blocks; to++) {
    const bool own = to == spot.tally->block;
    if (desc.collective ? cluster_barrier_reaches(&desc, spot.tally->block, to) : own)
      add_to(s, phase_tally(s->p, made, to), spot.element, amount);
  }
}

/* ---- waiting ---- */

uint32_t tally_number(const phasing *p, const tally *t) { return (uint32_t)(t - p->tallies.data); }

void tally_listen(phasing *p, role *r, const tally *t) {
  const uint32_t number = tally_number(p, t);
  const ir_shape line = phase_shape(p, 1, t->count, 0);
  if (r->taken[number]) return;
  if (!r->heard[number]) r->heard[number] = p->spins ? t->told : phase_remember(p, r, IR_I32, &line, t->made->name);
  if (r->whole && t->need == 0) tally_listen(p, r->whole, t);
  r->taken[number] =
      r->whole && t->need == 0 ? r->whole->taken[number] : phase_remember(p, r, IR_I32, &line, t->made->name);
}

static bool has_parts_at(const role *r, uint32_t number) {
  bool any = false;
  for (uint32_t i = 0; r->parts && i < PHASE_PARTS; i++) any |= r->parts[i].taken[number] != NULL;
  return any;
}

bool tally_is_joined(const role *r, uint32_t number) {
  return r->parts && r->taken[number] && r->taken[number] == r->parts[0].taken[number] &&
         r->parts[1].taken[number] != r->taken[number];
}

void tally_join(phasing *p, role *r) {
  for (uint32_t number = 0; number < p->tallies.count; number++) {
    const tally *t = &p->tallies.data[number];
    if (t->need == 0 || !r->taken[number] || !has_parts_at(r, number)) continue;
    for (uint32_t i = 0; i < PHASE_PARTS; i++) tally_listen(p, &r->parts[i], t);
    r->taken[number] = r->parts[0].taken[number];
  }
}

val tally_row(ir_builder *b, const tally *t, val row) {
  const ir_attrs attrs = pass_row_index(b, &t->told->type.shape, 1, 0);
  return ir_make1(b, IR_load, (val[]){t->told, row}, 2, &attrs);
}

val tally_pick(ir_builder *b, val line, val element) {
  const ir_attrs one = {.size = {1, {1}}};
  const ir_shape none = {.rank = 0};
  return expand_reshape(b, ir_make1(b, IR_dynamic_slice, (val[]){line, element}, 2, &one), &none);
}

static val pick(ir_builder *b, val ref, val element) { return tally_pick(b, pass_load_whole(b, ref), element); }

/* A look at what is there now. */
static val look(ir_builder *b, const tally_spot *spot) {
  return phase_combine_in_order(b, IR_ORDER_ACQUIRE, IR_or, spot->tally->told, &spot->element, 1, ir_scalar_i32(b, 0));
}

val tally_heard(steps *s, const tally_spot *spot) {
  if (s->p->spins) return look(&s->b, spot);
  return pick(&s->b, s->r->heard[tally_number(s->p, spot->tally)], spot->element);
}

val tally_taken(steps *s, const tally_spot *spot) {
  return pick(&s->b, s->r->taken[tally_number(s->p, spot->tally)], spot->element);
}

uint32_t tally_all_taken(const phasing *p, const role *r, const tally *t, val *out) {
  const uint32_t number = tally_number(p, t);
  uint32_t count = 0;
  if (r->taken[number]) out[count++] = r->taken[number];
  for (uint32_t i = 0; r->parts && i < PHASE_PARTS; i++) {
    val taken = r->parts[i].taken[number];
    if (taken && (count == 0 || taken != out[0])) out[count++] = taken;
  }
  return count;
}

val tally_ask(steps *s, const ir_op *op, const tally_spot *spot, val *amount) {
  *amount = op->operand_count > 1 ? state_read(s, op->operands[1]) : NULL;
  if (op->attrs->keep) spot->tally->kept = true;
  tally_listen(s->p, s->r, spot->tally);
  if (s->looks) return NULL;
  if (!*amount) *amount = ir_scalar_i32(&s->b, spot->tally->need);
  return ir_map2(&s->b, IR_sub, tally_heard(s, spot), tally_taken(s, spot));
}

static void take(ir_builder *b, val taken, const tally_spot *spot, val amount) {
  const ir_shape *line = &taken->type.shape;
  val numbers = expand_iota(b, line, 0);
  val here = ir_map2(b, IR_eq, numbers, ir_broadcast_to(b, spot->element, line));
  val more = ir_map3(b, IR_select, here, ir_broadcast_to(b, amount, line), expand_int(b, line, 0));
  pass_store_whole(b, taken, ir_map2(b, IR_add, pass_load_whole(b, taken), more));
}

val tally_may_take(steps *s, const tally_spot *spot) {
  const role *r = s->r->whole ? s->r->whole : s->r;
  if (!spot->tally->shared || s->p->turns < 2) return NULL;
  return ir_map2(&s->b, IR_eq, s->p->turn, ir_scalar_i32(&s->b, r->turn - 1));
}

void tally_take(steps *s, const tally_spot *spot, val amount) {
  const uint32_t number = tally_number(s->p, spot->tally);
  if (spot->tally->shared)
    add_to(s, spot->tally, spot->element, ir_map2(&s->b, IR_sub, ir_scalar_i32(&s->b, 0), amount));
  take(&s->b, s->r->taken[number], spot, amount);
  for (uint32_t i = 1; tally_is_joined(s->r, number) && i < PHASE_PARTS; i++)
    take(&s->b, s->r->parts[i].taken[number], spot, amount);
}

void tally_renew(steps *s, const ir_op *scratch) {
  const tally *t = phase_tally(s->p, s->p->made_by.data[scratch->results[0]->id], s->r->block);
  const uint32_t number = tally_number(s->p, t);
  if (s->looks || !s->r->heard[number] || !phase_is_renewed(scratch)) return;
  val taken[1 + PHASE_PARTS];
  rules_at_renewal(s, t);
  pass_clear(&s->b, s->r->heard[number]);
  const uint32_t count = tally_all_taken(s->p, s->r, t, taken);
  for (uint32_t i = 0; i < count; i++) pass_clear(&s->b, taken[i]);
}

val tally_answer(steps *s, const ir_op *op) {
  tally_spot spot;
  val amount;
  tally_find(s, op, &spot);
  val there = tally_ask(s, op, &spot, &amount);
  if (s->looks) return there;
  tally_guard(s, op, &spot);
  if (op->code == IR_count) return there;
  val answer = ir_map2(&s->b, IR_ge, there, amount);
  if (spot.inside) answer = ir_map2(&s->b, IR_and, answer, spot.inside);
  answer = rules_in_front(s, op, &spot, answer);
  rules_at_wait(s, op, &spot, there);
  tally_take(s, &spot, ir_map3(&s->b, IR_select, answer, amount, ir_scalar_i32(&s->b, 0)));
  return answer;
}

void tally_hear(phasing *p, role *r, ir_builder *b) {
  for (size_t i = 0; i < p->tallies.count; i++) {
    if (!r->heard[i]) continue;
    val news = tally_row(b, &p->tallies.data[i], p->before);
    pass_store_whole(b, r->heard[i], ir_map2(b, IR_add, pass_load_whole(b, r->heard[i]), news));
    if (p->tallies.data[i].shared && r->taken[i]) pass_clear(b, r->taken[i]); /* that is among the news */
  }
}
