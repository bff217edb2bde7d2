/* Reports of runs. */
#include "tool/report.h"

#include <stdio.h>

#include "base/json.h"
#include "tool/output.h"

static bool is_output(const job *j, size_t index) { return j->arguments[index].param.direction != KILN_IN; }

static bool ran(const report *r) { return r->outcome_count > 0 && r->outcomes[0].result == KILN_OK; }

static void add_difference(table *t, const report *r, const outcome *o, size_t index) {
  const difference *d = &o->differences[index];
  table_cell(t, "%.*s", STR_FMT(r->job->arguments[index].param.name));
  table_cell(t, "%.3g", d->largest);
  table_cell(t, "%.3g", d->allowed);
  table_cell(t, "%llu", (unsigned long long)d->largest_ulp);
  table_cell(t, "%s", d->beyond > 0 ? "DISAGREES" : "agrees");
}

static void add_plain(table *t, const outcome *o) {
  for (size_t i = 0; i < 4; i++) table_cell(t, "-");
  if (o->skipped.size > 0)
    table_cell(t, "skipped: %.*s", STR_FMT(o->skipped));
  else
    table_cell(t, "%s", o->result == KILN_OK ? "reference" : kiln_result_name(o->result));
}

/* Device and time stand in the first of an outcome's rows. */
static void add_outcome(table *t, const report *r, const outcome *o) {
  bool first = true;
  for (size_t i = 0; i < r->job->count; i++) {
    if (o->differences && !is_output(r->job, i)) continue;
    table_cell(t, "%.*s", first ? (int)o->device.size : 0, o->device.data);
    table_cell(t, "%s", first && o->result == KILN_OK ? str_format(t->arena, "%.3f", o->ms).data : "");
    if (o->differences)
      add_difference(t, r, o, i);
    else
      add_plain(t, o);
    first = false;
    if (!o->differences) break;
  }
}

static void print_comparison(const report *r) {
  static const char *const titles[] = {"device", ">ms", "output", ">largest error", ">allowed", ">ulp", "verdict"};
  table t = TABLE_NEW(&r->job->tool->arena, titles);
  for (size_t i = 0; i < r->outcome_count; i++) add_outcome(&t, r, &r->outcomes[i]);
  tool_print_table(&t);
}

void report_print(const report *r) {
  if (r->outcome_count > 1)
    print_comparison(r);
  else if (ran(r))
    printf("%.*s on %.*s: %.3f ms\n", STR_FMT(r->job->subject.kernel->name), STR_FMT(r->outcomes[0].device), r->ms);
  for (size_t i = 0; ran(r) && i < r->job->count; i++)
    if (is_output(r->job, i)) output_print(r->job->tool, &r->job->arguments[i], &r->job->arrays[i]);
}

/* ---- JSON ---- */

static void add_diag(json *j, const kiln_diag *diag) {
  json_object(j, NULL);
  json_u64(j, "code", diag->code);
  json_text(j, "name", diag->name);
  json_str(j, "message", diag->message);
  json_array(j, "places");
  for (size_t i = 0; i < diag->place_count; i++) {
    json_object(j, NULL);
    json_str(j, "file", diag->places[i].file);
    json_u64(j, "line", diag->places[i].line);
    json_u64(j, "column", diag->places[i].column);
    json_object_end(j);
  }
  json_array_end(j);
  json_str(j, "unit", diag->unit);
  json_u64(j, "seed", diag->seed);
  json_object_end(j);
}

/* The context's diagnostics of one kind: faults of the kernel, or errors of everything else. */
static void add_diags(json *j, const char *key, kiln_context *context, kiln_severity severity) {
  json_array(j, key);
  for (size_t i = 0; i < kiln_diag_count(context); i++)
    if (kiln_diag_get(context, i)->severity == severity) add_diag(j, kiln_diag_get(context, i));
  json_array_end(j);
}

static void add_differences(json *j, const report *r, const outcome *o) {
  json_object(j, "differences");
  for (size_t i = 0; o->differences && i < r->job->count; i++) {
    if (!is_output(r->job, i)) continue;
    json_object(j, str_format(&r->job->tool->arena, "%.*s", STR_FMT(r->job->arguments[i].param.name)).data);
    json_f64(j, "largest", o->differences[i].largest);
    json_f64(j, "allowed", o->differences[i].allowed);
    json_u64(j, "ulp", o->differences[i].largest_ulp);
    json_bool(j, "agrees", o->differences[i].beyond == 0);
    json_object_end(j);
  }
  json_object_end(j);
}

static void add_devices(json *j, const report *r) {
  json_array(j, "devices");
  for (size_t i = 0; i < r->outcome_count; i++) {
    json_object(j, NULL);
    json_str(j, "device", r->outcomes[i].device);
    json_text(j, "result", kiln_result_name(r->outcomes[i].result));
    json_str(j, "skipped", r->outcomes[i].skipped);
    json_f64(j, "ms", r->outcomes[i].ms);
    add_differences(j, r, &r->outcomes[i]);
    json_object_end(j);
  }
  json_array_end(j);
}

static void add_usage(json *j, const kiln_host_usage *usage) {
  json_u64(j, "memory_bytes", usage->memory_bytes);
  json_u64(j, "shadow_bytes", usage->shadow_bytes);
}

static void add_explored(json *j, const kiln_exploration *e) {
  json_object(j, "explored");
  json_u64(j, "schedules", e->schedules);
  json_u64(j, "open", e->open);
  json_bool(j, "complete", e->complete);
  json_bool(j, "too_long", e->too_long);
  json_array(j, "found");
  for (size_t i = 0; i < e->found_count; i++) {
    json_object(j, NULL);
    json_text(j, "fault", e->found[i].fault ? e->found[i].fault : "");
    json_str(j, "replay", e->found[i].choices);
    json_u64(j, "steps", e->found[i].step_count);
    json_u64(j, "switches", e->found[i].switches);
    json_object_end(j);
  }
  json_array_end(j);
  json_object_end(j);
}

void report_json(const report *r) {
  text out = text_new(&r->job->tool->arena);
  json j = {.out = &out};
  kiln_context *context = r->job->tool->context;
  json_object(&j, NULL);
  json_str(&j, "kernel", r->job->subject.kernel ? r->job->subject.kernel->name : (kiln_str){0});
  json_str(&j, "device", r->device);
  json_bool(&j, "ok", r->code == EXIT_FINE);
  json_f64(&j, "ms", r->ms);
  if (r->usage.memory_bytes > 0) add_usage(&j, &r->usage);
  json_object(&j, "outputs");
  for (size_t i = 0; ran(r) && i < r->job->count; i++)
    if (is_output(r->job, i)) output_json(&j, &r->job->arguments[i], &r->job->arrays[i]);
  json_object_end(&j);
  add_diags(&j, "faults", context, KILN_FAULT);
  add_diags(&j, "errors", context, KILN_ERROR);
  if (r->outcome_count > 1) add_devices(&j, r);
  if (r->explored) add_explored(&j, r->explored);
  json_object_end(&j);
  json_end(&j);
  tool_print(text_str(&out));
}
