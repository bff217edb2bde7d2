/* Runs a launch on the best Vulkan device of the drivers that the environment names (VK_DRIVER_FILES). */
#include "ktest.h"

/* Outputs are uploaded too: what a kernel leaves alone must show the poison, not what the device happened to hold; one
 * that is an alias starts with the contents of its input, a filled one with what reads outside give. */
static kiln_result upload_all(kiln_launch *launched, const launch *l) {
  kiln_result result = KILN_OK;
  for (uint32_t i = 0; i < l->param_count && result == KILN_OK; i++) {
    const ir_param *param = &l->kernel->params[i];
    if (param->filled) ir_fill_array(param->ref->type.dtype, l->arrays[i].data, array_count(&l->arrays[i]));
    result = kiln_launch_upload(launched, i, &l->arrays[param->alias < 0 ? (int32_t)i : param->alias]);
  }
  return result;
}

static kiln_result download_written(kiln_launch *launched, const launch *l) {
  kiln_result result = KILN_OK;
  for (uint32_t i = 0; i < l->param_count && result == KILN_OK; i++)
    if (l->params[i].direction != KILN_IN) result = kiln_launch_download(launched, i, &l->arrays[i]);
  return result;
}

static kiln_result run_program(const executor *e, const launch *l, const kiln_program *program) {
  kiln_launch *launched = NULL;
  double nanoseconds;
  kiln_result result = kiln_launch_create(e->device, program, &launched);
  if (result == KILN_OK) result = upload_all(launched, l);
  if (result == KILN_OK) result = kiln_launch_run(launched, 1, &nanoseconds);
  if (result == KILN_OK) result = download_written(launched, l);
  kiln_launch_destroy(launched);
  return result;
}

static kiln_result run_vulkan(const executor *e, const launch *l, bool check) {
  (void)check;
  kiln_compile_desc desc = {
      .sizes = l->sizes, .size_count = l->size_count, .profile = kiln_device_get(e->device)->profile, .validate = true};
  kiln_program *program = NULL;
  kiln_result result = kiln_compile(l->context, l->kernel, &desc, &program);
  if (result == KILN_OK) result = run_program(e, l, program);
  kiln_program_destroy(program);
  return result;
}

bool executor_vulkan_open(kiln_context *context, executor *out) {
  kiln_device *device = NULL;
  if (kiln_device_open(context, &(kiln_device_desc){.application = STR("ktest")}, &device) != KILN_OK) return false;
  const kiln_device_info *info = kiln_device_get(device);
  *out = (executor){.name = info->name,
                    .f64 = info->profile.f64,
                    .i64 = info->profile.i64,
                    .i64_atomics = info->profile.i64_atomics,
                    .device = device,
                    .run = run_vulkan};
  return true;
}

void executor_vulkan_close(executor *e) { kiln_device_close(e->device); }
