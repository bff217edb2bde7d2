/* What roles and the host tell each other through the log: where a role waits for ever, and that it is to stop. */
#include "pass/roles/phase.h"

/* " unit (c 0, t 1)" */
static kiln_str unit_name(const phasing *p, const role *r) {
  const ir_kernel *k = p->c->kernel;
  uint32_t places[IR_MAX_TEAMS];
  text words = text_new(p->arena);
  phase_places(p, r, places);
  if (k->team_count == 0 && !r->whole) return text_str(&words);
  text_char(&words, ' ');
  ir_say_unit(&words, k, places, r->whole ? (int32_t)r->warp : -1);
  return text_str(&words);
}

ir_told phase_told(phasing *p, const role *r, const ir_value *made, loc at, bool breaks) {
  ir_log_wait *wait = ARENA_NEW(p->arena, ir_log_wait);
  *wait = (ir_log_wait){.breaks = breaks, .kind = made->type.kind, .rank = made->type.shape.rank};
  if (r) wait->unit = unit_name(p, r);
  if (r) wait->part = r->whole != NULL;
  for (uint32_t d = 0; d < wait->rank; d++) wait->dims[d] = ir_extent(&made->type, d);
  wait->helper_count = pass_find_help(p->c->kernel, made, wait->helpers, sizeof wait->helpers / sizeof *wait->helpers);
  ir_told told = {.words = made->name, .loc = at, .wait = wait, .count = breaks ? 4 : 3};
  const ir_type number = pass_i32();
  told.values = ARENA_ARRAY(p->arena, ir_said, told.count + 1);
  for (uint32_t i = 0; i < told.count; i++) told.values[i] = ir_said_of(&number);
  return told;
}

ir_told phase_told_split(phasing *p, const role *r, loc at) {
  ir_log_wait *wait = ARENA_NEW(p->arena, ir_log_wait);
  *wait = (ir_log_wait){.splits = true, .unit = unit_name(p, r)};
  return (ir_told){.loc = at, .wait = wait, .values = ARENA_ARRAY(p->arena, ir_said, 1)};
}

val phase_tells(phasing *p, ir_builder *b, const ir_told *told) {
  val number = ir_full(b, IR_U32, NULL, p->c->kernel->log->told_count);
  tell_log(p->c, told, 1, 0);
  return number;
}

void phase_tell(phasing *p, ir_builder *b, const ir_told *told, val const *values) {
  tell_record(b, phase_tells(p, b, told), values, told->count);
}
