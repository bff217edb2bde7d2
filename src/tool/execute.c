/* Runs on the host executor. */
#include "tool/execute.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/thread.h"
#include "kiln/host.h"
#include "tool/pictures.h"
#include "tool/progress.h"

double milliseconds_since(uint64_t start_ns) { return (double)(clock_ns() - start_ns) * 1e-6; }

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double median(double *values, size_t count) {
  qsort(values, count, sizeof *values, by_size);
  return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Timed runs work on arrays of their own: what is read and written must not go on changing. */
static kiln_result time_host(job *j, kiln_host_plan *plan, uint32_t repeats, progress *line, double *ms) {
  kiln_array *arrays = job_copy_arrays(j);
  if (!arrays) return KILN_ERROR_MEMORY;
  double *times = ARENA_ARRAY(&j->tool->arena, double, repeats);
  kiln_result result = KILN_OK;
  for (uint32_t i = 0; i < repeats && result == KILN_OK; i++) {
    progress_part(line, i + 1, repeats + 1);
    uint64_t start = clock_ns();
    result = kiln_host_launch(plan, arrays, j->count);
    times[i] = milliseconds_since(start);
    progress_show(line, 1);
  }
  job_free_arrays(j, arrays);
  if (result == KILN_OK) *ms = median(times, repeats);
  return result;
}

bool execute_read_order(tool *t, run_wish *wish) {
  static const char *const orders[] = {
#define SCHED_ORDER(id, name, doc) [KILN_ORDER_##id] = name,
#include "host/schedule/sched.def"
  };
  return args_choice(t, "--schedule", orders, sizeof orders / sizeof *orders, &wish->order);
}

bool execute_read_room(tool *t, run_wish *wish) {
  return args_number(t, "--memory", 1, UINT32_MAX, 0, &wish->memory) &&
         args_number(t, "--resident", 1, UINT32_MAX, 0, &wish->resident);
}

/* Where JSON is asked for, standard output is for that alone. */
void execute_print(void *user, const char *line, size_t size) {
  const tool *t = user;
  if (args_has(t, "--json"))
    fwrite(line, 1, size, stderr);
  else
    tool_print((kiln_str){line, size});
}

static kiln_result prepare(job *j, const run_wish *wish, progress *line, kiln_array *arrays, kiln_host_plan **out) {
  const subject *s = &j->subject;
  kiln_host_desc desc = {.sizes = s->sizes,
                         .size_count = s->size_count,
                         .check = wish->check,
                         .seed = wish->seed,
                         .memory_limit = wish->memory << 20,
                         .order = (kiln_order)wish->order,
                         .timing = (kiln_timing)wish->timing,
                         .resident = (uint32_t)wish->resident,
                         .longest_schedule = (uint32_t)wish->longest,
                         .progress = progress_show,
                         .progress_user = line,
                         .print = execute_print,
                         .print_user = j->tool};
  return kiln_host_prepare(j->tool->context, s->kernel, &desc, arrays, j->count, out);
}

kiln_result execute_host(job *j, const run_wish *wish, kiln_array *arrays, outcome *o) {
  progress line = progress_start(wish->check ? "checking on the host" : "running on the host");
  kiln_host_plan *plan;
  kiln_result result = prepare(j, wish, &line, arrays, &plan);
  if (result != KILN_OK) return result;
  progress_part(&line, 0, wish->repeats + 1);
  if (wish->pictures) host_trace_attach(plan, wish->pictures->trace);
  uint64_t start = clock_ns();
  result = kiln_host_launch(plan, arrays, j->count);
  o->ms = milliseconds_since(start);
  if (result == KILN_OK && wish->repeats > 0) result = time_host(j, plan, wish->repeats, &line, &o->ms);
  o->usage = kiln_host_plan_usage(plan);
  progress_end(&line);
  if (wish->pictures) result = pictures_keep(wish->pictures, result);
  kiln_host_plan_destroy(plan);
  return result;
}

/* ---- schedules ---- */

static kiln_schedule copy_schedule(arena *a, const kiln_schedule *from) {
  kiln_schedule copy = *from;
  kiln_step *steps = ARENA_ARRAY(a, kiln_step, from->step_count);
  copy.choices = str_copy(a, from->choices);
  for (size_t i = 0; i < from->step_count; i++) {
    steps[i] = from->steps[i];
    steps[i].who = str_copy(a, from->steps[i].who);
    steps[i].does = str_copy(a, from->steps[i].does);
    steps[i].place.label = str_copy(a, from->steps[i].place.label);
  }
  copy.steps = steps;
  return copy;
}

static void copy_found(arena *a, const kiln_exploration *from, kiln_exploration *out) {
  kiln_schedule *found = ARENA_ARRAY(a, kiln_schedule, from->found_count);
  for (size_t i = 0; i < from->found_count; i++) found[i] = copy_schedule(a, &from->found[i]);
  *out = *from;
  out->found = found;
}

static kiln_result run_schedules(job *j, kiln_host_plan *plan, uint64_t limit, const char *choices, kiln_array *arrays,
                                 kiln_exploration *out) {
  kiln_exploration told = {.schedules = 1};
  kiln_schedule one;
  kiln_result result;
  if (choices) {
    result = kiln_host_replay(plan, arrays, j->count, str_from(choices), &one);
    told.found = &one;
    told.found_count = 1;
  } else {
    result = kiln_host_explore(plan, arrays, j->count, limit, &told);
  }
  copy_found(&j->tool->arena, &told, out);
  return result;
}

/* On arrays as they were: what is run has written to its own. */
static kiln_result draw_schedule(job *j, kiln_host_plan *plan, pictures *p, const kiln_array *arrays,
                                 const kiln_exploration *found, kiln_result result) {
  if (result != KILN_OK && result != KILN_ERROR_FAULT) return result;
  j->tool->held = true;
  host_trace_explored(p->trace, plan, arrays, j->count, found);
  j->tool->held = false;
  return pictures_keep(p, result);
}

static kiln_result execute_schedules(job *j, const run_wish *wish, uint64_t limit, const char *choices,
                                     kiln_array *arrays, outcome *o, kiln_exploration *out) {
  progress line = progress_start("checking schedules on the host");
  kiln_host_plan *plan;
  kiln_result result = prepare(j, wish, &line, arrays, &plan);
  if (result != KILN_OK) return result;
  kiln_array *before = wish->pictures ? job_copy_arrays(j) : NULL;
  const uint64_t start = clock_ns();
  result = wish->pictures && !before ? KILN_ERROR_MEMORY : run_schedules(j, plan, limit, choices, arrays, out);
  o->ms = milliseconds_since(start);
  o->usage = kiln_host_plan_usage(plan);
  progress_end(&line);
  if (wish->pictures) result = draw_schedule(j, plan, wish->pictures, before, out, result);
  job_free_arrays(j, before);
  kiln_host_plan_destroy(plan);
  return result;
}

kiln_result execute_explore(job *j, const run_wish *wish, uint64_t limit, kiln_array *arrays, outcome *o,
                            kiln_exploration *out) {
  return execute_schedules(j, wish, limit, NULL, arrays, o, out);
}

kiln_result execute_replay(job *j, const run_wish *wish, const char *choices, kiln_array *arrays, outcome *o,
                           kiln_exploration *out) {
  return execute_schedules(j, wish, 0, choices, arrays, o, out);
}
