/* What the units of a crew tell one another becomes instructions one to one. Others may change memory meanwhile: all
 * that was read before is read by then. */
#include "host/flatten.h"

static uint32_t cell_of(flat *f, const ir_value *v) { return flat_dense(f, v); }

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

/* barrier, or semaphore, amount, device */
static host_code lower_meeting(flat *f, const ir_op *op, host_crew_op *detail) {
  detail->sync = box_of(f, op->operands[0]);
  if (op->operand_count > 1) detail->amount = cell_of(f, op->operands[1]);
  if (op->operand_count > 2) detail->device = cell_of(f, op->operands[2]);
  if (op->result_count > 0) detail->out = flat_result_tile(f, op->results[0]);
  switch (op->code) {
    case IR_arrive: return HOST_ARRIVE;
    case IR_wait: return HOST_WAIT;
    case IR_test: return HOST_TEST;
    case IR_signal: return HOST_SIGNAL;
    default: return HOST_COUNT;
  }
}

void flat_crew_op(flat *f, const ir_op *op) {
  host_crew_op *detail = new_detail(f);
  flat_settle_all(f);
  host_code code = lower_meeting(f, op, detail);
  flat_close(f); /* operands may have been copied */
  for (uint32_t k = 0; k < op->operand_count; k++)
    if (op->operands[k]->type.kind == IR_TILE) flat_take(f, op->operands[k]);
  flat_emit(f, code, detail);
}
