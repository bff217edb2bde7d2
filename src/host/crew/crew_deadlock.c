/* The report of a deadlock: who waits for what, who could still have helped, and who has ended. */
#include "host/crew/crew_report.h"
#include "ir/text/say.h"

enum { WAITS_MOST = 4 }; /* places of waiting that are told of */

/* Visits the units that are left or have ended in clusters that are not done; parts instead of whom they are parts of
 * come first. */
typedef void visit_unit(void *user, const host_unit *unit);

static void visit(const host_unit *unit, visit_unit *fn, void *user) {
  const crew_member *member = unit->member;
  for (uint32_t i = 0; member->split && i < member->part_count; i++) visit(member->parts[i], fn, user);
  fn(user, unit);
}

static void visit_cluster(const crew *c, const crew_cluster *place, visit_unit *fn, void *user) {
  for (uint32_t i = 0; place->left > 0 && i < c->cluster_units; i++) visit(place->units[i], fn, user);
}

static void visit_all(const crew *c, visit_unit *fn, void *user) {
  for (uint32_t p = 0; p < c->places; p++) visit_cluster(c, c->place[p], fn, user);
}

/* ---- who could have helped ---- */

typedef struct helpers {
  const ir_op *op; /* that gives what is waited for */
  const host_unit *could, *ended;
  uint32_t could_count, ended_count;
} helpers;

static void count_helper(void *user, const host_unit *unit) {
  helpers *h = user;
  if (crew_may_reach(unit, h->op)) {
    if (h->could_count++ == 0) h->could = unit;
  } else if (!unit->member->waits_at) {
    if (h->ended_count++ == 0) h->ended = unit;
  }
}

typedef struct search {
  report *report;
  const host_unit *waiter;
  uint32_t found;
} search;

static const ir_value *sync_operand(const ir_op *op) {
  for (uint32_t k = 0; k < op->operand_count; k++)
    if (op->operands[k]->type.kind == IR_BARRIER || op->operands[k]->type.kind == IR_SEMAPHORE) return op->operands[k];
  return NULL;
}

/* Whether the op gives what units wait for at that root. */
static bool gives(const ir_op *op, const host_root *root) {
  const ir_value *sync = sync_operand(op);
  const bool asks =
      op->code == IR_view || op->code == IR_peer || op->code == IR_wait || op->code == IR_test || op->code == IR_count;
  return sync && !asks && ir_root_ref(sync)->def == root->made_by;
}

static const char *verb_of(const ir_op *op) {
  switch (op->code) {
    case IR_arrive: return "arrive at";
    case IR_signal: return "signal";
    case IR_copy: return "start a copy that arrives at";
    case IR_claim: return "make a claim that arrives at";
    case IR_mma: return "start a product that arrives at";
    default: return "commit products that arrive at";
  }
}

static kiln_str describe_helpers(report *r, const helpers *h, kiln_str name) {
  text t = text_new(&r->arena);
  if (h->could_count > 0) {
    text_add(&t, report_id(r, h->could->id));
    if (h->could_count > 1) text_format(&t, " and %u more", h->could_count - 1);
    text_format(&t, " could still %s %.*s, but %s", verb_of(h->op), STR_FMT(name),
                h->could_count > 1 ? "wait themselves" : "waits itself");
    return text_str(&t);
  }
  text_format(&t, "nobody will %s %.*s any more", verb_of(h->op), STR_FMT(name));
  if (h->ended_count == 0) return text_str(&t);
  text_format(&t, ": %.*s", STR_FMT(report_id(r, h->ended->id)));
  if (h->ended_count > 1) text_format(&t, " and %u more", h->ended_count - 1);
  text_format(&t, " ended");
  return text_str(&t);
}

/* A count in global memory is; all else is the cluster's. */
static bool is_anybodys(const host_root *root) { return space_info_of(root->space)->storage == SPACE_BUFFER; }

static bool note_helper(void *user, ir_op *op) {
  search *s = user;
  const crew *c = s->report->crew;
  const host_root *root = s->waiter->member->waits_for.sync->root;
  helpers h = {.op = op};
  if (!gives(op, root)) return true;
  s->found++;
  if (is_anybodys(root))
    visit_all(c, count_helper, &h);
  else
    visit_cluster(c, s->waiter->member->cluster, count_helper, &h);
  report_note(s->report, op->loc, describe_helpers(s->report, &h, root->name));
  return true;
}

static void note_helpers(report *r, const host_unit *waiter) {
  search s = {.report = r, .waiter = waiter};
  const crew_sync *sync = waiter->member->waits_for.sync;
  if (!sync) return;
  ir_walk(r->crew->plan->kernel->body, note_helper, &s);
  if (s.found > 0) return;
  const char *what = sync->root->kind == IR_BARRIER ? "arrives at" : "signals";
  report_note(r, sync->root->made_by->loc,
              str_format(&r->arena, "nothing in the kernel %s %.*s", what, STR_FMT(sync->root->name)));
}

/* ---- who waits ---- */

typedef struct waits {
  report *report;
  const ir_op *at[WAITS_MOST];
  const host_unit *first[WAITS_MOST];
  uint32_t units[WAITS_MOST];
  uint32_t count, untold; /* untold: units at other places */
} waits;

static void count_wait(void *user, const host_unit *unit) {
  waits *w = user;
  uint32_t i = 0;
  if (!unit->member->waits_at || unit->member->split) return; /* its parts are who waits */
  while (i < w->count && w->at[i] != unit->member->waits_at) i++;
  if (i == WAITS_MOST) {
    w->untold++;
    return;
  }
  if (i == w->count) w->count++;
  w->at[i] = unit->member->waits_at;
  if (w->units[i]++ == 0) w->first[i] = unit;
}

/* "block 0 unit (t 1) and 2 more wait for full[0, 1]: phase 2 has 0 of 1 arrivals" */
static kiln_str describe_wait(report *r, const host_unit *unit, uint32_t units) {
  const crew_element *at = &unit->member->waits_for;
  text t = text_new(&r->arena);
  text_add(&t, report_unit(r, unit));
  if (units > 1) text_format(&t, " and %u more here", units - 1);
  text_format(&t, units > 1 ? " wait for " : " waits for ");
  if (!at->sync) {
    text_add(&t, STR("the memory of another unit, which has none"));
    return text_str(&t);
  }
  host_name_element(&t, r->crew->plan, at->sync->root, at->index);
  if (at->sync->root->kind == IR_BARRIER) {
    const barrier *b = crew_barrier(at);
    ir_say_wait(&t, IR_BARRIER, b->phase, b->arrived, b->expected);
  } else {
    const host_crew_op *what = r->crew->plan->code[unit->pc].detail;
    const int32_t amount = (int32_t)host_cell(unit, what->amount);
    ir_say_wait(&t, IR_SEMAPHORE, 0, semaphore_read(crew_semaphore(at)), (uint32_t)amount);
  }
  return text_str(&t);
}

/* Each place of waiting once, with the unit that came first, and where help could have come from. */
static loc note_waits(report *r) {
  waits w = {.report = r};
  visit_all(r->crew, count_wait, &w);
  for (uint32_t i = 0; i < w.count; i++) {
    report_note(r, w.at[i]->loc, describe_wait(r, w.first[i], w.units[i]));
    note_helpers(r, w.first[i]);
  }
  if (w.untold > 0) report_note(r, (loc){0}, str_format(&r->arena, "%u more units wait elsewhere", w.untold));
  return w.count > 0 ? w.at[0]->loc : r->crew->plan->kernel->loc;
}

/* Whether it waits for what clusters that have not begun may give. */
static void look_outside(void *user, const host_unit *unit) {
  const crew_sync *sync = unit->member->waits_at ? unit->member->waits_for.sync : NULL;
  bool *outside = user;
  *outside = *outside || (sync && is_anybodys(sync->root));
}

void crew_report_deadlock(crew *c) {
  bool outside = false;
  if (c->next < c->end) visit_all(c, look_outside, &outside);
  if (outside && c->resident == 0) {
    launch_pass_limit(
        c->launch, c->plan->kernel->loc,
        "all clusters that there is room for wait for others, which must run beside them: raise the limit "
        "(--memory, memory_limit of kiln_host_desc)");
    return;
  }
  report r = {.crew = c};
  arena_init(&r.arena, c->mem, 0);
  c->launch->stop = true;
  if (ARENA_GUARD(&r.arena, r.out)) {
    loc first = note_waits(&r);
    if (outside)
      report_note(&r, c->plan->kernel->loc,
                  str_format(&r.arena, "%llu clusters have not started: no more than %u are resident at a time",
                             (unsigned long long)(c->end - c->next), c->resident));
    diag_extra extra = {.notes = r.notes, .note_count = r.note_count, .seed = c->plan->seed};
    diag_report_with(c->plan->context->diags, DIAG_deadlock, first, &extra, (unsigned long long)c->alive,
                     (unsigned long long)(c->plan->machine.count[DEPTH_GPU_THREAD]), STR_FMT(c->plan->kernel->name));
  }
  arena_finish(&r.arena);
}
