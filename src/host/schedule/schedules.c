/* All schedules of a plan: the search of explore.c over launches of the plan. Reports are collected aside, for the same
 * fault shows in many schedules; what is found is then made short and shown once. */
#include <string.h>

#include "host/crew/crew.h"
#include "host/schedule/explore.h"
#include "host/schedule/guide.h"
#include "pass/roles/sync_data.h"

enum {
  FOUND_MOST = 8,      /* different faults */
  STEPS_MOST = 4096,   /* of a schedule that is searched */
  SHRINK_MOST = 500,   /* runs to make one short */
  STATEMENT_MOST = 100 /* characters of it that are shown */
};

/* A fault is the same where its name and place are. */
typedef struct found {
  const char *name;
  uint32_t line, column;
  guide guide;
} found;

typedef struct exploring {
  kiln_host_plan *plan;
  const kiln_array *arrays;
  size_t array_count;
  uint8_t **saved; /* what in-out and output arrays held */
  found found[FOUND_MOST];
  uint32_t found_count;
  const found *wanted; /* while it is made short */
  kiln_result result;  /* of the last launch */
} exploring;

/* ---- launches ---- */

static void restore_arrays(const exploring *e) {
  for (size_t p = 0; p < e->array_count; p++)
    if (e->saved[p]) memcpy(e->arrays[p].data, e->saved[p], e->arrays[p].size);
}

static void free_arrays(exploring *e) {
  const mem m = e->plan->context->mem;
  for (size_t p = 0; e->saved && p < e->array_count; p++) mem_free(m, e->saved[p], e->arrays[p].size);
  mem_free(m, e->saved, e->array_count * sizeof *e->saved);
}

static bool save_arrays(exploring *e) {
  const mem m = e->plan->context->mem;
  e->saved = mem_calloc(m, e->array_count, sizeof *e->saved);
  for (size_t p = 0; e->saved && p < e->array_count; p++) {
    const kiln_array *array = &e->arrays[p];
    if (e->plan->kernel->params[p].direction == KILN_IN || array->size == 0) continue;
    if (!(e->saved[p] = mem_alloc(m, array->size))) return false;
    memcpy(e->saved[p], array->data, array->size);
  }
  return e->saved;
}

static bool launch_by(void *user, const chooser *by) {
  exploring *e = user;
  restore_arrays(e);
  e->plan->by = by;
  e->result = kiln_host_launch(e->plan, e->arrays, e->array_count);
  e->plan->by = NULL;
  return e->result == KILN_OK || e->result == KILN_ERROR_FAULT;
}

static bool launch_aside(void *user, const chooser *by) {
  diag_sink_clear(((exploring *)user)->plan->context->diags);
  return launch_by(user, by);
}

/* ---- faults ---- */

static bool is_that(const found *f, const kiln_diag *diag) {
  const kiln_place none = {0}, *place = diag->place_count > 0 ? &diag->places[0] : &none;
  return strcmp(f->name, diag->name) == 0 && f->line == place->line && f->column == place->column;
}

static bool is_reported(const diag_sink *diags, size_t first, const found *f) {
  for (size_t i = first; i < diag_sink_count(diags); i++)
    if (is_that(f, diag_sink_get(diags, i))) return true;
  return false;
}

static bool note_fault(exploring *e, const kiln_diag *diag, const choice_who *choices, uint32_t count) {
  for (uint32_t i = 0; i < e->found_count; i++)
    if (is_that(&e->found[i], diag)) return true;
  if (e->found_count == FOUND_MOST) return true;
  found *f = &e->found[e->found_count++];
  *f = (found){.name = diag->name, .guide = {.mem = e->plan->context->mem}};
  if (diag->place_count > 0) f->line = diag->places[0].line, f->column = diag->places[0].column;
  return guide_copy(&f->guide, choices, count);
}

static bool note_faults(void *user, const choice_who *choices, uint32_t count) {
  exploring *e = user;
  const diag_sink *diags = e->plan->context->diags;
  for (size_t i = 0; i < diag_sink_count(diags); i++) {
    const kiln_diag *diag = diag_sink_get(diags, i);
    if (diag->severity == KILN_FAULT && !note_fault(e, diag, choices, count)) return false;
  }
  return true;
}

static bool shows_wanted(void *user, const guide *g) {
  exploring *e = user;
  follower f = follower_of(e->plan->context->mem, g);
  const chooser by = follower_chooser(&f);
  const bool ran = launch_aside(e, &by) && !f.failed;
  guide_free(&f.made);
  return ran && is_reported(e->plan->context->diags, 0, e->wanted);
}

/* ---- what is told ---- */

/* To the end of its line, or of the braces around it. */
static size_t statement_size(const char *from, size_t most) {
  size_t size = 0, open = 0;
  for (; size < most && from[size] != '\n'; size++) {
    if (from[size] == '{') open++;
    if (from[size] == '}' && open-- == 0) break;
  }
  while (size > 0 && from[size - 1] == ' ') size--;
  return size;
}

static kiln_str statement_of(arena *a, loc at) {
  if (!at.source) return STR("(its end)");
  const kiln_str all = at.source->text;
  const char *from = all.data + at.offset;
  const size_t left = all.size - at.offset;
  return str_copy(a, (kiln_str){from, statement_size(from, left < STATEMENT_MOST ? left : STATEMENT_MOST)});
}

static kiln_str name_who(const kiln_host_plan *plan, arena *a, choice_who who) {
  text t = text_new(a);
  if (who & CHOICE_LANE) {
    text_format(&t, "tensor cores of cluster %u", unit_ordinal(&plan->machine, (unit_id)who));
    return text_str(&t);
  }
  if (who & CHOICE_TASK) text_format(&t, "copy or product of ");
  host_name_unit(&t, plan, (unit_id)(who & CHOICE_TASK ? who >> 24 : who));
  return text_str(&t);
}

static kiln_str say_touches(arena *a, const choice_step *step) {
  static const char *const words[] = {
#define CHOICE(id, words) words,
#include "host/schedule/choice.def"
  };
  text t = text_new(a);
  choice_kind last = CHOICE_KINDS;
  for (uint32_t i = 0; i < step->count; i++) {
    const choice_kind kind = step->touches[i].kind;
    if (kind >= CHOICE_QUEUE || kind == last) continue;
    text_format(&t, "%s%s", t.size > 0 ? ", " : "", words[kind]);
    last = kind;
  }
  return text_str(&t);
}

typedef struct telling {
  const kiln_host_plan *plan;
  arena *arena;
  VEC(kiln_step) steps;
  bool failed; /* memory is out */
} telling;

static void add_step(telling *t, const choice_step *step) {
  const ir_op *op = step->site;
  const loc at = op ? op->loc : (loc){0};
  kiln_step told = {.who = name_who(t->plan, t->arena, step->who), .does = say_touches(t->arena, step)};
  told.place = loc_place(at, statement_of(t->arena, at));
  VEC_PUSH(t->arena, &t->steps, told);
}

/* The run holds memory of its own: it is not to be left when there is no more. */
static void tell_step(void *user, const choice_step *step) {
  telling *t = user;
  jmp_buf out_of_memory;
  if (t->failed) return;
  if (ARENA_GUARD(t->arena, out_of_memory))
    add_step(t, step);
  else
    t->failed = true;
}

static bool tell_schedule(const follower *f, const telling *t, kiln_schedule *out) {
  jmp_buf out_of_memory;
  guide shown = f->made;
  if (!ARENA_GUARD(t->arena, out_of_memory)) return false;
  if (shown.count > f->faulty_at) shown.count = f->faulty_at;
  text choices = text_new(t->arena);
  guide_print(&shown, &choices);
  *out = (kiln_schedule){.choices = text_str(&choices),
                         .steps = t->steps.data,
                         .step_count = t->steps.count,
                         .switches = guide_switches(&shown)};
  return true;
}

/* One run by a guide, told of. False when memory is out. */
static bool show(exploring *e, const guide *g, kiln_schedule *out) {
  telling t = {.plan = e->plan, .arena = &e->plan->explored};
  follower f = follower_of(e->plan->context->mem, g);
  f.user = &t;
  f.each = tell_step;
  const chooser by = follower_chooser(&f);
  const bool told = launch_by(e, &by) && !t.failed && !f.failed && tell_schedule(&f, &t, out);
  guide_free(&f.made);
  return told;
}

/* ---- the calls ---- */

static kiln_schedule *room_for_found(arena *a) {
  jmp_buf out_of_memory;
  return ARENA_GUARD(a, out_of_memory) ? ARENA_ARRAY(a, kiln_schedule, FOUND_MOST) : NULL;
}

/* Every fault once, from a run that may show several of them. */
static bool report_found(exploring *e, kiln_exploration *out) {
  const diag_sink *diags = e->plan->context->diags;
  const size_t first = diag_sink_count(diags);
  kiln_schedule *schedules = room_for_found(&e->plan->explored);
  if (!schedules) return false;
  out->found = schedules;
  for (uint32_t i = 0; i < e->found_count; i++) {
    if (is_reported(diags, first, &e->found[i])) continue;
    if (!show(e, &e->found[i].guide, &schedules[out->found_count])) return false;
    schedules[out->found_count++].fault = e->found[i].name;
  }
  return true;
}

/* With reports put aside. */
static bool search(exploring *e, uint64_t limit, kiln_exploration *out) {
  const explore_desc desc = {.mem = e->plan->context->mem,
                             .limit = limit,
                             .longest = e->plan->longest_schedule ? e->plan->longest_schedule : STEPS_MOST,
                             .user = e,
                             .run = launch_aside,
                             .ended = note_faults};
  const explore_result result = explore(&desc);
  *out = (kiln_exploration){.schedules = result.schedules,
                            .open = result.open,
                            .longest = result.too_long ? desc.longest : result.longest,
                            .complete = result.complete,
                            .too_long = result.too_long};
  for (uint32_t i = 0; i < 2 && result.either[0] && result.either[1]; i++)
    out->either[i] = loc_place(((const ir_op *)result.either[i])->loc, (kiln_str){0});
  bool known;
  const ir_op *on_data = pass_sync_on_data(e->plan->kernel, e->plan->context->mem, &known);
  if (on_data) out->on_data = loc_place(on_data->loc, (kiln_str){0});
  bool fine = !result.failed && known;
  for (uint32_t i = 0; fine && i < e->found_count; i++) {
    e->wanted = &e->found[i];
    fine = guide_shrink(&e->found[i].guide, shows_wanted, e, SHRINK_MOST);
  }
  return fine;
}

static bool search_aside(exploring *e, uint64_t limit, kiln_exploration *out) {
  kiln_context *context = e->plan->context;
  diag_sink *shown = context->diags;
  context->diags = diag_sink_create(context->mem, NULL, NULL);
  const bool fine = context->diags && search(e, limit, out);
  diag_sink_destroy(context->diags);
  context->diags = shown;
  return fine;
}

static kiln_result out_of_memory(const kiln_host_plan *plan) {
  diag_report(plan->context->diags, DIAG_out_of_memory, (loc){0});
  return KILN_ERROR_MEMORY;
}

kiln_result kiln_host_explore(kiln_host_plan *plan, const kiln_array *arrays, size_t array_count, uint64_t limit,
                              kiln_exploration *out) {
  exploring e = {.plan = plan, .arrays = arrays, .array_count = array_count};
  *out = (kiln_exploration){.schedules = 1};
  arena_finish(&plan->explored);
  if (!plan->crew || !plan->check || array_count != plan->kernel->param_count)
    return kiln_host_launch(plan, arrays, array_count);
  bool fine = save_arrays(&e) && search_aside(&e, limit, out) && report_found(&e, out);
  for (uint32_t i = 0; i < e.found_count; i++) guide_free(&e.found[i].guide);
  free_arrays(&e);
  if (!fine) return e.result == KILN_OK || e.result == KILN_ERROR_FAULT ? out_of_memory(plan) : e.result;
  return e.found_count > 0 ? KILN_ERROR_FAULT : KILN_OK;
}

kiln_result kiln_host_replay(kiln_host_plan *plan, const kiln_array *arrays, size_t array_count, kiln_str choices,
                             kiln_schedule *out) {
  exploring e = {.plan = plan, .arrays = arrays, .array_count = array_count};
  guide g = {.mem = plan->context->mem};
  *out = (kiln_schedule){0};
  const size_t first = diag_sink_count(plan->context->diags);
  kiln_result result = guide_parse(&g, choices) ? KILN_OK : g.failed ? out_of_memory(plan) : KILN_ERROR_INVALID;
  arena_finish(&plan->explored); /* where `choices` may be */
  if (result == KILN_OK) result = save_arrays(&e) && show(&e, &g, out) ? e.result : out_of_memory(plan);
  for (size_t i = first; i < diag_sink_count(plan->context->diags) && !out->fault; i++)
    if (diag_sink_get(plan->context->diags, i)->severity == KILN_FAULT)
      out->fault = diag_sink_get(plan->context->diags, i)->name;
  guide_free(&g);
  free_arrays(&e);
  return result;
}
