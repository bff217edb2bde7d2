/* What went wrong where units meet, worded as the host's crews word it: who waits for what and who could still help,
 * and broken rules of barriers and semaphores. */
#include "ir/text/say.h"
#include "pass/roles/protocol.h"

enum { NOTES_MOST = 8 };

typedef struct report {
  const protocol *p;
  kiln_place notes[NOTES_MOST];
  size_t note_count;
} report;

static void note(report *r, loc at, kiln_str words) {
  if (r->note_count < NOTES_MOST) r->notes[r->note_count++] = loc_place(at, words);
}

/* ---- names ---- */

/* "unit (c 0, t 1, warp 2)" */
static kiln_str name_unit(const roles *r, const roles_unit *unit) {
  text t = text_new(r->arena);
  uint32_t places[IR_MAX_TEAMS];
  team_places(r->kernel, &r->machine, unit->id, places);
  ir_say_unit(&t, r->kernel, places, unit->whole ? (int32_t)unit_index(&r->machine, unit->id) : -1);
  return text_str(&t);
}

/* "full[1, 2]" */
static kiln_str name_element(const protocol *p, const roles_event *event) {
  const ir_value *ref = p->r->scratches.data[event->number].op->results[0];
  const ir_said all = ir_said_of(&ref->type);
  text t = text_new(p->r->arena);
  ir_say_element(&t, ref->name, all.rank, all.dims, event->element);
  return text_str(&t);
}

/* ---- deadlock ---- */

/* "unit (t 1) waits for full[0, 1]: phase 2 has 0 of 1 arrivals" */
static kiln_str describe_wait(const protocol *p, const roles_unit *unit, const roles_event *event) {
  text t = text_new(p->r->arena);
  text_format(&t, "%.*s waits for ", STR_FMT(name_unit(p->r, unit)));
  if (event->kind == ROLES_SPLIT) return text_format(&t, "its parts"), text_str(&t);
  const protocol_share *share = protocol_share_of(p, event);
  if (!share->alive || event->kind == ROLES_OPEN)
    return text_format(&t, "the memory of another unit, which has none"), text_str(&t);
  text_add(&t, name_element(p, event));
  if (event->kind == ROLES_WAIT) {
    const barrier *b = protocol_barrier(p, event);
    ir_say_wait(&t, IR_BARRIER, b->phase, b->arrived, b->expected);
  } else {
    const int64_t at = event->element;
    ir_say_wait(&t, IR_SEMAPHORE, 0, semaphore_read(semaphore_at(&share->semaphores, &at)), (uint32_t)event->amount);
  }
  return text_str(&t);
}

static void note_helpers(report *out, const roles_event *event) {
  const roles *r = out->p->r;
  const ir_value *made = r->scratches.data[event->number].op->results[0];
  loc helpers[NOTES_MOST];
  const uint32_t count = pass_find_help(r->kernel, made, helpers, NOTES_MOST);
  text t = text_new(r->arena);
  ir_say_help(&t, made->type.kind, made->name);
  for (uint32_t i = 0; i < count; i++) note(out, helpers[i], text_str(&t));
}

/* Each place of waiting once, with the unit that came first, and where help could have come from. */
static loc note_waits(report *out, uint64_t *waiting) {
  const roles *r = out->p->r;
  const ir_op *seen[NOTES_MOST / 2] = {0};
  uint32_t count = 0;
  for (uint32_t i = 0; i < r->units.count; i++) {
    const roles_unit *unit = r->units.data[i];
    if (!unit->waits) continue;
    const roles_event *event = &unit->events.data[unit->next];
    bool known = count == NOTES_MOST / 2;
    *waiting += !unit->whole;
    for (uint32_t s = 0; s < count; s++) known = known || seen[s] == event->op;
    if (known) continue;
    seen[count++] = event->op;
    note(out, event->op->loc, describe_wait(out->p, unit, event));
    if (event->kind != ROLES_SPLIT) note_helpers(out, event);
  }
  return seen[0] ? seen[0]->loc : r->kernel->loc;
}

void protocol_report_deadlock(const protocol *p) {
  roles *r = p->r;
  report out = {.p = p};
  uint64_t waiting = 0;
  const loc first = note_waits(&out, &waiting);
  const diag_extra extra = {.notes = out.notes, .note_count = out.note_count};
  diag_report_with(r->c->diags, DIAG_deadlock, first, &extra, (unsigned long long)waiting,
                   (unsigned long long)r->threads, STR_FMT(r->kernel->name));
  r->failed = true;
}

/* ---- broken rules ---- */

void protocol_report_fault(const protocol *p, const roles_unit *unit, const roles_event *event, sync_result result) {
  roles *r = p->r;
  const diag_id id = sync_rule_diag(result.rule);
  const diag_extra extra = {.unit = name_unit(r, unit)};
  const bool ends = event->kind == ROLES_CLOSE;
  const kiln_str name = ends ? event->op->results[0]->name : name_element(p, event);
  diag_report_with(r->c->diags, id, event->op->loc, &extra, STR_FMT(name), sync_rule_text(result.rule),
                   (unsigned long long)result.have, (unsigned long long)result.want);
  r->failed = true;
}
