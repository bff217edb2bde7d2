/* Rules of barriers and semaphores that roles find broken, in the words of the host (model/sync_rules.def).
 *
 *   wait full[k]           a wait that is over, but for two phases: nobody observed the first one
 *   -- the rounds end --   phases that a waiter never observed, arrivals towards a phase that never completes,
 *                          counts of semaphores that are left
 *
 * The rounds lose nothing of it: what a kernel with these faults may tell too early is heard before the next wait, or
 * at the end. Roles that spin find what their order of things shows: who comes late sees both phases. */
#include "model/sync.h"
#include "pass/roles/phase.h"

static bool listens(const phasing *p, const role *r, const tally *t) { return r->heard[tally_number(p, t)]; }

static val line_of(ir_builder *b, const ir_value *like, int64_t value) {
  return expand_int(b, &like->type.shape, value);
}

/* ---- at a wait ---- */

/* How many phases each part of the thread has seen. */
static void seen_by_parts(steps *s, const tally_spot *spot, val *seen) {
  const uint32_t number = tally_number(s->p, spot->tally);
  val need = ir_scalar_i32(&s->b, spot->tally->need);
  for (uint32_t i = 0; i < PHASE_PARTS; i++) {
    val taken = tally_pick(&s->b, pass_load_whole(&s->b, s->r->parts[i].taken[number]), spot->element);
    seen[i] = ir_map2(&s->b, IR_div, taken, need);
  }
}

/* As the model says it: by how many have seen any, or by two that have not seen the same. */
static val parts_differ(steps *s, const tally_spot *spot, val *have, val *want) {
  ir_builder *b = &s->b;
  val seen[PHASE_PARTS], zero = ir_scalar_i32(b, 0), one = ir_scalar_i32(b, 1), any = zero, found = NULL;
  seen_by_parts(s, spot, seen);
  *have = *want = zero;
  for (uint32_t i = 0; i < PHASE_PARTS; i++)
    any = ir_map2(b, IR_add, any, ir_map3(b, IR_select, ir_map2(b, IR_gt, seen[i], zero), one, zero));
  for (uint32_t i = PHASE_PARTS - 1; i > 0; i--) { /* the first two come last */
    val differs = ir_map2(b, IR_ne, seen[i], seen[i - 1]);
    *have = ir_map3(b, IR_select, differs, seen[i], *have);
    *want = ir_map3(b, IR_select, differs, seen[i - 1], *want);
    found = found ? ir_map2(b, IR_or, found, differs) : differs;
  }
  val all = ir_scalar_i32(b, PHASE_PARTS), some = ir_map2(b, IR_lt, any, all);
  *have = ir_map3(b, IR_select, some, any, *have);
  *want = ir_map3(b, IR_select, some, all, *want);
  return found;
}

val rules_in_front(steps *s, const ir_op *op, const tally_spot *spot, val over) {
  ir_builder *b = &s->b, around;
  val counts[2];
  if (!tally_is_joined(s->r, tally_number(s->p, spot->tally))) return over;
  val differ = parts_differ(s, spot, &counts[0], &counts[1]);
  around = *b;
  *b = phase_when(b, differ);
  const ir_told told = phase_told(s->p, s->r, spot->tally->made, op->loc, IR_LOG_BREAKS);
  phase_tell(s->p, b, &told, (val[]){spot->element, counts[0], counts[1], ir_scalar_i32(b, SYNC_SPLIT_WAIT)});
  *b = around;
  return ir_map2(b, IR_or, over, differ);
}

void rules_at_wait(steps *s, const ir_op *op, const tally_spot *spot, val there) {
  const tally *t = spot->tally;
  ir_builder *b = &s->b, around = s->b;
  if (t->need == 0 || t->made->def->attrs->open) return;
  s->b = phase_when(b, ir_map2(b, IR_ge, there, ir_scalar_i32(b, 2 * t->need)));
  val need = ir_scalar_i32(b, t->need), taken = tally_taken(s, spot);
  val heard = ir_map2(b, IR_add, taken, there);
  val late = ir_map2(b, IR_eq, taken, ir_scalar_i32(b, 0));
  val rule = ir_map3(b, IR_select, late, ir_scalar_i32(b, SYNC_LATE_WAITER), ir_scalar_i32(b, SYNC_MISSED_PHASE));
  const val values[] = {spot->element, ir_map2(b, IR_div, taken, need), ir_map2(b, IR_div, heard, need), rule};
  const ir_told told = phase_told(s->p, s->r, t->made, op->loc, IR_LOG_BREAKS);
  phase_tell(s->p, b, &told, values);
  s->b = around;
}

/* ---- at the end ---- */

static uint32_t listeners(const phasing *p, const tally *t) {
  val taken[1 + PHASE_PARTS];
  uint32_t count = 0;
  for (uint32_t i = 0; i < p->role_count; i++) count += tally_all_taken(p, &p->roles[i], t, taken);
  return count;
}

void rules_hear_all(phasing *p, role *last) {
  for (size_t i = 0; i < p->tallies.count; i++) {
    tally *t = &p->tallies.data[i];
    if (listeners(p, t) == 0) tally_listen(p, last, t);
    const ir_shape line = phase_shape(p, 1, t->count, 0);
    if (p->spins && listeners(p, t) > 1) t->sums = pass_scratch(&p->top, IR_SPACE_SMEM, IR_I32, &line, t->made->name);
  }
}

/* The one role that judges for all: the first that hears. */
static bool is_judge(const phasing *p, const role *r, const tally *t) {
  for (const role *other = p->roles; other < r; other++)
    if (listens(p, other, t)) return false;
  return listens(p, r, t);
}

/* Where several listen, they add what they took: in the row that is clear, if there are rows. */
void rules_add_sums(phasing *p, const role *r, ir_builder *b, val row) {
  for (size_t i = 0; i < p->tallies.count; i++) {
    const tally *t = &p->tallies.data[i];
    val taken[1 + PHASE_PARTS];
    const uint32_t count = t->shared || listeners(p, t) < 2 ? 0 : tally_all_taken(p, r, t, taken);
    for (uint32_t k = 0; k < count; k++)
      phase_combine(b, IR_add, row ? t->told : t->sums, &row, row != NULL, pass_load_whole(b, taken[k]));
  }
}

static void write_sums(phasing *p, ir_builder *b, val clear) {
  ir_region **regions = ARENA_ARRAY(p->arena, ir_region *, p->role_count);
  bool any = false;
  for (uint32_t i = 0; i < p->role_count; i++) {
    ir_builder within = pass_inside(b, regions[i] = ir_region_new(b, NULL));
    rules_add_sums(p, &p->roles[i], &within, clear);
    any |= regions[i]->first != NULL;
  }
  if (any) phase_for_each_role(p, b, regions);
}

/* What is known of a tally's elements at the end: tiles i32[count]. */
typedef struct ending {
  val rule, have, want; /* `rule` 0: none is broken */
} ending;

static void find(ir_builder *b, ending *e, val broken, sync_rule rule, val have, val want) {
  e->rule = ir_map3(b, IR_select, broken, line_of(b, e->rule, rule), e->rule);
  e->have = ir_map3(b, IR_select, broken, have, e->have);
  e->want = ir_map3(b, IR_select, broken, want, e->want);
}

/* Arrivals towards a phase that never completes. */
static void find_pending(ir_builder *b, const tally *t, val total, ending *e) {
  val need = line_of(b, total, t->need), left = ir_map2(b, IR_rem, total, need);
  find(b, e, ir_map2(b, IR_ne, left, line_of(b, total, 0)), SYNC_PENDING_ARRIVALS, left, need);
}

/* Of `total` arrivals, one role took `taken`, and all roles together `sum`. */
static void judge_barrier(ir_builder *b, const tally *t, bool judges, val total, val taken, val sum, ending *e) {
  val need = line_of(b, total, t->need), zero = line_of(b, total, 0), twice = line_of(b, total, 2 * t->need);
  val phase = ir_map2(b, IR_div, total, need);
  val behind = ir_map2(b, IR_ge, ir_map2(b, IR_sub, total, taken), twice);
  val unobserved = ir_map2(b, IR_and, behind, ir_map2(b, IR_gt, taken, zero));
  val unseen = ir_map2(b, IR_and, behind, ir_map2(b, IR_eq, sum, zero));
  if (judges) find_pending(b, t, total, e);
  if (judges) find(b, e, unseen, SYNC_UNSEEN_PHASE, zero, phase);
  find(b, e, unobserved, SYNC_OVER_ARRIVAL, ir_map2(b, IR_div, taken, need), phase);
}

/* The number of what is told of it at its end, once for all who judge. */
static uint32_t ending_of(phasing *p, const tally *t) {
  tally *all = &p->tallies.data[tally_number(p, t)];
  if (all->ending) return all->ending - 1;
  const ir_told told = phase_told(p, NULL, t->made, t->made->def->loc, IR_LOG_BREAKS);
  tell_log(p->c, &told, 1);
  all->ending = p->c->kernel->log->told_count;
  return all->ending - 1;
}

static void tell_elements(phasing *p, ir_builder *b, const tally *t, const ending *e) {
  ir_builder within = *b;
  expand_loop loop = expand_loop_begin(&within, ir_scalar_i32(b, 0), ir_scalar_i32(b, t->count), NULL, 0);
  val rule = tally_pick(&within, e->rule, loop.index);
  ir_builder broken = phase_when(&within, ir_map2(&within, IR_gt, rule, ir_scalar_i32(&within, 0)));
  val have = tally_pick(&broken, e->have, loop.index), want = tally_pick(&broken, e->want, loop.index);
  tell_record(&broken, ir_full(&broken, IR_U32, NULL, ending_of(p, t)), (val[]){loop.index, have, want, rule}, 4);
  expand_loop_end(&within, &loop, NULL, NULL, 0);
}

/* Of a semaphore; of one that is shared, what was taken is told and so heard. */
static void find_left(ir_builder *b, const tally *t, val total, val taken, ending *e) {
  val left = t->shared ? total : ir_map2(b, IR_sub, total, taken), zero = line_of(b, total, 0);
  find(b, e, ir_map2(b, IR_ne, left, zero), SYNC_SEMAPHORE_LEAK, left, zero);
}

void rules_at_renewal(steps *s, const tally *t) {
  ir_builder *b = &s->b;
  if (t->made->def->attrs->open || !is_judge(s->p, s->r, t)) return;
  val total = pass_load_whole(b, s->r->heard[tally_number(s->p, t)]), zero = line_of(b, total, 0);
  val taken[1 + PHASE_PARTS];
  ending e = {zero, zero, zero};
  if (t->need > 0)
    find_pending(b, t, total, &e);
  else if (tally_all_taken(s->p, s->r, t, taken) == 1)
    find_left(b, t, total, pass_load_whole(b, taken[0]), &e);
  tell_elements(s->p, b, t, &e);
}

/* What nobody has heard yet, and who took how much in all: rows, or none where what is told is heard at once. */
typedef struct rest {
  val last, sums;
} rest;

static void judge(phasing *p, const role *r, const tally *t, ir_builder *b, rest rows) {
  val all[1 + PHASE_PARTS], total = pass_load_whole(b, r->heard[tally_number(p, t)]), sums = NULL;
  const uint32_t count = tally_all_taken(p, r, t, all);
  if (rows.last) total = ir_map2(b, IR_add, total, tally_row(b, t, rows.last));
  if (listeners(p, t) > 1) sums = rows.sums ? tally_row(b, t, rows.sums) : pass_load_whole(b, t->sums);
  for (uint32_t i = 0; i < count; i++) {
    const bool judges = i == 0 && is_judge(p, r, t);
    val taken = pass_load_whole(b, all[i]), sum = sums ? sums : taken, zero = line_of(b, total, 0);
    ending e = {zero, zero, zero};
    if (t->need > 0)
      judge_barrier(b, t, judges, total, taken, sum, &e);
    else
      find_left(b, t, total, sum, &e);
    tell_elements(p, b, t, &e);
  }
}

/* Of `open` ones nothing is asked; what a wait leaves in a semaphore was wanted, unless that ends before the kernel. */
static bool is_judged(const phasing *p, const role *r, const tally *t) {
  const ir_op *made = t->made->def;
  const bool wanted = t->kept && ir_lives_to_end(p->c->kernel, made);
  if (made->attrs->open || wanted || !listens(p, r, t)) return false;
  return t->need > 0 || is_judge(p, r, t);
}

static ir_region **make_judges(phasing *p, ir_builder *b, rest rows) {
  ir_region **regions = ARENA_ARRAY(p->arena, ir_region *, p->role_count);
  for (uint32_t i = 0; i < p->role_count; i++) {
    ir_builder within = pass_inside(b, regions[i] = ir_region_new(b, NULL));
    for (size_t k = 0; k < p->tallies.count; k++)
      if (is_judged(p, &p->roles[i], &p->tallies.data[k])) judge(p, &p->roles[i], &p->tallies.data[k], &within, rows);
  }
  return regions;
}

void rules_judge(phasing *p, ir_builder *b, val index) {
  ir_region **regions = make_judges(p, b, (rest){NULL, NULL});
  ir_make_control(b, IR_switch, &index, 1, regions, p->role_count, NULL, 0, NULL);
}

/* The last round told what nobody has heard; the row behind it is clear. Only once all roles are at their end. */
void rules_at_end(phasing *p, ir_builder *b, const ir_op *rounds) {
  if (p->tallies.count == 0) return;
  val clear = rounds->results[0], flags = rounds->results[1], zero = ir_scalar_i32(b, 0);
  val living = ir_map2(b, IR_and, flags, ir_scalar_i32(b, PHASE_MOVED - 1));
  val ended = ir_map2(b, IR_lt, flags, ir_scalar_i32(b, PHASE_STOP));
  ir_builder within = phase_when(b, ir_map2(b, IR_and, ended, ir_map2(b, IR_eq, living, zero)));
  val last = phase_next_row(&within, phase_next_row(&within, clear));
  write_sums(p, &within, clear);
  phase_for_each_role(p, &within, make_judges(p, &within, (rest){last, clear}));
}
