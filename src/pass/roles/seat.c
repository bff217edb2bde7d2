/* seat_roles: threads of one block that meet all at once, or hand over by words in memory, become roles, each on a
 * subgroup of a workgroup.
 *
 *   threads role: 2                    for role in 0 .. 2 roles {
 *   when role == 0 { .. }                when role == 0 { .. }
 *   arrive all  wait all               }
 *   switch role { .. }                 for role in 0 .. 2 roles {
 *                                        switch role { .. }
 *                                      }
 *
 * Only where subgroups may wait for one another, as the words are waited for. */
#include "pass/roles/phase.h"

/* The text between two meetings is a part. */
typedef struct seating {
  phasing p; /* for reasons */
  const ir_team *roles;
  ir_region *part, *body;
  uint32_t *part_of; /* by value id: of those made at the top */
  uint32_t parts;
} seating;

/* ---- what goes ---- */

/* `arrive all wait all`, by all of them. */
static bool is_meeting(const seating *s, const ir_op *op) {
  const ir_op *next = op->next;
  if (op->code != IR_arrive || !next || next->code != IR_wait || op->operands[0] != next->operands[0]) return false;
  const ir_op *made = op->operands[0]->def;
  return made->code == IR_scratch && !made->attrs->across && made->attrs->arrivals == s->roles->extent->value;
}

static bool is_memory(const ir_op *op) { return op->code == IR_scratch && op->results[0]->type.kind == IR_REF; }

static bool can_sit(void *user, ir_op *op) {
  seating *s = user;
  if (ir_op_get(op->code)->effects & E_SYNC)
    return phase_decline(&s->p, op->loc, "not all of them take part in this, all at once");
  for (uint32_t i = 0; i < op->operand_count; i++) {
    const uint32_t part = s->part_of[op->operands[i]->id];
    if (part && part != s->parts)
      return phase_decline(&s->p, op->loc, "a value is made in front of a meeting and used behind it");
  }
  return true;
}

static bool can_all_sit(seating *s, const ir_kernel *k) {
  s->parts = 1;
  for (ir_op *op = k->body->first; op; op = op->next) {
    if (is_meeting(s, op)) {
      op = op->next;
      s->parts++;
      continue;
    }
    if (op->code == IR_scratch) continue;
    if (!can_sit(s, op)) return false;
    for (uint32_t r = 0; r < op->region_count; r++)
      if (!ir_walk(op->regions[r], can_sit, s)) return false;
    for (uint32_t i = 0; i < op->result_count; i++) s->part_of[op->results[i]->id] = s->parts;
  }
  return true;
}

/* ---- what it becomes ---- */

static void begin_part(seating *s) { s->part = ir_region_new(&s->p.top, NULL); }

static void end_part(seating *s) {
  ir_builder *b = &s->p.top;
  val index = ir_region_arg(b, s->part, pass_i32(), s->roles->name);
  pass_replace_within(s->part, s->roles->index, index);
  if (s->part->first) phase_for_roles(b, s->part, (uint32_t)s->roles->extent->value);
}

static void seat(seating *s, ir_region *from) {
  begin_part(s);
  for (ir_op *op = from->first, *next; op; op = next) {
    next = op->next;
    if (is_meeting(s, op)) {
      next = next->next;
      end_part(s);
      begin_part(s);
    } else if (is_memory(op)) {
      pass_append(s->body, op);
    } else if (op->code != IR_scratch) {
      pass_append(s->part, op);
    }
  }
  end_part(s);
}

bool pass_seat_roles(pass_ctx *c) {
  ir_kernel *k = c->kernel;
  seating s = {.p = {.spins = true}};
  if (!phase_is_asked_for(c, KILN_UNITS_SPUN) || c->target->polls == 0) return false;
  if (k->team_count != 1 || k->teams[0].level != IR_TEAM_THREADS) return false;
  s.roles = k->teams;
  s.body = phase_open(&s.p, c);
  s.part_of = ARENA_ARRAY(s.p.arena, uint32_t, k->value_count + 1);
  if (!can_all_sit(&s, k)) return false;
  seat(&s, k->body);
  pass_set_body(k, s.body);
  k->team_count = 0;
  return true;
}
