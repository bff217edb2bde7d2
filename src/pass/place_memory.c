/* place_memory: every scratch gets its offset within its unit's copy of its space.
 *
 *   scratch a: f32[8, 128] in smem              scratch a: f32[8, 128] in smem at 0
 *   scratch b: f32[8, 128] in smem              scratch b: f32[8, 128] in smem at 0
 *
 * (where b's first use comes after a's last.) The allocator decides; what it decided, and why, is `kiln plan`. A space
 * that is too small is no error here: back ends have other places for what does not fit. */
#include "pass/memory.h"

bool pass_place_memory(pass_ctx *c) {
  arena *a = &c->kernel->module->arena;
  pass_memory memory;
  if (!pass_memory_of(a, c->kernel, c->target, c->diags, &memory)) return false;
  bool changed = false;
  for (uint32_t i = 0; i < memory.report.item_count; i++) {
    const ir_op *op = memory.made_by[i];
    if (!op || op->code != IR_scratch) continue;
    int64_t *offset = &op->attrs->offset;
    changed |= *offset != (int64_t)memory.report.items[i].offset;
    *offset = (int64_t)memory.report.items[i].offset;
  }
  return changed;
}
