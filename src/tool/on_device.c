/* Runs on Vulkan devices. */
#include "base/thread.h"
#include "tool/device.h"
#include "tool/progress.h"

#define TIME_LIMIT_S 600 /* CPU drivers can be slow; the user can interrupt */

size_t device_list(tool *t, const kiln_device_info **out) {
  kiln_device_desc desc = {0};
  size_t count = 0;
  t->mild = true;
  kiln_result result = kiln_devices(t->context, &desc, out, &count);
  t->mild = false;
  if (result == KILN_OK) return count;
  kiln_diag_clear(t->context); /* said already, and no error of the command's */
  return 0;
}

static kiln_result open_device(tool *t, kiln_str select, kiln_device **out) {
  uint64_t seconds;
  if (!args_number(t, "--limit", 1, TIME_LIMIT_S, TIME_LIMIT_S, &seconds)) return KILN_ERROR_INVALID;
  kiln_device_desc desc = {.select = select,
                           .application = STR("kiln"),
                           .time_limit_ns = seconds * UINT64_C(1000000000),
                           .print = execute_print,
                           .print_user = t};
  return kiln_device_open(t->context, &desc, out);
}

static kiln_result upload(job *j, kiln_launch *launch, const kiln_array *arrays) {
  kiln_result result = KILN_OK;
  for (size_t i = 0; i < j->count && result == KILN_OK; i++)
    result = kiln_launch_upload(launch, (uint32_t)i, &arrays[i]);
  return result;
}

static kiln_result download(job *j, kiln_launch *launch, const kiln_array *arrays) {
  kiln_result result = KILN_OK;
  for (size_t i = 0; i < j->count && result == KILN_OK; i++)
    if (j->arguments[i].param.direction != KILN_IN) result = kiln_launch_download(launch, (uint32_t)i, &arrays[i]);
  return result;
}

/* `repeat` runs in one submission: milliseconds of one by the device's clock, or by ours where it has none. */
static kiln_result run_timed(kiln_launch *launch, uint32_t repeat, double *ms) {
  double device_ns = 0;
  uint64_t start = clock_ns();
  kiln_result result = kiln_launch_run(launch, repeat, &device_ns);
  *ms = device_ns > 0 ? device_ns * 1e-6 : milliseconds_since(start) / repeat;
  return result;
}

static kiln_result run_launch(job *j, kiln_launch *launch, const run_wish *wish, const kiln_array *arrays, double *ms) {
  kiln_result result = upload(j, launch, arrays);
  if (result == KILN_OK) result = run_timed(launch, 1, ms);
  if (result == KILN_OK) result = download(j, launch, arrays);
  if (result == KILN_OK && wish->repeats > 0) result = run_timed(launch, wish->repeats, ms);
  return result;
}

static kiln_size *all_sizes(job *j) {
  const ir_kernel *kernel = j->subject.kernel;
  kiln_size *sizes = ARENA_ARRAY(&j->tool->arena, kiln_size, kernel->symbol_count);
  for (uint32_t i = 0; i < kernel->symbol_count; i++) sizes[i] = (kiln_size){kernel->symbols[i], j->size_values[i]};
  return sizes;
}

static kiln_result run_open(job *j, kiln_device *device, const run_wish *wish, kiln_array *arrays, double *ms) {
  const ir_kernel *kernel = j->subject.kernel;
  kiln_compile_desc desc = {
      .sizes = all_sizes(j), .size_count = kernel->symbol_count, .profile = kiln_device_get(device)->profile};
  kiln_program *program = NULL;
  kiln_launch *launch = NULL;
  if (!units_options(j->tool, &desc.units, &desc.profile)) return KILN_ERROR_INVALID;
  kiln_result result = kiln_compile(j->tool->context, kernel, &desc, &program);
  if (result == KILN_OK) result = kiln_launch_create(device, program, &launch);
  if (result == KILN_OK) result = run_launch(j, launch, wish, arrays, ms);
  kiln_launch_destroy(launch);
  kiln_program_destroy(program);
  return result;
}

kiln_result device_execute(job *j, kiln_str select, const run_wish *wish, kiln_array *arrays, kiln_str *name,
                           double *ms) {
  kiln_device *device;
  kiln_result result = open_device(j->tool, select, &device);
  if (result != KILN_OK) return result;
  *name = str_copy(&j->tool->arena, kiln_device_get(device)->name);
  result = run_open(j, device, wish, arrays, ms);
  kiln_device_close(device);
  return result;
}

kiln_result device_run_kernel(tool *t, kiln_str select, const kiln_kernel *kernel, const kiln_array *arrays,
                              size_t count) {
  kiln_device *device;
  kiln_result result = open_device(t, select, &device);
  if (result != KILN_OK) return result;
  result = kiln_device_run(device, kernel, NULL, 0, arrays, count);
  kiln_device_close(device);
  return result;
}

kiln_result device_profile(tool *t, const char *written, kiln_profile *out) {
  kiln_str select;
  if (!device_select(written, &select)) {
    if (kiln_profile_find(str_from(written), out) == KILN_OK) return KILN_OK;
    TOOL_REPORT(t, DIAG_unknown_profile, NULL, written);
    return KILN_ERROR_INVALID;
  }
  kiln_device *device;
  kiln_result result = open_device(t, select, &device);
  if (result != KILN_OK) return result;
  *out = kiln_device_get(device)->profile;
  kiln_device_close(device);
  return KILN_OK;
}

kiln_result device_compile(tool *t, const subject *s, const kiln_profile *profile, kiln_program **out) {
  kiln_compile_desc desc = {.sizes = s->sizes, .size_count = s->size_count, .profile = *profile, .validate = true};
  if (!units_options(t, &desc.units, &desc.profile)) return KILN_ERROR_INVALID;
  return kiln_compile(t->context, s->kernel, &desc, out);
}

const kiln_program_info *device_program_info(const kiln_program *program) { return kiln_program_get(program); }
kiln_str device_program_text(kiln_program *program) { return kiln_program_text(program); }
void device_program_close(kiln_program *program) { kiln_program_destroy(program); }
