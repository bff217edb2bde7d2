/* What went wrong in a crew: races, broken rules of barriers and semaphores, and
 * memory that its sharers do not agree on. */

#include "host/crew/crew_report.h"

void report_note(report *r, loc at, kiln_str words) {
  if (r->note_count + 2 > NOTES_MOST) return;
  r->notes[r->note_count++] = loc_place(at, words);
  if (loc_origin(at)) r->notes[r->note_count++] = loc_own_place(at, STR("in the kernel text"));
}

kiln_str report_unit(report *r, const host_unit *unit) {
  char words[256];
  host_describe_unit(unit, words, sizeof words);
  return str_copy(&r->arena, str_from(words));
}

kiln_str report_id(report *r, unit_id id) {
  text t = text_new(&r->arena);
  host_name_unit(&t, r->crew->plan, id);
  return text_str(&t);
}

/* ---- broken rules ---- */

/* Words of a fault: the element's name, the rule, and its counts. `hint` NULL: the row's. */
static void report_rule(report *r, diag_id id, loc at, const host_unit *unit, sync_result result, kiln_str name,
                        const char *hint) {
  const kiln_str who = unit ? report_unit(r, unit) : (kiln_str){0};
  diag_extra extra = {.unit = who, .seed = r->crew->plan->seed, .hint = hint};
  diag_report_with(r->crew->plan->context->diags, id, at, &extra, STR_FMT(name), sync_rule_text(result.rule),
                   (unsigned long long)result.have, (unsigned long long)result.want);
}

void crew_report_unawaited(crew *c, const host_unit *unit, sync_result result, const ir_op *op, crew_queue_id queue) {
  report r = {.crew = c};
  arena_init(&r.arena, c->mem, 0);
  c->launch->faulty = true;
  if (ARENA_GUARD(&r.arena, r.out)) {
    const kiln_str from = ir_root_ref(op->operands[0])->name, to = ir_root_ref(op->operands[1])->name;
    const kiln_str name = str_format(&r.arena, "copy %.*s -> %.*s", STR_FMT(from), STR_FMT(to));
    report_rule(&r, DIAG_copy_not_awaited, op->loc, unit, result, name,
                queue == CREW_LOADS
                    ? "`await loads 0` before the unit ends"
                    : "`await copies 0` before the unit ends, or `await copies 0 sources` if nobody reads "
                      "the destination");
  }
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
    report_rule(&r, sync_rule_diag(result.rule), op->loc, unit, result, text_str(&name), NULL);
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

void crew_report_left(const host_unit *unit, uint32_t which, const ir_op *op) {
  crew *c = unit->member->crew;
  const host_root *root = &c->plan->roots[which];
  char who[256];
  host_describe_unit(unit, who, sizeof who);
  const diag_extra extra = {.unit = str_from(who), .seed = c->plan->seed};
  c->launch->stop = true;
  diag_report_with(c->plan->context->diags, DIAG_peer_ended, op->loc, &extra, STR_FMT(root->name));
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
    ir_say_shape(&shape, whole->rank, whole->dims);
    text_char(&shape, '\0');
    diag_extra extra = {.unit = str_from(who), .seed = c->plan->seed};
    diag_report_with(c->plan->context->diags, DIAG_out_of_bounds, op->loc, &extra, ir_op_get(op->code)->text,
                     STR_FMT(root->name), "", shape.data);
  }
  arena_finish(&r.arena);
}

/* ---- races ---- */

/* "store by unit (t 0)" */
static kiln_str name_side(report *r, const race_side *side) {
  text t = text_new(&r->arena);
  text_format(&t, "%s by %.*s", race_kind_text(side->kind), STR_FMT(report_id(r, side->unit)));
  return text_str(&t);
}

/* "first: store by unit (t 0) at its clock 3, of which unit (t 1) has heard up to 2" */
static kiln_str describe_first(report *r, const race_report *found, kiln_str side) {
  text t = text_new(&r->arena);
  text_format(&t, "first: %.*s", STR_FMT(side));
  if (found->heard == RACE_UNHEARD) return text_str(&t);
  text_format(&t, " at its clock %u, of which %.*s has heard up to %u", found->clock,
              STR_FMT(report_id(r, found->second.unit)), found->heard);
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
    report_note(&r, first->loc, describe_first(&r, found, before));
    diag_extra extra = {
        .notes = r.notes, .note_count = r.note_count, .seed = c->plan->seed, .hint = race_edge_text(found->edge)};
    diag_report_with(c->plan->context->diags, DIAG_race, second->loc, &extra, STR_FMT(text_str(&place)),
                     STR_FMT(before), STR_FMT(after));
  }
  arena_finish(&r.arena);
}
