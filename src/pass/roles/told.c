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

/* So many values. */
static uint32_t value_count(const ir_log_wait *wait) {
  switch (wait->says) {
    case IR_LOG_WAITS: return 3;
    case IR_LOG_LATE: return 2;
    case IR_LOG_BREAKS: return 4;
    case IR_LOG_OUTSIDE: return wait->rank;
    default: return 0;
  }
}

ir_told phase_told(phasing *p, const role *r, const ir_value *made, loc at, ir_log_said says) {
  ir_log_wait *wait = ARENA_NEW(p->arena, ir_log_wait);
  *wait = (ir_log_wait){.says = says, .part = r && r->whole};
  ir_told told = {.loc = at, .wait = wait};
  if (r) wait->unit = unit_name(p, r);
  if (made) {
    told.words = made->name;
    wait->kind = made->type.kind;
    wait->rank = made->type.shape.rank;
    for (uint32_t d = 0; d < wait->rank; d++) wait->dims[d] = ir_extent(&made->type, d);
    wait->helper_count =
        pass_find_help(p->c->kernel, made, wait->helpers, sizeof wait->helpers / sizeof *wait->helpers);
  }
  const ir_type number = pass_i32();
  told.count = value_count(wait);
  told.values = ARENA_ARRAY(p->arena, ir_said, told.count + 1);
  for (uint32_t i = 0; i < told.count; i++) told.values[i] = ir_said_of(&number);
  return told;
}

val phase_tells(phasing *p, ir_builder *b, const ir_told *told) {
  val number = ir_full(b, IR_U32, NULL, p->c->kernel->log->told_count);
  tell_log(p->c, told, 1);
  return number;
}

void phase_tell(phasing *p, ir_builder *b, const ir_told *told, val const *values) {
  tell_record(b, phase_tells(p, b, told), values, told->count);
}
