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
 * - Only loops with constant bounds that run at least once.
 * - First trip: the branch computes values from outside the loop, without memory, and the carried value has no other
 * reader.
 * - Last trip: nothing with effects stands behind the branch; what it uses of the loop is handed on by the yield, or is
 * pure and can be computed again from such values and the counter's last value. */
#include "pass/util.h"

enum { MAX_LOOKED_AT = 256 };

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

/* ---- the first trip ---- */

/* Ops that may as well run before the loop. */
static bool movable(const loop_ends *l, const ir_region *branch) {
  for (const ir_op *op = branch->first; op; op = op->next) {
    if (op->code == IR_yield) continue;
    if (!pass_pure(op)) return false;
    for (uint32_t i = 0; i < op->operand_count; i++) {
      const ir_value *v = op->operands[i];
      if (of_loop(l, v) && !(v->def && v->def->parent == branch)) return false;
    }
  }
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
  if (!movable(l, first)) return;
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

typedef struct need_check {
  loop_ends *loop;
  const ir_region *branch;
} need_check;

static bool operands_have_values(void *user, ir_op *op) {
  const need_check *c = user;
  for (uint32_t i = 0; i < op->operand_count; i++) {
    ir_value *v = op->operands[i];
    const ir_region *home = v->def ? v->def->parent : v->region;
    if (!inside(c->branch, home) && !has_value_behind(c->loop, v)) return false;
  }
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

typedef struct rebase {
  loop_ends *loop;
  const ir_region *branch;
} rebase;

static bool rebase_operands(void *user, ir_op *op) {
  rebase *r = user;
  for (uint32_t i = 0; i < op->operand_count; i++) {
    ir_value *v = op->operands[i];
    const ir_region *home = v->def ? v->def->parent : v->region;
    if (!inside(r->branch, home) && of_loop(r->loop, v)) ir_set_operand(op, i, value_behind(r->loop, v));
  }
  return true;
}

/* Moves the branch's ops behind the loop, in front of `after`. */
static void move_behind(loop_ends *l, ir_region *branch, ir_op *after) {
  l->b.region = l->op->parent;
  l->b.before = after;
  rebase r = {l, branch};
  ir_walk(branch, rebase_operands, &r);
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
  if (op->code == IR_load) return pass_read_only(l->b.kernel, pass_root(op->operands[0]));
  return pass_pure(op) || op->code == IR_yield;
}

/* True when the branch was the last trip's and is gone. */
static bool settle_last(loop_ends *l, ir_op *when, ir_op *after) {
  bool negated;
  if (when->code != IR_when || when->result_count || !is_trip(l, when->operands[0], l->last, &negated)) return false;
  ir_region *last = when->regions[negated ? 1 : 0], *others = when->regions[negated ? 0 : 1];
  need_check check = {l, last};
  l->budget = MAX_LOOKED_AT;
  if (others->first || !ir_walk(last, operands_have_values, &check)) return false;
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

static bool settle_loop(void *user, ir_op *op) {
  settling *s = user;
  ir_kernel *k = s->c->kernel;
  loop_ends l = {.b = {.module = k->module, .kernel = k, .diags = s->c->diags, .loc = op->loc}, .op = op};
  l.renames.arena = &k->module->arena;
  if (op->code != IR_for || !read_bounds(&l)) return true;
  for (ir_op *inner = body_of(&l)->first, *next; inner; inner = next) {
    next = inner->next;
    if (inner->code == IR_when) settle_first(&l, inner);
  }
  ir_walk(body_of(&l), update, &l.renames);
  settle_tail(&l);
  s->changed |= l.changed;
  return true;
}

bool pass_settle_ends(pass_ctx *c) {
  settling s = {c, false};
  if (!c->target->check) ir_walk(c->kernel->body, settle_loop, &s);
  return s.changed;
}
