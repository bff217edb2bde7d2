/* What a kernel says: `print` and `check`. */
#include <string.h>

#include "host/host.h"

/* The line, its values being what the unit's slots hold. */
static void compose(text *t, const host_unit *unit, const host_say *say, ir_said *values) {
  for (uint32_t k = 0; k < say->count; k++) {
    values[k] = say->values[k].value;
    values[k].data = unit->slot[say->values[k].slot];
  }
  ir_say(t, say->words, values, say->count);
}

/* False when memory is out. */
static bool say_line(const host_unit *unit, const host_say *say) {
  const kiln_host_plan *plan = unit->plan;
  arena a;
  jmp_buf out;
  arena_init(&a, plan->context->mem, 0);
  if (!ARENA_GUARD(&a, out)) return arena_finish(&a), false;
  text t = text_new(&a);
  compose(&t, unit, say, ARENA_ARRAY(&a, ir_said, say->count + 1));
  const kiln_str line = text_str(&t);
  plan->print(plan->print_user, line.data, line.size);
  a.guard = NULL;
  arena_finish(&a);
  return true;
}

bool host_run_print(host_unit *unit, const host_say *say) {
  if (!unit->plan->print) return true;
  mutex_lock(unit->plan->turns->lock);
  bool said = say_line(unit, say);
  mutex_unlock(unit->plan->turns->lock);
  return said;
}

/* The first check of a launch that fails is told of. */
void host_run_check(host_unit *unit, const host_say *say, const ir_op *op) {
  char where[256];
  if (*unit->slot[say->values[0].slot]) return;
  mutex_lock(unit->plan->turns->lock);
  if (unit->plan->turns->failed++ == 0) {
    host_describe_unit(unit, where, sizeof where);
    diag_extra extra = {.unit = {where, strlen(where)}, .seed = unit->plan->seed};
    diag_report_with(unit->plan->context->diags, DIAG_check_failed, op->loc, &extra, STR_FMT(say->words));
  }
  mutex_unlock(unit->plan->turns->lock);
}
