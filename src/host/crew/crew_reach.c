/* What a unit may still come to: its text from where it stands, but for branches that its place in the mesh decides. */
#include "host/crew/crew.h"
#include "ir/eval/eval.h"

enum { DEEPEST = 16 }; /* of values that are computed from one another */

/* ---- values that never change ---- */

static bool place_on_axis(const host_unit *unit, const ir_value *v, uint64_t *bits) {
  const kiln_host_plan *plan = unit->plan;
  const ir_kernel *k = plan->kernel;
  uint32_t slot = HOST_NONE;
  for (uint32_t i = 0; i < k->team_count; i++)
    if (k->teams[i].index == v) slot = plan->team_slots[i];
  for (uint32_t a = 0; a < plan->grid.rank; a++)
    if (k->axes[a].index == v) slot = plan->axis_slots[a];
  if (slot == HOST_NONE) return false;
  *bits = (uint32_t)host_cell(unit, slot);
  return true;
}

static bool warp_index(const host_unit *unit, const ir_value *v, uint64_t *bits) {
  const machine *m = &unit->plan->machine;
  if (!v->region || !v->region->owner || v->region->owner->code != IR_warps) return false;
  if (unit_depth(m, unit->id) != DEPTH_GPU_WARP) return false;
  *bits = unit_index(m, unit->id);
  return true;
}

static bool fixed_value(const host_unit *unit, const ir_value *v, uint32_t depth, uint64_t *bits) {
  const ir_op *op = v->def;
  uint64_t in[3] = {0};
  if (v->type.shape.rank > 0 || depth == DEEPEST) return false;
  if (!op) return place_on_axis(unit, v, bits) || warp_index(unit, v, bits);
  if (!ir_evals_one(op)) return false;
  for (uint32_t k = 0; k < op->operand_count; k++)
    if (!fixed_value(unit, op->operands[k], depth + 1, &in[k])) return false;
  return ir_eval_one(op, in, bits);
}

/* ---- ways through the text ---- */

/* Whether the unit may take that branch of an op with regions. */
static bool may_enter(const host_unit *unit, const ir_op *op, const ir_region *region) {
  uint64_t bits;
  if (op->code != IR_when && op->code != IR_switch) return true;
  if (!fixed_value(unit, op->operands[0], 0, &bits)) return true;
  const int32_t index = (int32_t)bits, last = (int32_t)op->region_count - 1;
  if (op->code == IR_when) return region == op->regions[bits & 1 ? 0 : 1];
  return region == op->regions[index < 0 ? 0 : index > last ? last : index];
}

/* The op of the region that is `op`, or has it inside; NULL when it is elsewhere. */
static const ir_op *op_within(const ir_region *region, const ir_op *op) {
  while (op && op->parent != region) op = op->parent->owner;
  return op;
}

static bool is_before(const ir_op *first, const ir_op *second) {
  while (second && second != first) second = second->prev;
  return second;
}

static bool in_loop(const ir_region *region) {
  for (const ir_op *op = region->owner; op; op = op->parent->owner)
    if (op->code == IR_for || op->code == IR_while) return true;
  return false;
}

bool crew_may_reach(const host_unit *unit, const ir_op *op) {
  const ir_op *from = unit->member->waits_at;
  if (!from) return false;
  for (const ir_region *region = op->parent; region->owner; region = region->owner->parent)
    if (!may_enter(unit, region->owner, region)) return false;
  const ir_region *both = op->parent;
  while (!op_within(both, from)) both = both->owner->parent;
  const ir_op *here = op_within(both, from), *there = op_within(both, op);
  return (here != there && is_before(here, there)) || in_loop(both);
}
