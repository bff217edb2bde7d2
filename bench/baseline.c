/* kiln_baseline [WORKLOAD]... [--on DEV]: times the hand-written GLSL of shaders/baseline on a device, through Kiln's
 * own runtime and against the same references as `kiln bench`, in the same CSV. */
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

static kiln_result create(kiln_device *device, const baseline *b, const workload *w, const kiln_array *arrays,
                          kiln_launch **launch) {
  uint32_t subgroup = kiln_device_get(device)->profile.subgroup_size;
  kiln_binding bindings[WORKLOAD_MAX_PARAMS];
  for (uint32_t i = 0; i < w->param_count; i++)
    bindings[i] = (kiln_binding){.param = i, .size = arrays[i].size, .written = i + 1 == w->param_count};
  const kiln_program_info program = {.words = b->words,
                                     .word_count = b->size / 4,
                                     .bindings = bindings,
                                     .binding_count = w->param_count,
                                     .workgroup_size = b->workgroup_size,
                                     .units_per_workgroup = b->subgroup_is_unit ? b->workgroup_size / subgroup : 1,
                                     .unit_count = b->units,
                                     .subgroup_size = b->subgroup_is_unit ? subgroup : 0,
                                     .push_constant_size = 8};
  return vk_launch_create_info(device, &program, launch);
}

static kiln_result measure(kiln_device *device, const baseline *b, const workload *w, kiln_array *arrays,
                           bench_result *out) {
  kiln_launch *launch = NULL;
  kiln_result result = create(device, b, w, arrays, &launch);
  for (uint32_t i = 0; !result && i < w->param_count; i++) result = kiln_launch_upload(launch, i, &arrays[i]);
  if (!result) result = bench_launch(launch, 1.0, &out->ms);
  if (!result) result = kiln_launch_download(launch, w->param_count - 1, &arrays[w->param_count - 1]);
  if (!result) out->right = workload_check(w, arrays, &out->error);
  kiln_launch_destroy(launch);
  return result;
}

static bool asked(const char *name, int count, char *const names[]) {
  bool any = false;
  for (int i = 1; i < count; i++) {
    if (!strcmp(names[i], "--on")) {
      i++;
      continue;
    }
    any = true;
    if (!strcmp(names[i], name)) return true;
  }
  return !any;
}

static kiln_result run_all(kiln_device *device, int count, char *const names[]) {
  const char *name = kiln_device_get(device)->name.data;
  bench_print_header(true);
  for (size_t i = 0; i < BASELINE_COUNT; i++) {
    if (!asked(baselines[i].workload, count, names)) continue;
    const workload *w = workload_find(str_from(baselines[i].workload));
    kiln_array arrays[WORKLOAD_MAX_PARAMS];
    bench_result out = {0};
    if (!workload_make(w, arrays)) return KILN_ERROR_MEMORY;
    kiln_result result = measure(device, &baselines[i], w, arrays, &out);
    workload_free(arrays);
    if (result) return result;
    bench_print(w, name, &out, true);
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
  if (!result) result = run_all(device, count, arguments);
  kiln_device_close(device);
  kiln_context_destroy(context);
  return result ? 4 : 0;
}
