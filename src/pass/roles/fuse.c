/* fuse_roles: the units of a launch become one, which needs to tell nobody anything. So far: where there is one unit
 * only, whose arrivals come before its waits. */
#include "pass/util.h"

static bool orders(ir_code code) { return ir_op_get(code)->effects & E_SYNC; }

static uint32_t units_of(const ir_kernel *k) {
  uint32_t units = 1;
  for (uint32_t i = 0; i < k->team_count; i++) units *= (uint32_t)k->teams[i].extent->value;
  return units;
}

static bool only_barriers(const pass_ops *ops) {
  for (size_t i = 0; i < ops->count; i++) {
    const ir_op *op = ops->data[i];
    if ((op->code != IR_arrive && op->code != IR_wait) || op->operands[0]->type.kind != IR_BARRIER) return false;
  }
  return true;
}

static bool is_of_barriers(ir_code code) { return code == IR_scratch || code == IR_view || code == IR_peer; }

/* Barriers that nobody speaks of, the views of them first. */
static void erase_barriers(pass_ctx *c) {
  const pass_ops ops = pass_collect(c, is_of_barriers);
  for (size_t i = ops.count; i-- > 0;)
    if (ops.data[i]->results[0]->type.kind > IR_REF) ir_erase(ops.data[i]);
}

bool pass_fuse_roles(pass_ctx *c) {
  ir_kernel *k = c->kernel;
  const pass_ops ops = pass_collect(c, orders);
  if (!ir_is_crew(k) || units_of(k) != 1 || !only_barriers(&ops)) return false;
  ir_builder b = {.module = k->module, .kernel = k, .diags = c->diags, .loc = k->loc, .region = k->body};
  b.before = k->body->first;
  for (uint32_t i = 0; i < k->team_count; i++) pass_replace_within(k->body, k->teams[i].index, ir_scalar_i32(&b, 0));
  for (size_t i = ops.count; i-- > 0;) ir_erase(ops.data[i]);
  erase_barriers(c);
  k->team_count = 0;
  return true;
}
