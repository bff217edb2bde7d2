/* place_memory: every scratch gets its offset within its unit's copy of its space.
 *
 *   scratch a: f32[8, 128] in smem              scratch a: f32[8, 128] in smem at 0
 *   scratch b: f32[8, 128] in smem              scratch b: f32[8, 128] in smem at 0
 *
 * (where b's first use comes after a's last.) The allocator decides; what it decided, and why, is `kiln plan`. */
#include "pass/memory.h"

static void report_over_limit(const pass_memory *memory, const alloc_use *use, const pass_ctx *c) {
  const alloc_item *largest = NULL;
  const ir_op *op = NULL;
  for (uint32_t i = 0; i < memory->report.item_count; i++) {
    const alloc_item *item = &memory->report.items[i];
    if (item->key.space != use->space || !memory->scratch[i] || (largest && item->size <= largest->size)) continue;
    largest = item;
    op = memory->scratch[i];
  }
  diag_report(c->diags, DIAG_space_too_small, op ? op->loc : c->kernel->loc, (unsigned long long)use->peak,
              space_info_of(use->space)->name, (unsigned long long)use->limit);
}

bool pass_place_memory(pass_ctx *c) {
  arena *a = &c->kernel->module->arena;
  pass_memory memory;
  if (!pass_memory_of(a, c->kernel, c->target, c->diags, &memory)) return false;
  /* Only a device has to fit: the host has room for what a kernel merely calls smem. */
  for (uint32_t i = 0; c->target->kind == P_SPIRV && i < memory.report.use_count; i++)
    if (!alloc_fits(&memory.report.uses[i])) report_over_limit(&memory, &memory.report.uses[i], c);
  bool changed = false;
  for (uint32_t i = 0; i < memory.report.item_count; i++) {
    if (!memory.scratch[i]) continue;
    int64_t *offset = &memory.scratch[i]->attrs->offset;
    changed |= *offset != (int64_t)memory.report.items[i].offset;
    *offset = (int64_t)memory.report.items[i].offset;
  }
  return changed;
}
