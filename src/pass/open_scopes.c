/* open_scopes: what a scope does stands in its place.
 *
 *   let v = scope {                              scratch s: f32[8]
 *     scratch s: f32[8]                          s[...] = x[...]
 *     s[...] = x[...]                            y[...] = s[...] * 2.0
 *     yield s[...] * 2.0
 *   }
 *   y[...] = v
 *
 * Other passes then see through it, and place_memory finds from its uses how long memory is needed. The scopes of a
 * crew on the host stay: units share what they allocate, and it ends when the last has left. So do all while checking:
 * memory that is looked at behind its end, or before it is written again, is a fault. */
#include "pass/util.h"

/* What ends with the scope may leave nothing behind in its barriers and semaphores. */
static void mark_inner(const ir_kernel *k, const ir_region *scope) {
  for (ir_op *op = scope->first; op; op = op->next)
    if (op->code == IR_scratch) op->attrs->inner = !ir_lives_to_end(k, op);
}

static bool open_region(const ir_kernel *k, pass_renames *names, ir_region *region) {
  bool changed = false;
  for (ir_op *op = region->first, *next; op; op = next) {
    ir_op *previous = op->prev;
    next = op->next;
    pass_update(names, op);
    if (op->code == IR_scope) {
      mark_inner(k, op->regions[0]);
      pass_splice(names, op->regions[0], op);
      ir_erase(op);
      next = previous ? previous->next : region->first;
      changed = true;
    } else {
      for (uint32_t r = 0; r < op->region_count; r++) changed |= open_region(k, names, op->regions[r]);
    }
  }
  return changed;
}

bool pass_open_scopes(pass_ctx *c) {
  pass_renames names = {.arena = &c->kernel->module->arena};
  const bool stay = c->target->kind == P_HOST && (c->target->check || ir_is_crew(c->kernel));
  return !stay && open_region(c->kernel, &names, c->kernel->body);
}
