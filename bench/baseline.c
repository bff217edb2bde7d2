/* kiln_baseline [WORKLOAD]... [--on DEV] [--processor]: times Kiln's own code and the hand-written GLSL of
 * shaders/baseline on a device, turn by turn in one process, so that what else the machine does meets both. Both
 * results are checked first. Prints workload,device,ms,rate,unit,ok,glsl_ms,ratio: a ratio above 1 means that Kiln is
 * faster. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "shaders/baseline_add.h"
#include "shaders/baseline_copy.h"
#include "shaders/baseline_layernorm.h"
#include "shaders/baseline_matmul_1024.h"
#include "shaders/baseline_matmul_512.h"
#include "shaders/baseline_reduce.h"
#include "shaders/baseline_softmax.h"
#include "tool/bench.h"
#include "vulkan/vulkan.h"

typedef struct baseline {
  const char *workload;
  const uint32_t *words;
  size_t size;
  uint32_t workgroup_size;
  uint32_t units;        /* grid points */
  bool subgroup_is_unit; /* one subgroup takes a grid point; otherwise a workgroup does */
} baseline;

#define CODE(name) .words = baseline_##name, .size = sizeof baseline_##name
static const baseline baselines[] = {
    {"matmul_f32_512", CODE(matmul_512), .workgroup_size = 64, .units = 512 / 32 * (512 / 128)},
    {"matmul_f32_1024", CODE(matmul_1024), .workgroup_size = 64, .units = 1024 / 32 * (1024 / 128)},
    {"softmax_4096x1024", CODE(softmax), .workgroup_size = 64, .units = 4096, .subgroup_is_unit = true},
    {"layernorm_4096x1024", CODE(layernorm), .workgroup_size = 64, .units = 4096, .subgroup_is_unit = true},
    {"copy_16m", CODE(copy), .workgroup_size = 64, .units = (1 << 24) / 2048},
    {"add_16m", CODE(add), .workgroup_size = 64, .units = (1 << 24) / 1024},
    {"reduce_4096x1024", CODE(reduce), .workgroup_size = 64, .units = 4096, .subgroup_is_unit = true},
};
enum { BASELINE_COUNT = sizeof baselines / sizeof *baselines };

/* One workload on one device, both ways. */
typedef struct duel {
  kiln_context *context;
  kiln_device *device;
  const baseline *baseline;
  const workload *workload;
  kiln_array arrays[WORKLOAD_MAX_PARAMS];
  kiln_launch *launches[2]; /* Kiln's own, the baseline */
  double ms[2];
  bool right;
  bool processor;
} duel;

static kiln_result create_baseline(duel *d) {
  const baseline *b = d->baseline;
  const uint32_t subgroup = kiln_device_get(d->device)->profile.subgroup_size, count = d->workload->param_count;
  kiln_binding bindings[WORKLOAD_MAX_PARAMS];
  for (uint32_t i = 0; i < count; i++)
    bindings[i] = (kiln_binding){.param = i, .size = d->arrays[i].size, .written = i + 1 == count};
  const kiln_program_info program = {.words = b->words,
                                     .word_count = b->size / 4,
                                     .bindings = bindings,
                                     .binding_count = count,
                                     .workgroup_size = b->workgroup_size,
                                     .units_per_workgroup = b->subgroup_is_unit ? b->workgroup_size / subgroup : 1,
                                     .unit_count = b->units,
                                     .subgroup_size = b->subgroup_is_unit ? subgroup : 0,
                                     .push_constant_size = 8};
  return vk_launch_create_info(d->device, &program, &d->launches[1]);
}

static kiln_result create_own(duel *d) {
  const kiln_parse_desc desc = {.text = str_from(d->workload->text), .name = str_from(d->workload->name)};
  kiln_module *module = NULL;
  kiln_program *program = NULL;
  kiln_result result = kiln_module_parse(d->context, &desc, &module);
  if (!result)
    result =
        vk_compile(d->device, kiln_module_kernel(module, 0), NULL, 0, d->arrays, d->workload->param_count, &program);
  if (!result) result = kiln_launch_create(d->device, program, &d->launches[0]);
  kiln_program_destroy(program);
  kiln_module_destroy(module);
  return result;
}

/* Uploads, runs once (drivers compile at the first run) and checks. */
static kiln_result prove(duel *d, kiln_launch *launch) {
  const uint32_t output = d->workload->param_count - 1;
  double error;
  kiln_result result = KILN_OK;
  workload_spoil(d->workload, d->arrays);
  for (uint32_t i = 0; !result && i < d->workload->param_count; i++)
    result = kiln_launch_upload(launch, i, &d->arrays[i]);
  if (!result) result = kiln_launch_run(launch, 1, NULL);
  if (!result) result = kiln_launch_download(launch, output, &d->arrays[output]);
  if (!result) d->right = workload_check(d->workload, d->arrays, &error) && d->right;
  return result;
}

static kiln_result fight(duel *d) {
  bench_turn turns[2];
  kiln_result result = KILN_OK;
  d->right = true;
  for (int i = 0; !result && i < 2; i++) result = prove(d, d->launches[i]);
  for (int i = 0; !result && i < 2; i++) result = bench_launch_turn(d->launches[i], 0.03, &turns[i]);
  turns[0].processor = turns[1].processor = d->processor;
  if (!result) result = bench_turns(turns, 2, 3.0);
  for (int i = 0; !result && i < 2; i++) d->ms[i] = turns[i].best;
  return result;
}

static kiln_result run_duel(duel *d) {
  if (!workload_make(d->workload, d->arrays)) return KILN_ERROR_MEMORY;
  kiln_result result = create_own(d);
  if (!result) result = create_baseline(d);
  if (!result) result = fight(d);
  kiln_launch_destroy(d->launches[0]);
  kiln_launch_destroy(d->launches[1]);
  workload_free(d->arrays);
  return result;
}

static bool asked(const char *name, int count, char *const names[]) {
  bool any = false;
  for (int i = 1; i < count; i++) {
    if (!strcmp(names[i], "--on")) {
      i++;
      continue;
    }
    if (!strcmp(names[i], "--processor")) continue;
    any = true;
    if (!strcmp(names[i], name)) return true;
  }
  return !any;
}

static bool has(const char *option, int count, char *const words[]) {
  for (int i = 1; i < count; i++)
    if (!strcmp(words[i], option)) return true;
  return false;
}

static kiln_result run_all(kiln_context *context, kiln_device *device, int count, char *const names[]) {
  printf("workload,device,ms,rate,unit,ok,glsl_ms,ratio\n");
  for (size_t i = 0; i < BASELINE_COUNT; i++) {
    if (!asked(baselines[i].workload, count, names)) continue;
    const workload *w = workload_find(str_from(baselines[i].workload));
    duel d = {.context = context,
              .device = device,
              .baseline = &baselines[i],
              .workload = w,
              .processor = has("--processor", count, names)};
    kiln_result result = run_duel(&d);
    if (result) return result;
    printf("%s,%s,%.5g,%.5g,%s,%s,%.5g,%.3g\n", w->name, kiln_device_get(device)->name.data, d.ms[0],
           w->work / d.ms[0] * 1e3, w->unit, d.right ? "yes" : "no", d.ms[1], d.ms[1] / d.ms[0]);
    fflush(stdout);
  }
  return KILN_OK;
}

static void print_diag(void *user, const kiln_diag *diag) {
  (void)user;
  fprintf(stderr, "%s: %.*s\n", diag->name, STR_FMT(diag->message));
}

int main(int count, char **arguments) {
  kiln_device_desc desc = {0};
  for (int i = 1; i + 1 < count; i++)
    if (!strcmp(arguments[i], "--on")) desc.select = str_from(arguments[i + 1]);
  kiln_context *context;
  if (kiln_context_create(&(kiln_context_desc){.diag = print_diag}, &context)) return 4;
  kiln_device *device;
  kiln_result result = kiln_device_open(context, &desc, &device);
  if (!result) result = run_all(context, device, count, arguments);
  kiln_device_close(device);
  kiln_context_destroy(context);
  return result ? 4 : 0;
}
