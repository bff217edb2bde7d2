/* Claims: a cluster asks for the work of one that has not started, which then never starts. The first block asks for
 * all; the answer is written in each, and each is told once it has asked itself. */
#include <string.h>

#include "host/crew/crew.h"

enum { CLAIM_PARTS = 2 }; /* of its arrival: the answer, and the block's own asking */

uint64_t crew_claim_bytes(const crew_task *task) { return crew_side_bytes(&task->parts->to); }

void crew_claim_read(const crew_task *task, crew_part *part, uint8_t *data) {
  const uint32_t bytes = (uint32_t)ir_dtype_bytes(part->to.info.dtype);
  if (part != task->parts) {
    memcpy(data, task->data, (size_t)crew_side_bytes(&part->to));
    return;
  }
  const int32_t taken = crew_take_cluster(task->unit->member->crew, task->unit);
  host_fill(data, (uint32_t)taken, bytes, host_box_count(&part->to.info));
}

void crew_claim_write(const crew_task *task, const crew_part *part, uint8_t *data) {
  (void)task;
  host_box_move(&part->to.box, &part->to.info, data, true);
  crew_mark_written(&part->to);
}

static host_status ask(host_unit *unit, const host_crew_op *what, const ir_op *op) {
  crew_task task = {.kind = CREW_CLAIM, .op = op, .lane = UNIT_NONE, .whole = CLAIM_PARTS};
  return crew_block_index(unit) == 0 ? crew_issue_in_blocks(unit, what, &task, CREW_QUEUES) : HOST_RUNNING;
}

host_status crew_claim(host_unit *unit, const host_crew_op *what, const ir_op *op) {
  const host_status asked = ask(unit, what, op);
  return asked == HOST_RUNNING ? crew_arrive_as_part(unit, what, op, CLAIM_PARTS) : asked;
}
