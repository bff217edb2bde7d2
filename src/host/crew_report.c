/* What went wrong in a crew: who waits for what and who could still help, broken rules of barriers and semaphores, and
 * memory that its sharers do not agree on. */
#include <string.h>

#include "host/crew.h"

enum { NOTES_MOST = 8 };

/* A report's texts, in an arena of their own. */
typedef struct report {
  crew *crew;
  arena arena;
  jmp_buf out;
  kiln_place notes[NOTES_MOST];
  size_t note_count;
} report;

static void note(report *r, loc at, kiln_str words) {
  if (r->note_count < NOTES_MOST) r->notes[r->note_count++] = loc_place(at, words);
}

static kiln_str name_unit(report *r, const host_unit *unit) {
  char words[256];
  host_describe_unit(unit, words, sizeof words);
  return str_copy(&r->arena, str_from(words));
}

/* ---- deadlock ---- */

/* "thread .. waits for full[0, 1]: phase 2 has 0 of 1 arrivals" */
static kiln_str describe_wait(report *r, const host_unit *unit) {
  const crew_element *at = &unit->member->waits_for;
  text t = text_new(&r->arena);
  text_format(&t, "%.*s waits for ", STR_FMT(name_unit(r, unit)));
  if (!at->sync) {
    text_format(&t, unit->member->split ? "its parts" : "the memory of another unit, which has none");
    return text_str(&t);
  }
  host_name_element(&t, r->crew->plan, at->sync->root, at->index);
  if (at->sync->root->kind == IR_BARRIER) {
    const barrier *b = crew_barrier(at);
    text_format(&t, ": phase %llu has %u of %u arrivals", (unsigned long long)b->phase, b->arrived, b->expected);
  } else {
    text_format(&t, ": the count is %u", semaphore_read(crew_semaphore(at)));
  }
  return text_str(&t);
}

typedef struct helper_search {
  report *report;
  const crew_element *at;
} helper_search;

static const ir_value *sync_operand(const ir_op *op) {
  for (uint32_t k = 0; k < op->operand_count; k++)
    if (op->operands[k]->type.kind == IR_BARRIER || op->operands[k]->type.kind == IR_SEMAPHORE) return op->operands[k];
  return NULL;
}

static bool note_helper(void *user, ir_op *op) {
  helper_search *s = user;
  const ir_value *sync = sync_operand(op);
  const host_root *root = s->at->sync->root;
  if (!sync || op->code == IR_view || op->code == IR_wait || op->code == IR_test || op->code == IR_count) return true;
  if (ir_root_ref(sync)->def != root->made_by) return true;
  note(s->report, op->loc,
       str_format(&s->report->arena, "%s %.*s here", root->kind == IR_BARRIER ? "arrivals at" : "signals of",
                  STR_FMT(root->name)));
  return true;
}

/* Each place of waiting once, with the unit that came first, and where help could have come from. */
static loc note_waits(report *r) {
  const ir_op *seen[NOTES_MOST] = {0};
  loc first = {0};
  uint32_t count = 0;
  for (uint32_t p = 0; p < r->crew->places; p++)
    for (uint32_t i = 0; i < r->crew->cluster_units && count < NOTES_MOST / 2; i++) {
      const host_unit *unit = r->crew->place[p]->units[i];
      const ir_op *at = unit ? unit->member->waits_at : NULL;
      bool known = !at;
      for (uint32_t s = 0; s < count; s++) known = known || seen[s] == at;
      if (known) continue;
      seen[count++] = at;
      if (count == 1) first = at->loc;
      note(r, at->loc, describe_wait(r, unit));
      helper_search search = {r, &unit->member->waits_for};
      if (search.at->sync) ir_walk(r->crew->plan->kernel->body, note_helper, &search);
    }
  return first;
}

void crew_report_deadlock(crew *c) {
  report r = {.crew = c};
  arena_init(&r.arena, c->mem, 0);
  c->launch->stop = true;
  if (ARENA_GUARD(&r.arena, r.out)) {
    loc first = note_waits(&r);
    diag_extra extra = {.notes = r.notes, .note_count = r.note_count, .seed = c->plan->seed};
    if (c->next < c->end) extra.hint = "the memory limit left no room for the other clusters; raise it";
    diag_report_with(c->plan->context->diags, DIAG_deadlock, first, &extra, (unsigned long long)c->alive,
                     (unsigned long long)(c->plan->machine.count[CREW_THREAD]), STR_FMT(c->plan->kernel->name));
  }
  arena_finish(&r.arena);
}

/* ---- broken rules ---- */

/* Words of a fault: the element's name, the rule, and its counts. */
static void report_rule(report *r, diag_id id, loc at, const host_unit *unit, sync_result result, kiln_str name) {
  const kiln_str who = unit ? name_unit(r, unit) : (kiln_str){0};
  diag_extra extra = {.unit = who, .seed = r->crew->plan->seed};
  diag_report_with(r->crew->plan->context->diags, id, at, &extra, STR_FMT(name), sync_rule_text(result.rule),
                   (unsigned long long)result.have, (unsigned long long)result.want);
}

static diag_id fault_of(sync_rule rule) {
  const char *name = sync_rule_fault(rule);
  static const diag_id faults[] = {DIAG_over_arrival, DIAG_semaphore_leak, DIAG_divergent_barrier,
                                   DIAG_copy_not_awaited, DIAG_out_of_memory};
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
    if (strcmp(name, diag_name(faults[i])) == 0) return faults[i];
  return DIAG_over_arrival;
}

void crew_report_unawaited(crew *c, const host_unit *unit, sync_result result) {
  report r = {.crew = c};
  arena_init(&r.arena, c->mem, 0);
  c->launch->faulty = true;
  if (ARENA_GUARD(&r.arena, r.out))
    report_rule(&r, DIAG_copy_not_awaited, c->plan->kernel->loc, unit, result, STR("copy"));
  arena_finish(&r.arena);
}

bool crew_report_fault(crew *c, const host_unit *unit, sync_result result, const crew_element *at, const ir_op *op) {
  report r = {.crew = c};
  arena_init(&r.arena, c->mem, 0);
  c->launch->faulty = true;
  if (result.rule == SYNC_MEMORY) return launch_run_out(c->launch), false;
  if (ARENA_GUARD(&r.arena, r.out)) {
    text name = text_new(&r.arena);
    if (at) host_name_element(&name, c->plan, at->sync->root, at->index);
    report_rule(&r, fault_of(result.rule), op->loc, unit, result, text_str(&name));
  }
  arena_finish(&r.arena);
  return result.rule == SYNC_OVER_ARRIVAL || !unit;
}

/* ---- memory ---- */

static void report_sharing(crew *c, const host_unit *unit, const host_root *root, const char *words) {
  char who[256] = "";
  c->launch->faulty = true;
  if (unit) host_describe_unit(unit, who, sizeof who);
  diag_extra extra = {.unit = str_from(who), .seed = c->plan->seed};
  diag_report_with(c->plan->context->diags, DIAG_divergent_allocation, root->made_by->loc, &extra, STR_FMT(root->name),
                   words);
}

void crew_report_diverged(host_unit *unit, uint32_t root) {
  report_sharing(unit->member->crew, unit, &unit->plan->roots[root],
                 "another unit of those that share it asked for something else at this point");
}

void crew_report_unshared(crew *c) {
  uint32_t cursor = 0;
  for (const alloc_block *block; (block = alloc_each(c->heap, &cursor)) != NULL;) {
    const host_root *root = &c->plan->roots[block->site];
    if (block->sharers != UINT32_MAX) report_sharing(c, NULL, root, "some of the units that share it ended without it");
  }
}

void crew_report_outside(const host_unit *unit, uint32_t which, const ir_op *op) {
  crew *c = unit->member->crew;
  const host_root *root = &c->plan->roots[which];
  const host_box_info *whole = &c->plan->boxes[root->box];
  char who[256];
  report r = {.crew = c};
  arena_init(&r.arena, c->mem, 0);
  c->launch->stop = true;
  host_describe_unit(unit, who, sizeof who);
  if (ARENA_GUARD(&r.arena, r.out)) {
    text shape = text_new(&r.arena);
    for (uint32_t d = 0; d < whole->rank; d++) text_format(&shape, "%s%lld", d ? ", " : "[", (long long)whole->dims[d]);
    text_format(&shape, "]%c", '\0');
    diag_extra extra = {.unit = str_from(who), .seed = c->plan->seed};
    diag_report_with(c->plan->context->diags, DIAG_out_of_bounds, op->loc, &extra, ir_op_get(op->code)->text,
                     STR_FMT(root->name), "", shape.data);
  }
  arena_finish(&r.arena);
}

/* ---- races ---- */

/* "unit (g 0, c 1, t 0) warp 2" */
static void name_id(text *t, const crew *c, unit_id id) {
  const machine *m = &c->plan->machine;
  const unit_id thread = unit_above(m, id, CREW_THREAD);
  const bool any = host_name_places(t, c->plan, thread, HOST_PLACES_ALL, "unit (");
  text_format(t, "%s", any ? ")" : "the only unit");
  if (thread != id) text_format(t, " warp %u", unit_index(m, id));
}

/* "store by unit (t 0)" */
static kiln_str name_side(report *r, const race_side *side) {
  text t = text_new(&r->arena);
  text_format(&t, "%s by ", race_kind_text(side->kind));
  name_id(&t, r->crew, side->unit);
  return text_str(&t);
}

void crew_report_race(crew *c, const race_report *found) {
  report r = {.crew = c};
  arena_init(&r.arena, c->mem, 0);
  c->launch->faulty = true;
  if (ARENA_GUARD(&r.arena, r.out)) {
    const ir_op *first = found->first.site, *second = found->second.site;
    const host_root *root = found->tag;
    const kiln_str before = name_side(&r, &found->first), after = name_side(&r, &found->second);
    text place = text_new(&r.arena);
    host_name_element(&place, c->plan, root, found->element * root->grain / ir_dtype_bytes(root->dtype));
    note(&r, first->loc, str_format(&r.arena, "first: %.*s", STR_FMT(before)));
    diag_extra extra = {
        .notes = r.notes, .note_count = r.note_count, .seed = c->plan->seed, .hint = race_edge_text(found->edge)};
    diag_report_with(c->plan->context->diags, DIAG_race, second->loc, &extra, STR_FMT(text_str(&place)),
                     STR_FMT(before), STR_FMT(after));
  }
  arena_finish(&r.arena);
}
