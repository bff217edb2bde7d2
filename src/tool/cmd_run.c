/* `kiln run`: one kernel, one set of data, one or all places. */
#include <string.h>

#include "tool/device.h"
#include "tool/report.h"

#define REPEATS_MOST 1000000
#define REPEATS_BY_DEFAULT 10

typedef struct run_state {
  job job;
  run_wish wish;
  double tolerance; /* below 0: the type's own */
  VEC(outcome) outcomes;
} run_state;

bool device_select(const char *written, kiln_str *out) {
  kiln_str all = str_from(written), prefix = STR("vulkan:");
  if (str_is(all, "vulkan")) {
    *out = (kiln_str){0};
    return true;
  }
  if (!str_starts(all, prefix) || all.size == prefix.size) return false;
  *out = (kiln_str){all.data + prefix.size, all.size - prefix.size};
  return true;
}

static kiln_result run_host(run_state *s) {
  outcome o = {.device = STR("host")};
  o.result = execute_host(&s->job, &s->wish, s->job.arrays, &o);
  VEC_PUSH(&s->job.tool->arena, &s->outcomes, o);
  return o.result;
}

static kiln_result run_device(run_state *s, kiln_str select) {
  outcome o = {.device = STR("vulkan")};
  o.result = device_execute(&s->job, select, &s->wish, s->job.arrays, &o.device, &o.ms);
  VEC_PUSH(&s->job.tool->arena, &s->outcomes, o);
  return o.result;
}

/* ---- everywhere ---- */

static double tolerance_of(const run_state *s, kiln_dtype dtype) {
  return s->tolerance < 0 ? dtype_tolerance(dtype) : s->tolerance;
}

/* False when an output is too far from the host's. */
static bool compare(run_state *s, outcome *o, const kiln_array *arrays) {
  job *j = &s->job;
  bool agrees = true;
  o->differences = ARENA_ARRAY(&j->tool->arena, difference, j->count);
  for (size_t i = 0; i < j->count; i++) {
    if (j->arguments[i].param.direction == KILN_IN) continue;
    difference *d = &o->differences[i];
    *d = array_difference(&j->arrays[i], &arrays[i], tolerance_of(s, arrays[i].dtype));
    if (d->beyond == 0) continue;
    agrees = false;
    TOOL_REPORT(j->tool, DIAG_devices_disagree, NULL, STR_FMT(o->device), STR_FMT(j->arguments[i].param.name),
                d->largest, (unsigned long long)d->largest_ulp, (unsigned long long)d->where, d->allowed);
  }
  return agrees;
}

/* A device that cannot run the job is left out, with the reason it gave from the diagnostic `first` on. */
static kiln_result skip(tool *t, outcome *o, size_t first) {
  o->skipped = str_copy(&t->arena, kiln_diag_get(t->context, first)->message);
  diag_sink_rewind(t->context->diags, first);
  TOOL_REPORT(t, DIAG_device_skipped, NULL, STR_FMT(o->device), STR_FMT(o->skipped));
  return KILN_OK;
}

static kiln_result try_device(run_state *s, uint32_t index, kiln_array *before, outcome *o) {
  tool *t = s->job.tool;
  size_t first = kiln_diag_count(t->context);
  t->held = true;
  o->result = device_execute(&s->job, str_format(&t->arena, "%u", index), &s->wish, before, &o->device, &o->ms);
  bool cannot = o->result == KILN_ERROR_UNSUPPORTED || o->result == KILN_ERROR_LIMIT;
  if (!cannot || kiln_diag_count(t->context) == first) return tool_release(t, first), o->result;
  t->held = false;
  return skip(t, o, first);
}

/* Runs on copies of the data as they were before the host's run, and compares. */
static kiln_result run_and_compare(run_state *s, uint32_t index, kiln_array *before) {
  tool *t = s->job.tool;
  outcome o = {.device = str_format(&t->arena, "vulkan:%u", index)};
  kiln_result result = try_device(s, index, before, &o);
  if (o.result == KILN_OK && !compare(s, &o, before)) result = KILN_ERROR_FAULT;
  VEC_PUSH(&t->arena, &s->outcomes, o);
  return result;
}

/* Indices of the devices that can run; the others are named with the reason. */
static size_t usable_devices(tool *t, uint32_t **indices) {
  const kiln_device_info *infos;
  size_t all = device_list(t, &infos), count = 0;
  *indices = ARENA_ARRAY(&t->arena, uint32_t, all);
  for (size_t i = 0; i < all; i++) {
    if (infos[i].usable)
      (*indices)[count++] = infos[i].index;
    else
      TOOL_REPORT(t, DIAG_device_skipped, NULL, STR_FMT(infos[i].name), STR_FMT(infos[i].refusal));
  }
  return count;
}

/* A fault outranks a failure elsewhere, and goes on to the next device. */
static kiln_result worse(kiln_result a, kiln_result b) { return a == KILN_OK || b == KILN_ERROR_FAULT ? b : a; }

static kiln_result run_copies(run_state *s, const uint32_t *indices, size_t count, kiln_array **copies) {
  kiln_result result = run_host(s);
  for (size_t i = 0; i < count && s->outcomes.data[0].result == KILN_OK; i++)
    result = worse(result, run_and_compare(s, indices[i], copies[i]));
  return result;
}

static kiln_result run_all(run_state *s) {
  job *j = &s->job;
  uint32_t *indices;
  size_t count = usable_devices(j->tool, &indices), made = 0;
  kiln_array **copies = ARENA_ARRAY(&j->tool->arena, kiln_array *, count);
  while (made < count && (copies[made] = job_copy_arrays(j)) != NULL) made++;
  kiln_result result = made == count ? run_copies(s, indices, count, copies) : KILN_ERROR_MEMORY;
  for (size_t i = 0; i < made; i++) job_free_arrays(j, copies[i]);
  return result;
}

/* ---- the command ---- */

static kiln_result run_on(run_state *s, const char *on) {
  kiln_str select;
  if (strcmp(on, "host") == 0) return run_host(s);
  if (strcmp(on, "all") == 0) return run_all(s);
  device_select(on, &select);
  return run_device(s, select);
}

static kiln_result check_target(tool *t, const run_state *s, const char *on) {
  kiln_str select;
  bool device = device_select(on, &select);
  if (!device && strcmp(on, "host") != 0 && strcmp(on, "all") != 0) {
    TOOL_REPORT(t, DIAG_unknown_target, NULL, on);
    return KILN_ERROR_INVALID;
  }
  if (!device || !s->wish.check) return KILN_OK;
  TOOL_REPORT(t, DIAG_check_needs_host, NULL, on);
  return KILN_ERROR_INVALID;
}

static bool read_wish(tool *t, run_state *s) {
  uint64_t repeats;
  s->wish.check = args_has(t, "--check");
  if (!execute_read_room(t, &s->wish) || !execute_read_order(t, &s->wish)) return false;
  if (!args_number(t, "--seed", 0, UINT64_MAX, 0, &s->wish.seed)) return false;
  if (!args_number(t, "--time", 1, REPEATS_MOST, args_has(t, "--time") ? REPEATS_BY_DEFAULT : 0, &repeats))
    return false;
  s->wish.repeats = (uint32_t)repeats;
  return args_fraction(t, "--tolerance", -1, &s->tolerance);
}

static kiln_result run_job(tool *t, run_state *s, const char *on) {
  kiln_result result = check_target(t, s, on);
  if (result == KILN_OK) result = job_open(t, MISSING_REFUSED, &s->job);
  if (result == KILN_OK) result = run_on(s, on);
  bool has_values = s->outcomes.count > 0 && s->outcomes.data[0].result == KILN_OK;
  kiln_result saved = has_values ? job_save(&s->job) : KILN_OK;
  return result == KILN_OK ? saved : result;
}

static exit_code run(tool *t) {
  run_state s = {.job = {.tool = t}};
  const char *on = args_has(t, "--on") ? args_value(t, "--on") : "host";
  if (!read_wish(t, &s)) return EXIT_USAGE;
  exit_code code = exit_code_of(run_job(t, &s, on));
  kiln_str device = s.outcomes.count == 1 && strcmp(on, "all") != 0 ? s.outcomes.data[0].device : str_from(on);
  const outcome first = s.outcomes.count > 0 ? s.outcomes.data[0] : (outcome){0};
  report r = {&s.job, device, code, first.ms, first.usage, s.outcomes.data, s.outcomes.count, NULL};
  if (args_has(t, "--json"))
    report_json(&r);
  else
    report_print(&r);
  job_close(&s.job);
  return code;
}

static const option options[] = {
    KERNEL_OPTION,
    {"--on", 0, OPTION_VALUE, false, "DEV", "host (default), vulkan, vulkan:INDEX, vulkan:NAME, or all"},
    {"--check", 0, OPTION_FLAG, false, "", "look for faults while running (host only)"},
    {"--seed", 0, OPTION_VALUE, false, "N", "order of units that are free to run (default 0)"},
    SCHEDULE_OPTION,
    UNITS_OPTIONS,
    {"--limit", 0, OPTION_VALUE, false, "SECONDS", "the longest time for one launch on a device (default 600)"},
    SET_OPTION,
    MEMORY_OPTION,
    RESIDENT_OPTION,
    OUTPUT_OPTION,
    {"--time", 0, OPTION_MAYBE, false, "N", "report the median of N further runs (10)"},
    {"--tolerance", 0, OPTION_VALUE, false, "X", "what `--on all` allows, instead of the default below"},
    {"--json", 0, OPTION_FLAG, false, "", "print one JSON object"},
};

const command command_run = {
    .name = "run",
    .summary = "run a kernel on data",
    .operands = "FILE.kiln [NAME=DATA]...",
    .operand_least = 1,
    .operand_most = SIZE_MAX,
    OPTIONS(options),
    .details =
        "DATA is a .npy file, zeros, ones, iota, random:SEED or normal:SEED (`kiln help data`). Outputs without -o "
        "are\n"
        "summarised. A parameter that is read and written takes data and may be saved as well.\n\n"
        "`--on all` runs on the host and on every usable device, saves the host's values and compares: an element may\n"
        "differ from the host's by 1e-12 (f64), 1e-5 (f32), 4e-3 (f16) or 3e-2 (bf16) of the output's largest "
        "magnitude;\n"
        "integers and bools must be equal. Exit code 3 tells that they do not agree. A device that cannot run the "
        "kernel,\n"
        "for want of a type say, is skipped with the reason.\n\n"
        "  kiln run softmax.kiln x=x.npy -o y=y.npy\n"
        "  kiln run matmul.kiln --on all --set M=256 --set N=256 --set K=256 a=random:1 b=random:2\n",
    .run = run,
};
