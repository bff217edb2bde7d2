/* What the units of a crew tell one another becomes instructions one to one. Others may change memory meanwhile: all
 * that was read before is read by then. */
#include "host/flat/flatten.h"

static uint32_t box_of(flat *f, const ir_value *v) { return flat_value_of(f, v)->box; }

static host_crew_op *new_detail(flat *f) {
  host_crew_op *detail = ARENA_NEW(f->arena, host_crew_op);
  *detail = (host_crew_op){.from = HOST_NONE,
                           .to = HOST_NONE,
                           .right = HOST_NONE,
                           .tile = HOST_NONE,
                           .sync = HOST_NONE,
                           .amount = HOST_NONE,
                           .device = HOST_NONE,
                           .condition = HOST_NONE,
                           .out = HOST_NONE};
  return detail;
}

static host_code code_of(ir_code code) {
  switch (code) {
    case IR_arrive: return HOST_ARRIVE;
    case IR_wait: return HOST_WAIT;
    case IR_test: return HOST_TEST;
    case IR_signal: return HOST_SIGNAL;
    case IR_count: return HOST_COUNT;
    case IR_peer: return HOST_PEER;
    case IR_copy: return HOST_COPY;
    case IR_mma: return HOST_MMA;
    case IR_commit: return HOST_COMMIT;
    case IR_claim: return HOST_CLAIM;
    default: return HOST_AWAIT;
  }
}

/* barrier, or semaphore, amount, device */
static void lower_meeting(flat *f, const ir_op *op, host_crew_op *detail) {
  detail->sync = box_of(f, op->operands[0]);
  if (op->operand_count > 1) detail->amount = flat_dense(f, op->operands[1]);
  if (op->operand_count > 2) detail->device = flat_dense(f, op->operands[2]);
  if (op->result_count > 0) detail->out = flat_result_tile(f, op->results[0]);
}

/* source, destination, [barrier], [condition] */
static void lower_copy(flat *f, const ir_op *op, host_crew_op *detail) {
  uint32_t next = 2;
  detail->from = box_of(f, op->operands[0]);
  detail->to = box_of(f, op->operands[1]);
  if (op->attrs->arrives) detail->sync = box_of(f, op->operands[next++]);
  if (op->attrs->guarded) detail->condition = flat_dense(f, op->operands[next]);
}

/* sum, left, right, [condition], [barrier] */
static void lower_mma(flat *f, const ir_op *op, host_crew_op *detail) {
  uint32_t next = 3;
  detail->to = box_of(f, op->operands[0]);
  detail->right = box_of(f, op->operands[2]);
  if (op->operands[1]->type.kind == IR_TILE)
    detail->tile = flat_dense(f, op->operands[1]);
  else
    detail->from = box_of(f, op->operands[1]);
  if (op->attrs->accumulates) detail->condition = flat_dense(f, op->operands[next++]);
  if (op->attrs->arrives) detail->sync = box_of(f, op->operands[next++]);
  for (uint32_t i = 0; next < op->operand_count; i++) detail->more[i] = box_of(f, op->operands[next++]);
}

/* A ref of its own, which lives as scratch does. */
static void lower_peer(flat *f, const ir_op *op, host_crew_op *detail) {
  detail->from = box_of(f, op->operands[0]);
  detail->to = flat_peer_box(f, op);
  for (uint32_t i = 1; i < op->operand_count; i++) detail->at[i - 1] = flat_dense(f, op->operands[i]);
}

static void lower_operands(flat *f, const ir_op *op, host_crew_op *detail) {
  switch (op->code) {
    case IR_copy: lower_copy(f, op, detail); break;
    case IR_mma: lower_mma(f, op, detail); break;
    case IR_peer: lower_peer(f, op, detail); break;
    case IR_claim:
      detail->to = box_of(f, op->operands[0]);
      detail->sync = box_of(f, op->operands[1]);
      break;
    case IR_commit:
      if (op->operand_count > 0) detail->sync = box_of(f, op->operands[0]);
      break;
    case IR_await:
      detail->what = (ir_what)op->attrs->what;
      if (op->operand_count > 0) detail->amount = flat_dense(f, op->operands[0]);
      break;
    default: lower_meeting(f, op, detail); break;
  }
}

void flat_crew_op(flat *f, const ir_op *op) {
  host_crew_op *detail = new_detail(f);
  flat_settle_all(f);
  lower_operands(f, op, detail);
  flat_close(f); /* operands may have been copied */
  for (uint32_t k = 0; k < op->operand_count; k++)
    if (op->operands[k]->type.kind == IR_TILE) flat_take(f, op->operands[k]);
  flat_emit(f, code_of(op->code), detail);
}

/* Products are made beside the unit that reads or writes what they add to. */
void flat_await_products(flat *f, const ir_value *ref) {
  if (!f->plan->crew || ref->type.space != IR_SPACE_ACC) return;
  host_crew_op *detail = new_detail(f);
  detail->what = IR_WHAT_MMA;
  flat_settle_all(f);
  flat_emit(f, HOST_AWAIT, detail);
}

void flat_warps(flat *f, const ir_op *op) {
  host_crew_op *detail = new_detail(f);
  const ir_value *index = op->regions[0]->args[0];
  detail->out = flat_cell(f);
  flat_set_at(f, index, flat_operand_dense(f, &index->type, detail->out), HOST_NONE);
  uint32_t split = flat_emit(f, HOST_SPLIT, detail);
  flat_region_end(f, flat_region_begin(f, op->regions[0]));
  flat_emit(f, HOST_END, NULL);
  f->code.data[split].target = (uint32_t)f->code.count;
}
