/* Control ops whose way is known: branches taken, loops that run never or once, carried values that never change; and
 * the surgery on carried values and results that other passes use too. */
#include "pass/fold/fold.h"

/* ---- surgery ---- */

static void remove_operand(ir_op *op, uint32_t at) {
  op->operands[at]->uses--;
  op->operand_count--;
  for (uint32_t i = at; i < op->operand_count; i++) op->operands[i] = op->operands[i + 1];
}

void fold_remove_result(ir_op *op, uint32_t at) {
  op->result_count--;
  for (uint32_t i = at; i < op->result_count; i++) op->results[i] = op->results[i + 1];
  for (uint32_t r = 0; r < op->region_count; r++) {
    bool condition = op->code == IR_while && r == 0; /* yields a bool, not the carried values */
    ir_op *yield = pass_yield_of(op->regions[r]);
    if (!condition && yield) remove_operand(yield, at);
    if (yield && yield->operand_count == 0) ir_erase(yield);
  }
}

static void remove_argument(ir_region *region, uint32_t at) {
  region->arg_count--;
  for (uint32_t i = at; i < region->arg_count; i++) region->args[i] = region->args[i + 1];
}

static uint32_t fixed_operands(const ir_op *op) { return op->code == IR_for ? 3 : 0; }
static uint32_t fixed_arguments(const ir_op *op) { return op->code == IR_for ? 1 : 0; }

void fold_remove_carried(ir_op *op, uint32_t at) {
  remove_operand(op, fixed_operands(op) + at);
  for (uint32_t r = 0; r < op->region_count; r++) remove_argument(op->regions[r], fixed_arguments(op) + at);
  fold_remove_result(op, at);
}

/* ---- branches ---- */

/* All ways yield the same, which must then come from outside: the result does not depend on the branch. */
static bool join_results(pass_renames *names, const ir_op *op) {
  bool changed = false;
  for (uint32_t i = 0; i < op->result_count; i++) {
    ir_value *first = pass_yield_of(op->regions[0])->operands[i];
    bool same = op->results[i]->uses > 0;
    for (uint32_t r = 1; r < op->region_count; r++) same = same && pass_yield_of(op->regions[r])->operands[i] == first;
    if (!same) continue;
    pass_rename(names, op->results[i], first);
    changed = true;
  }
  return changed;
}

static bool fold_branch(pass_renames *names, ir_op *op, bool *gone) {
  int64_t which = 0;
  if (op->region_count > 1 && !pass_integer(op->operands[0], &which)) return join_results(names, op);
  if (op->code == IR_when) which = which ? 0 : 1;
  if (which >= op->region_count) which = (int64_t)op->region_count - 1; /* as lax.switch: clamped */
  pass_splice(names, op->regions[which < 0 ? 0 : which], op);
  return *gone = true;
}

/* ---- loops ---- */

/* How often the loop runs, when that is known to be 0 or 1. */
static bool few_trips(const ir_op *op, int64_t *trips) {
  int64_t begin, end, step, next;
  if (!pass_integer(op->operands[0], &begin) || !pass_integer(op->operands[1], &end)) return false;
  if (begin >= end) return *trips = 0, true;
  if (!pass_integer(op->operands[2], &step) || step <= 0 || !i64_add(begin, step, &next) || next < end) return false;
  return *trips = 1, true;
}

static void run_once(pass_renames *names, ir_op *op) {
  ir_region *body = op->regions[0];
  pass_rename(names, body->args[0], op->operands[0]);
  for (uint32_t i = 0; i < op->result_count; i++) pass_rename(names, body->args[1 + i], op->operands[3 + i]);
  pass_splice(names, body, op);
}

/* A carried value that every trip hands on unchanged is its init, inside and after. */
static bool drop_unchanged(pass_renames *names, ir_op *op) {
  bool changed = false;
  ir_region *body = op->regions[op->region_count - 1];
  uint32_t operands = fixed_operands(op), arguments = fixed_arguments(op);
  for (uint32_t i = 0; i < op->result_count; i++) {
    ir_value *init = op->operands[operands + i], *handed_on = pass_yield_of(body)->operands[i];
    if (handed_on != body->args[arguments + i] && handed_on != init) continue;
    if (op->results[i]->uses == 0 && body->args[arguments + i]->uses <= 1) continue; /* dead: dropped elsewhere */
    for (uint32_t r = 0; r < op->region_count; r++) pass_rename(names, op->regions[r]->args[arguments + i], init);
    pass_rename(names, op->results[i], init);
    changed = true;
  }
  return changed;
}

/* A loop of roles stays, so that passes see what a kernel's units became, though one trip may run them all. */
static bool fold_for(pass_renames *names, ir_op *op, bool *gone) {
  int64_t trips;
  if (op->attrs->roles || !few_trips(op, &trips)) return drop_unchanged(names, op);
  if (trips == 1)
    run_once(names, op);
  else
    for (uint32_t i = 0; i < op->result_count; i++) pass_rename(names, op->results[i], op->operands[3 + i]);
  return *gone = true;
}

bool fold_control(pass_renames *names, ir_op *op, bool *gone) {
  *gone = false;
  switch (op->code) {
    case IR_when:
    case IR_switch: return fold_branch(names, op, gone);
    case IR_for: return fold_for(names, op, gone);
    case IR_while: return drop_unchanged(names, op);
    default: return false;
  }
}

/* ---- dead code ---- */

/* Whether an op by itself, whatever its regions do, is more than its results; a loop with a condition may never end. */
static bool acts(const ir_op *op, bool keep_reads) {
  const uint32_t effects = ir_op_get(op->code)->effects, reads = keep_reads ? E_READS : 0;
  return effects & (E_WRITES | E_TELLS | E_SYNC | reads) || op->code == IR_while;
}

static bool is_idle(void *user, ir_op *op) {
  const bool *keep_reads = user;
  return !acts(op, *keep_reads);
}

bool fold_has_effects(const ir_op *op, bool keep_reads) {
  if (acts(op, keep_reads) || ir_op_get(op->code)->effects & E_TERMINATOR) return true;
  for (uint32_t r = 0; r < op->region_count; r++)
    if (!ir_walk(op->regions[r], is_idle, &keep_reads)) return true;
  return false;
}

static bool unused(const ir_op *op) {
  for (uint32_t i = 0; i < op->result_count; i++)
    if (op->results[i]->uses > 0) return false;
  return true;
}

static bool drop_dead_results(ir_op *op) {
  bool changed = false, loop = op->code == IR_for || op->code == IR_while;
  for (uint32_t i = op->result_count; i-- > 0;) {
    if (op->results[i]->uses > 0) continue;
    if (loop) {
      bool read = false;
      ir_value *handed_on = pass_yield_of(op->regions[op->region_count - 1])->operands[i];
      for (uint32_t r = 0; r < op->region_count; r++) {
        const ir_value *arg = op->regions[r]->args[fixed_arguments(op) + i];
        read = read || arg->uses > (handed_on == arg ? 1u : 0u);
      }
      if (read) continue;
      fold_remove_carried(op, i);
    } else {
      fold_remove_result(op, i);
    }
    changed = true;
  }
  return changed;
}

bool fold_drop_dead(ir_region *region, bool keep_reads) {
  bool changed = false;
  for (ir_op *op = region->last, *previous; op; op = previous) {
    previous = op->prev;
    if (unused(op) && !fold_has_effects(op, keep_reads)) {
      ir_erase(op);
      changed = true;
      continue;
    }
    if (op->region_count) changed |= drop_dead_results(op);
    for (uint32_t r = 0; r < op->region_count; r++) changed |= fold_drop_dead(op->regions[r], keep_reads);
  }
  return changed;
}
