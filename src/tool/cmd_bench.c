/* kiln bench [WORKLOAD]... [--on DEV] [--csv]: times the workloads of workloads.h; a figure counts only when the result
 * is right. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/thread.h"
#include "kiln/host.h"
#include "tool/bench.h"
#include "tool/device.h"
#include "tool/tool.h"
#ifdef KILN_VULKAN
#include "vulkan/vulkan.h"
#endif

static const double seconds_each = 1.0;

/* One measurement: a workload, its arrays and its kernel, on the host or (device not NULL) on a device. */
typedef struct trial {
  kiln_context *context;
  kiln_device *device;
  const workload *workload;
  kiln_array arrays[WORKLOAD_MAX_PARAMS];
  kiln_module *module;
  const kiln_kernel *kernel;
} trial;

static kiln_result parse(trial *it) {
  const kiln_parse_desc desc = {.text = str_from(it->workload->text), .name = str_from(it->workload->name)};
  kiln_result result = kiln_module_parse(it->context, &desc, &it->module);
  if (!result) it->kernel = kiln_module_kernel(it->module, 0);
  return result;
}

/* On the host */

typedef struct host_run {
  kiln_host_plan *plan;
  const trial *trial;
} host_run;

static kiln_result run_host_once(const bench_turn *turn, double *ms) {
  const host_run *self = turn->user;
  const uint64_t start = clock_ns();
  kiln_result result = kiln_host_launch(self->plan, self->trial->arrays, self->trial->workload->param_count);
  *ms = (double)(clock_ns() - start) / 1e6;
  return result;
}

static kiln_result prepare_host(const trial *it, kiln_host_plan **plan) {
  return kiln_host_prepare(it->context, it->kernel, NULL, it->arrays, it->workload->param_count, plan);
}

static kiln_result measure_host(trial *it, bool first, bench_result *out) {
  const uint64_t start = clock_ns();
  host_run run = {.trial = it};
  bench_turn turn = {.run = run_host_once, .user = &run};
  double ms = 0;
  kiln_result result = parse(it);
  if (!result) result = prepare_host(it, &run.plan);
  if (!result) result = run_host_once(&turn, &ms);
  out->ms = (double)(clock_ns() - start) / 1e6;
  if (!result) out->right = workload_check(it->workload, it->arrays, &out->error);
  if (!result && !first) result = bench_turns(&turn, 1, seconds_each);
  if (!first) out->ms = turn.best;
  kiln_host_plan_destroy(run.plan);
  return result;
}

/* On a device */

#ifdef KILN_VULKAN
/* One launch with its wait, by the host's clock. */
static kiln_result run_launch_once(const bench_turn *turn, double *ms) {
  const uint64_t start = clock_ns();
  kiln_result result = kiln_launch_run(turn->user, 1, NULL);
  *ms = (double)(clock_ns() - start) / 1e6;
  return result;
}

static kiln_result upload_all(const trial *it, kiln_launch *launch) {
  kiln_result result = KILN_OK;
  for (uint32_t i = 0; !result && i < it->workload->param_count; i++)
    result = kiln_launch_upload(launch, i, &it->arrays[i]);
  return result;
}

static kiln_result prepare_launch(trial *it, kiln_launch **launch) {
  kiln_program *program = NULL;
  kiln_result result = parse(it);
  if (!result) result = vk_compile(it->device, it->kernel, NULL, 0, it->arrays, it->workload->param_count, &program);
  if (!result) result = kiln_launch_create(it->device, program, launch);
  if (!result) result = upload_all(it, *launch);
  kiln_program_destroy(program);
  return result;
}

static kiln_result measure_device(trial *it, bool first, bool single, bench_result *out) {
  const uint32_t output = it->workload->param_count - 1;
  const uint64_t start = clock_ns();
  kiln_launch *launch = NULL;
  kiln_result result = prepare_launch(it, &launch);
  if (!result) result = kiln_launch_run(launch, 1, NULL);
  if (!result) result = kiln_launch_download(launch, output, &it->arrays[output]);
  out->ms = (double)(clock_ns() - start) / 1e6;
  if (!result) out->right = workload_check(it->workload, it->arrays, &out->error);
  bench_turn turn = {.run = run_launch_once, .user = launch};
  if (!result && !single && !first) result = bench_launch_turn(launch, seconds_each / 8, &turn);
  if (!result && !first) result = bench_turns(&turn, 1, seconds_each);
  if (!first) out->ms = turn.best;
  kiln_launch_destroy(launch);
  return result;
}
#else
static kiln_result measure_device(trial *it, bool first, bool single, bench_result *out) {
  (void)it, (void)first, (void)single, (void)out;
  return KILN_ERROR_UNSUPPORTED;
}
#endif

static kiln_result measure(trial *it, bench_result *out) {
  const bool first = !strcmp(it->workload->name, "first_run"), single = !strcmp(it->workload->name, "dispatch");
  if (!workload_make(it->workload, it->arrays)) return KILN_ERROR_MEMORY;
  kiln_result result = it->device ? measure_device(it, first, single, out) : measure_host(it, first, out);
  kiln_module_destroy(it->module);
  workload_free(it->arrays);
  return result;
}

/* One place to measure on. The context is the bench's own: what a device cannot do is a skipped row, not an error. */
typedef struct place {
  kiln_context *context;
  kiln_device *device; /* NULL: the host */
  const char *name;
  bool csv;
  bool wrong;         /* a result was */
  kiln_result failed; /* the last failure, other than what the device cannot do */
} place;

/* The last message as the reason of a skipped row. */
static const char *last_message(const kiln_context *context, char reason[256]) {
  size_t count = kiln_diag_count(context);
  kiln_str message = count ? kiln_diag_get(context, count - 1)->message : STR("no reason given");
  snprintf(reason, 256, "%.*s", STR_FMT(message));
  return reason;
}

static void run_workload(place *p, const workload *w) {
  trial it = {.context = p->context, .device = p->device, .workload = w};
  bench_result out = {.skipped = w->missing};
  char reason[256];
  if (!w->missing) {
    kiln_result result = measure(&it, &out);
    if (result) out.skipped = last_message(p->context, reason);
    if (result && result != KILN_ERROR_UNSUPPORTED && result != KILN_ERROR_LIMIT) p->failed = result;
    if (!result && !out.right) p->wrong = true;
    kiln_diag_clear(p->context);
  }
  bench_print(w, p->name, &out, p->csv);
}

static bool asked(const tool *t, const workload *w) {
  for (size_t i = 0; i < t->operands.count; i++)
    if (!strcmp(t->operands.data[i], w->name)) return true;
  return !t->operands.count;
}

static exit_code run_place(tool *t, place *p) {
  for (size_t i = 0; i < workload_count; i++)
    if (asked(t, &workloads[i])) run_workload(p, &workloads[i]);
  if (p->failed) return exit_code_of(p->failed);
  return p->wrong ? EXIT_FAULT : EXIT_FINE;
}

#ifdef KILN_VULKAN
static exit_code run_device(tool *t, place *p, kiln_str select) {
  kiln_result result = kiln_device_open(t->context, &(kiln_device_desc){.select = select}, &p->device);
  if (result) return exit_code_of(result);
  kiln_device_close(p->device); /* open, and reported to the user if not; measured under the quiet context */
  result = kiln_device_open(p->context, &(kiln_device_desc){.select = select}, &p->device);
  if (result) return exit_code_of(result);
  p->name = kiln_device_get(p->device)->name.data;
  exit_code code = run_place(t, p);
  kiln_device_close(p->device);
  p->device = NULL;
  return code;
}

static exit_code run_every_device(tool *t, place *p) {
  const kiln_device_info *devices;
  size_t count;
  exit_code worst = EXIT_FINE;
  kiln_result result = kiln_devices(t->context, NULL, &devices, &count);
  if (result) return exit_code_of(result);
  for (size_t i = 0; i < count; i++) {
    if (!devices[i].usable) continue;
    char index[24];
    snprintf(index, sizeof index, "%zu", i);
    exit_code code = run_device(t, p, str_from(index));
    if (code > worst) worst = code;
  }
  return worst;
}
#else
static exit_code run_device(tool *t, place *p, kiln_str select) {
  (void)p, (void)select;
  diag_report(t->context->diags, DIAG_no_vulkan, (loc){0});
  return EXIT_WRONG;
}

static exit_code run_every_device(tool *t, place *p) {
  (void)t, (void)p;
  return EXIT_FINE;
}
#endif

static exit_code run_on(tool *t, place *p, const char *where) {
  bool all = !strcmp(where, "all");
  kiln_str select;
  if (!all && device_select(where, &select)) return run_device(t, p, select);
  if (!all && strcmp(where, "host")) {
    diag_report(t->context->diags, DIAG_unknown_target, (loc){0}, where);
    return EXIT_USAGE;
  }
  exit_code code = run_place(t, p);
  if (!all) return code;
  exit_code rest = run_every_device(t, p);
  return rest > code ? rest : code;
}

static bool check_names(tool *t) {
  kiln_str names[32];
  for (size_t i = 0; i < workload_count; i++) names[i] = str_from(workloads[i].name);
  for (size_t i = 0; i < t->operands.count; i++) {
    kiln_str name = str_from(t->operands.data[i]);
    if (workload_find(name)) continue;
    TOOL_REPORT(t, DIAG_unknown_workload, suggest(&t->arena, name, names, workload_count), STR_FMT(name));
    return false;
  }
  return true;
}

static exit_code list_workloads(void) {
  for (size_t i = 0; i < workload_count; i++) puts(workloads[i].name);
  return EXIT_FINE;
}

static exit_code run_bench(tool *t) {
  if (args_has(t, "--list")) return list_workloads();
  place p = {.name = "host", .csv = args_has(t, "--csv")};
  const char *where = args_value(t, "--on");
  if (!check_names(t)) return EXIT_USAGE;
  kiln_context_desc desc = {.alloc = t->context->mem.fn, .alloc_user = t->context->mem.user};
  if (kiln_context_create(&desc, &p.context)) return exit_code_of(tool_out_of_memory(t));
  bench_print_header(p.csv);
  exit_code code = run_on(t, &p, where ? where : "host");
  kiln_context_destroy(p.context);
  return code;
}

static const option options[] = {
    {"--on", 0, OPTION_VALUE, false, "DEV", "where: host (the default), vulkan, vulkan:2, vulkan:TEXT, all"},
    {"--csv", 0, OPTION_FLAG, false, NULL, "print workload,device,ms,rate,unit,ok"},
    {"--list", 0, OPTION_FLAG, false, NULL, "name the workloads and do nothing else"},
};

const command command_bench = {
    .name = "bench",
    .summary = "time known workloads, each checked against a reference first",
    .operands = "[WORKLOAD]...",
    .operand_most = SIZE_MAX,
    OPTIONS(options),
    .details =
        "Times are the best of several runs within a second; on a device by its own clock, data resident. `dispatch` "
        "is one\n"
        "launch with its wait, `first_run` all from kernel text to first result. A result that is wrong ends with exit "
        "code 3.\n",
    .run = run_bench,
};
