/* settle_ends: what a loop does in its first trip only moves before it, what it does in its last trip only moves behind
 * it.
 *
 *   let sum = for k in 0 .. 4 with (acc = junk) {        let sum = for k in 0 .. 4 with (acc = zero) {
 *     let a = when k == 0 { yield zero }                   yield acc + ..
 *             else { yield acc }                         }
 *     let next = a + ..                                  y[...] = sum
 *     when k == 3 { y[...] = next }
 *     yield next
 *   }
 *
 * This is the idiom of Pallas kernels whose innermost grid axis is a reduction; afterwards the loop is bare.
 *
 * - A condition on several counters is nested, the innermost loop's outermost, and leaves one loop after the other.
 * - Scalars and views that no trip changes leave every loop, so that they are known outside.
 * - Otherwise only loops with constant bounds that run at least once.
 * - First trip: the branch computes values from outside the loop, without memory, and the carried value has no other
 * reader.
 * - Last trip: nothing with effects stands behind the branch; what it uses of the loop is handed on by the yield, or is
 * pure and can be computed again from such values and the counter's last value. */
#include "pass/util.h"

enum { MAX_LOOKED_AT = 256, MAX_CONJUNCTS = 8 };

typedef struct loop_ends {
  ir_builder b;
  ir_op *op;
  int64_t first, last; /* values of the counter */
  uint32_t budget;     /* ops that one branch may still look back at: operands are shared, paths to them are many */
  pass_renames renames;
  bool changed;
} loop_ends;

static ir_region *body_of(const loop_ends *l) { return l->op->regions[0]; }
static ir_value *counter_of(const loop_ends *l) { return body_of(l)->args[0]; }

static bool read_bounds(loop_ends *l) {
  int64_t end, step;
  if (!pass_integer(l->op->operands[0], &l->first) || !pass_integer(l->op->operands[1], &end)) return false;
  if (!pass_integer(l->op->operands[2], &step) || step <= 0 || l->first >= end) return false;
  l->last = l->first + (end - 1 - l->first) / step * step;
  return true;
}

/* `condition` is counter == value (or != for *negated). */
static bool is_trip(const loop_ends *l, const ir_value *condition, int64_t value, bool *negated) {
  const ir_op *op = condition->def;
  if (!op || (op->code != IR_eq && op->code != IR_ne)) return false;
  int64_t found;
  bool left = op->operands[0] == counter_of(l) && pass_integer(op->operands[1], &found);
  bool right = !left && op->operands[1] == counter_of(l) && pass_integer(op->operands[0], &found);
  *negated = op->code == IR_ne;
  return (left || right) && found == value;
}

static bool inside(const ir_region *outer, const ir_region *r) {
  for (; r; r = r->owner ? r->owner->parent : NULL)
    if (r == outer) return true;
  return false;
}

/* Defined within the loop, so unknown before and behind it. */
static bool of_loop(const loop_ends *l, const ir_value *v) {
  const ir_region *home = v->def ? v->def->parent : v->region;
  return inside(body_of(l), home);
}

/* ---- conditions on several counters ---- */

/* The operands of a tree of `and`s; 0 when there are too many. */
static uint32_t conjuncts(ir_value *condition, ir_value **out) {
  uint32_t count = 0, seen = 0;
  out[count++] = condition;
  while (seen < count) {
    const ir_op *op = out[seen]->def;
    if (!op || op->code != IR_and) {
      seen++;
      continue;
    }
    if (count == MAX_CONJUNCTS) return 0;
    out[seen] = op->operands[0];
    out[count++] = op->operands[1];
  }
  return count;
}

/* `when a & b` as `when b { when a }`, where b asks for this loop's first or last trip. Both ways out of it hand on the
 * same else values, so the else branch may have no ops of its own. */
static void nest_condition(loop_ends *l, ir_op *when) {
  ir_value *parts[MAX_CONJUNCTS];
  uint32_t count = conjuncts(when->operands[0], parts), trip = 0;
  bool negated;
  while (trip < count &&
         !((is_trip(l, parts[trip], l->first, &negated) || is_trip(l, parts[trip], l->last, &negated)) && !negated))
    trip++;
  const ir_region *others = when->regions[1];
  if (count < 2 || trip == count || (others->first && others->first->code != IR_yield)) return;
  l->b.region = when->parent;
  l->b.before = when;
  l->b.loc = when->loc;
  ir_value *rest = NULL;
  for (uint32_t i = 0; i < count; i++)
    if (i != trip) rest = rest ? ir_map2(&l->b, IR_and, rest, parts[i]) : parts[i];
  ir_type *types = ARENA_ARRAY(&l->b.module->arena, ir_type, when->result_count + 1);
  for (uint32_t i = 0; i < when->result_count; i++) types[i] = when->results[i]->type;
  ir_region *then = ir_region_new(&l->b, NULL), *otherwise = ir_region_new(&l->b, NULL);
  ir_op *outer = ir_make_control(&l->b, IR_when, &parts[trip], 1, (ir_region *[]){then, otherwise}, 2, types,
                                 when->result_count, NULL);
  ir_builder within = pass_inside(&l->b, otherwise);
  if (when->result_count) ir_yield(&within, others->last->operands, when->result_count);
  within.region = then;
  ir_op *inner = ir_make_control(&within, IR_when, &rest, 1, when->regions, 2, types, when->result_count, NULL);
  if (when->result_count) ir_yield(&within, inner->results, when->result_count);
  for (uint32_t i = 0; i < when->result_count; i++) pass_rename(&l->renames, when->results[i], outer->results[i]);
  when->region_count = 0; /* they are the inner one's */
  ir_erase(when);
  l->changed = true;
}

/* ---- the first trip ---- */

typedef struct branch_look {
  loop_ends *loop;
  const ir_region *branch;
} branch_look;

static bool of_branch(const ir_region *branch, const ir_value *v) {
  return inside(branch, v->def ? v->def->parent : v->region);
}

/* In the first trip the counter is its first value, and what is carried is what the loop began with. */
static bool use_first_values(void *user, ir_op *op) {
  branch_look *look = user;
  loop_ends *l = look->loop;
  for (uint32_t i = 0; i < op->operand_count; i++) {
    const ir_value *v = op->operands[i];
    if (v->def || v->region != body_of(l)) continue;
    l->b.region = op->parent;
    l->b.before = op;
    for (uint32_t arg = 0; arg < body_of(l)->arg_count; arg++) {
      if (body_of(l)->args[arg] != v) continue;
      ir_set_operand(op, i, arg == 0 ? ir_scalar_i32(&l->b, l->first) : l->op->operands[2 + arg]);
      break;
    }
  }
  return true;
}

/* Whether it may as well run before the loop: neither memory nor values of the loop. */
static bool free_of_loop(void *user, ir_op *op) {
  const branch_look *look = user;
  if (!pass_pure(op) && op->code != IR_yield && op->code != IR_when && op->code != IR_switch) return false;
  for (uint32_t i = 0; i < op->operand_count; i++)
    if (of_loop(look->loop, op->operands[i]) && !of_branch(look->branch, op->operands[i])) return false;
  return true;
}

/* The place of a carried value among the loop's results, when the branch is its only reader. */
static bool carried_for_branch(const loop_ends *l, const ir_value *v, uint32_t *out) {
  for (uint32_t i = 0; i < l->op->result_count; i++)
    if (body_of(l)->args[1 + i] == v && v->uses == 1) return *out = i, true;
  return false;
}

static void move_ops_before(ir_region *branch, ir_op *before) {
  for (ir_op *op = branch->first, *next; op; op = next) {
    next = op->next;
    if (op->code != IR_yield) ir_move_before(op, before);
  }
}

static void settle_first(loop_ends *l, ir_op *when) {
  bool negated;
  if (!is_trip(l, when->operands[0], l->first, &negated)) return;
  ir_region *first = when->regions[negated ? 1 : 0], *later = when->regions[negated ? 0 : 1];
  branch_look look = {l, first};
  ir_walk(first, use_first_values, &look);
  if (!ir_walk(first, free_of_loop, &look)) return;
  for (uint32_t i = 0; i < when->result_count; i++) {
    uint32_t carried;
    ir_value *kept = pass_yield_of(later)->operands[i];
    if (when->results[i]->uses == 0 || !carried_for_branch(l, kept, &carried)) continue;
    move_ops_before(first, l->op);
    ir_value *start = pass_yield_of(first)->operands[i];
    if (of_loop(l, start)) continue;
    ir_set_operand(l->op, 3 + carried, start);
    pass_rename(&l->renames, when->results[i], kept);
    l->changed = true;
  }
}

/* ---- the last trip ---- */

static bool has_value_behind(loop_ends *l, ir_value *v) {
  if (!of_loop(l, v) || v == counter_of(l)) return true;
  const ir_op *yield = pass_yield_of(body_of(l));
  for (uint32_t i = 0; yield && i < yield->operand_count; i++)
    if (yield->operands[i] == v) return true;
  if (!v->def || l->budget == 0 || v->def->parent != body_of(l) || !pass_pure(v->def)) return false;
  l->budget--;
  for (uint32_t i = 0; i < v->def->operand_count; i++)
    if (!has_value_behind(l, v->def->operands[i])) return false;
  return true;
}

static bool operands_have_values(void *user, ir_op *op) {
  const branch_look *look = user;
  for (uint32_t i = 0; i < op->operand_count; i++)
    if (!of_branch(look->branch, op->operands[i]) && !has_value_behind(look->loop, op->operands[i])) return false;
  return true;
}

/* The value that `v` has after the loop; made at the builder's place when it must be computed again. */
static ir_value *value_behind(loop_ends *l, ir_value *v) {
  if (!of_loop(l, v)) return v;
  if (v == counter_of(l)) return ir_scalar_i32(&l->b, l->last);
  const ir_op *yield = pass_yield_of(body_of(l));
  for (uint32_t i = 0; yield && i < yield->operand_count; i++)
    if (yield->operands[i] == v) return l->op->results[i];
  const ir_op *op = v->def;
  ir_value **operands = ARENA_ARRAY(&l->b.module->arena, ir_value *, op->operand_count + 1);
  for (uint32_t i = 0; i < op->operand_count; i++) operands[i] = value_behind(l, op->operands[i]);
  ir_value *copy = ir_make1(&l->b, op->code, operands, op->operand_count, op->attrs);
  copy->name = v->name;
  return copy;
}

static bool rebase_operands(void *user, ir_op *op) {
  const branch_look *look = user;
  for (uint32_t i = 0; i < op->operand_count; i++) {
    ir_value *v = op->operands[i];
    if (!of_branch(look->branch, v) && of_loop(look->loop, v)) ir_set_operand(op, i, value_behind(look->loop, v));
  }
  return true;
}

/* Moves the branch's ops behind the loop, in front of `after`. */
static void move_behind(loop_ends *l, ir_region *branch, ir_op *after) {
  l->b.region = l->op->parent;
  l->b.before = after;
  branch_look look = {l, branch};
  ir_walk(branch, rebase_operands, &look);
  for (ir_op *op = branch->first, *next; op; op = next) {
    next = op->next;
    if (after)
      ir_move_before(op, after);
    else
      pass_append(l->op->parent, op);
  }
}

/* Does not see, and is not seen by, what the branch does. */
static bool independent(const loop_ends *l, const ir_op *op) {
  if (op->code == IR_load) return pass_read_only(l->b.kernel, ir_root_ref(op->operands[0]));
  return pass_pure(op) || op->code == IR_yield;
}

/* True when the branch was the last trip's and is gone. */
static bool settle_last(loop_ends *l, ir_op *when, ir_op *after) {
  bool negated;
  if (when->code != IR_when || when->result_count || !is_trip(l, when->operands[0], l->last, &negated)) return false;
  ir_region *last = when->regions[negated ? 1 : 0], *others = when->regions[negated ? 0 : 1];
  branch_look look = {l, last};
  l->budget = MAX_LOOKED_AT;
  if (others->first || !ir_walk(last, operands_have_values, &look)) return false;
  move_behind(l, last, after);
  ir_erase(when);
  return l->changed = true;
}

/* From the end of the body backwards, up to the first op with effects that stays. Each branch goes in front of the one
 * moved before it. */
static void settle_tail(loop_ends *l) {
  ir_op *after = l->op->next;
  for (ir_op *op = body_of(l)->last, *previous; op; op = previous) {
    previous = op->prev;
    if (independent(l, op)) continue;
    if (!settle_last(l, op, after)) return;
    after = l->op->next;
  }
}

/* ---- entry ---- */

typedef struct settling {
  pass_ctx *c;
  bool changed;
} settling;

static bool update(void *user, ir_op *op) {
  pass_update(user, op);
  return true;
}

static void for_each_branch(loop_ends *l, void (*fn)(loop_ends *l, ir_op *when)) {
  for (ir_op *op = body_of(l)->first, *next; op; op = next) {
    next = op->next;
    if (op->code == IR_when) fn(l, op);
  }
  ir_walk(body_of(l), update, &l->renames);
}

static void settle_loop(settling *s, ir_op *op) {
  ir_kernel *k = s->c->kernel;
  loop_ends l = {.b = {.module = k->module, .kernel = k, .diags = s->c->diags, .loc = op->loc}, .op = op};
  l.renames.arena = &k->module->arena;
  if (!read_bounds(&l)) return;
  for_each_branch(&l, nest_condition);
  for_each_branch(&l, settle_first);
  settle_tail(&l);
  s->changed |= l.changed;
}

/* Scalars and views that are the same in every trip are made once, before the loop. Tiles stay: they would be kept over
 * all of it. */
static bool hoist(ir_op *loop) {
  bool changed = false;
  ir_region *body = loop->regions[loop->region_count - 1];
  for (ir_op *op = body->first, *next; op; op = next) {
    next = op->next;
    if (!pass_pure(op) || (op->code != IR_view && op->results[0]->type.shape.rank > 0)) continue;
    bool same = true;
    for (uint32_t i = 0; i < op->operand_count; i++) same = same && !of_branch(body, op->operands[i]);
    if (!same) continue;
    ir_move_before(op, loop);
    changed = true;
  }
  return changed;
}

/* Inner loops first: what leaves them may leave the loops around them too. */
static void settle_region(settling *s, ir_region *region) {
  for (ir_op *op = region->first; op; op = op->next) {
    for (uint32_t r = 0; r < op->region_count; r++) settle_region(s, op->regions[r]);
    if (op->code == IR_for || op->code == IR_while) s->changed |= hoist(op);
    if (op->code == IR_for) settle_loop(s, op);
  }
}

bool pass_settle_ends(pass_ctx *c) {
  settling s = {c, false};
  if (!c->target->check && !pass_has_roles(c->kernel)) settle_region(&s, c->kernel->body);
  return s.changed;
}
