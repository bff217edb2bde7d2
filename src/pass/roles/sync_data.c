/* Marks every value that memory, a barrier or a semaphore has a part in, then looks for ops that order units by one.
 * Marks follow operands to results, and what regions yield to what their op hands on. Where data decides whether a
 * region runs, all that it yields is of data too. */
#include "pass/roles/sync_data.h"

#include "pass/util.h"

typedef struct marks {
  bool *of_data; /* by value */
  bool changed;
  const ir_op *found;
} marks;

static void mark(marks *s, const ir_value *v) {
  if (s->of_data[v->id]) return;
  s->of_data[v->id] = s->changed = true;
}

static bool is_any_marked(const marks *s, ir_value *const *values, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if (s->of_data[values[i]->id]) return true;
  return false;
}

static void mark_all(marks *s, ir_value *const *values, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) mark(s, values[i]);
}

/* Begin, end and step of a loop, or what chooses a region. */
static uint32_t count_deciding(const ir_op *op) {
  if (op->code == IR_for) return 3;
  return op->code == IR_when || op->code == IR_switch ? 1 : 0;
}

static bool is_decided_by_data(const marks *s, const ir_op *op) {
  if (is_any_marked(s, op->operands, count_deciding(op))) return true;
  const ir_op *condition = op->code == IR_while ? pass_yield_of(op->regions[0]) : NULL;
  return condition && is_any_marked(s, condition->operands, condition->operand_count);
}

/* What loops carry: from the start, and from each turn to the next. */
static void mark_carried(marks *s, const ir_op *op) {
  const uint32_t bounds = count_deciding(op);
  const ir_op *next = pass_yield_of(op->regions[op->region_count - 1]);
  for (uint32_t i = 0; i < op->result_count; i++) {
    const bool starts = s->of_data[op->operands[bounds + i]->id];
    if (!starts && !(next && s->of_data[next->operands[i]->id])) continue;
    mark(s, op->results[i]);
    for (uint32_t r = 0; r < op->region_count; r++) mark(s, op->regions[r]->args[i + (op->code == IR_for ? 1 : 0)]);
  }
}

static void mark_control(marks *s, const ir_op *op) {
  const bool by_data = is_decided_by_data(s, op);
  if (op->code == IR_for || op->code == IR_while) mark_carried(s, op);
  if (op->code == IR_for && by_data) mark(s, op->regions[0]->args[0]);
  for (uint32_t r = 0; r < op->region_count && (op->code == IR_when || op->code == IR_switch); r++) {
    const ir_op *yields = pass_yield_of(op->regions[r]);
    for (uint32_t i = 0; yields && i < op->result_count; i++)
      if (s->of_data[yields->operands[i]->id]) mark(s, op->results[i]);
  }
  if (by_data) mark_all(s, op->results, op->result_count);
}

static bool mark_op(void *user, ir_op *op) {
  marks *s = user;
  const uint32_t effects = ir_op_get(op->code)->effects;
  const bool asks = op->code == IR_test || op->code == IR_count;
  if (op->region_count > 0)
    mark_control(s, op);
  else if ((effects & E_READS) || asks || is_any_marked(s, op->operands, op->operand_count))
    mark_all(s, op->results, op->result_count);
  return true;
}

/* ---- what orders units ---- */

static bool orders_nothing(void *user, ir_op *op) {
  (void)user;
  return !(ir_op_get(op->code)->effects & (E_SYNC | E_ALLOCATES));
}

/* Which memory is copied or multiplied orders nothing. */
static bool is_ordered_by(const ir_op *op, uint32_t operand) {
  const ir_value *v = op->operands[operand];
  if (v->type.kind == IR_BARRIER || v->type.kind == IR_SEMAPHORE) return true;
  if (op->code == IR_copy) return operand >= 2;
  return op->code == IR_wait || op->code == IR_signal || op->code == IR_await;
}

static bool find_op(void *user, ir_op *op) {
  marks *s = user;
  if (s->found || !(ir_op_get(op->code)->effects & (E_SYNC | E_CONTROL))) return !s->found;
  for (uint32_t i = 0; op->region_count == 0 && i < op->operand_count; i++)
    if (is_ordered_by(op, i) && s->of_data[op->operands[i]->id]) s->found = op;
  for (uint32_t r = 0; r < op->region_count && is_decided_by_data(s, op); r++)
    if (!ir_walk(op->regions[r], orders_nothing, NULL)) s->found = op;
  return !s->found;
}

const ir_op *pass_sync_on_data(const ir_kernel *k, mem m, bool *known) {
  marks s = {.of_data = mem_calloc(m, k->value_count, 1), .changed = true};
  *known = s.of_data || k->value_count == 0;
  while (s.of_data && s.changed) {
    s.changed = false;
    ir_walk(k->body, mark_op, &s);
  }
  if (s.of_data) ir_walk(k->body, find_op, &s);
  mem_free(m, s.of_data, k->value_count);
  return s.found;
}
