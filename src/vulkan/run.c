/* From a kernel and arrays to results: sizes solved and compiled for the device once, then uploaded, run, downloaded.
 */
#include <string.h>

#include "ir/ir.h"
#include "vulkan/vulkan.h"

static kiln_result out_of_memory(const kiln_device *device) {
  diag_report(device->context->diags, DIAG_out_of_memory, (loc){0});
  return KILN_ERROR_MEMORY;
}

/* Every array's data is there and as large as its shape; the shapes themselves are checked when the sizes are solved.
 */
static kiln_result check_data(const kiln_device *device, const kiln_kernel *kernel, const kiln_array *arrays) {
  for (uint32_t i = 0; i < kernel->param_count; i++) {
    const kiln_array *array = &arrays[i];
    size_t size = kiln_dtype_size(array->dtype);
    bool fits = true;
    for (uint32_t d = 0; d < array->rank; d++) fits = fits && size_mul(size, (size_t)array->dims[d], &size);
    if (fits && size == array->size && (array->data || !size)) continue;
    diag_report(device->context->diags, DIAG_launch_array, kernel->params[i].loc, STR_FMT(kernel->params[i].name),
                (unsigned long long)size, (unsigned long long)array->size, array->data ? "" : " and no data");
    return KILN_ERROR_INVALID;
  }
  return KILN_OK;
}

static kiln_result compile_solved(kiln_device *device, const kiln_kernel *kernel, const kiln_size *sizes,
                                  kiln_program **out) {
  const kiln_compile_desc desc = {.sizes = sizes, .size_count = kernel->symbol_count, .profile = device->info->profile};
  return kiln_compile(device->context, kernel, &desc, out);
}

kiln_result vk_compile(kiln_device *device, const kiln_kernel *kernel, const kiln_size *sizes, size_t size_count,
                       const kiln_array *arrays, size_t array_count, kiln_program **out) {
  const mem m = device->context->mem;
  const size_t count = kernel->symbol_count + 1;
  int64_t *values = mem_calloc(m, count, sizeof *values);
  kiln_size *solved = mem_calloc(m, count, sizeof *solved);
  kiln_result result = values && solved ? KILN_OK : out_of_memory(device);
  if (!result) result = ir_solve_sizes(device->context, kernel, sizes, size_count, arrays, array_count, values);
  if (!result) result = check_data(device, kernel, arrays);
  for (size_t i = 0; !result && i < kernel->symbol_count; i++)
    solved[i] = (kiln_size){.name = kernel->symbols[i], .value = values[i]};
  if (!result) result = compile_solved(device, kernel, solved, out);
  mem_free(m, values, count * sizeof *values);
  mem_free(m, solved, count * sizeof *solved);
  return result;
}

typedef kiln_result (*transfer)(kiln_launch *launch, uint32_t param, const kiln_array *array);

/* Applies `move` to every parameter but those of one direction, as far as the program uses them. */
static kiln_result transfer_all(kiln_launch *launch, const kiln_kernel *kernel, const kiln_array *arrays,
                                kiln_direction except, transfer move) {
  for (uint32_t i = 0; i < kernel->param_count; i++) {
    if (kernel->params[i].direction == except || !vk_launch_uses(launch, i)) continue;
    kiln_result result = move(launch, i, &arrays[i]);
    if (result) return result;
  }
  return KILN_OK;
}

/* An aliased output starts with the contents of its input, a filled one with what reads outside give. */
static kiln_result upload_outputs(kiln_launch *launch, const kiln_kernel *kernel, const kiln_array *arrays) {
  for (uint32_t i = 0; i < kernel->param_count; i++) {
    const ir_param *param = &kernel->params[i];
    const int32_t from = param->filled ? (int32_t)i : param->alias;
    if (from < 0) continue;
    const ir_dtype dtype = param->ref->type.dtype;
    if (param->filled) ir_fill_array(dtype, arrays[i].data, arrays[i].size / ir_dtype_bytes(dtype));
    if (!vk_launch_uses(launch, i)) {
      memmove(arrays[i].data, arrays[from].data, arrays[i].size);
      continue;
    }
    kiln_result result = kiln_launch_upload(launch, i, &arrays[from]);
    if (result) return result;
  }
  return KILN_OK;
}

kiln_result kiln_launch_create(kiln_device *device, const kiln_program *program, kiln_launch **out) {
  kiln_result result = vk_launch_create_info(device, kiln_program_get(program), out);
  if (!result) result = vk_launch_prime(*out);
  if (!result) return KILN_OK;
  kiln_launch_destroy(*out);
  *out = NULL;
  return result;
}

struct kiln_device_plan {
  kiln_device *device;
  const kiln_kernel *kernel;
  kiln_launch *launch;
  kiln_array *shapes; /* what it was made for; no data */
};

kiln_result kiln_device_prepare(kiln_device *device, const kiln_kernel *kernel, const kiln_size *sizes,
                                size_t size_count, const kiln_array *arrays, size_t array_count,
                                kiln_device_plan **out) {
  const mem m = device->context->mem;
  kiln_program *program = NULL;
  *out = NULL;
  kiln_result result = vk_device_ready(device);
  if (!result) result = vk_compile(device, kernel, sizes, size_count, arrays, array_count, &program);
  if (result) return result;
  kiln_device_plan *plan = mem_calloc(m, 1, sizeof *plan);
  if (plan) {
    *plan = (kiln_device_plan){.device = device, .kernel = kernel};
    plan->shapes = mem_calloc(m, array_count + 1, sizeof *plan->shapes);
  }
  result = plan && plan->shapes ? kiln_launch_create(device, program, &plan->launch) : out_of_memory(device);
  kiln_program_destroy(program);
  if (result) return kiln_device_plan_destroy(plan), result;
  memcpy(plan->shapes, arrays, array_count * sizeof *arrays);
  *out = plan;
  return KILN_OK;
}

void kiln_device_plan_destroy(kiln_device_plan *plan) {
  if (!plan) return;
  const mem m = plan->device->context->mem;
  kiln_launch_destroy(plan->launch);
  mem_free(m, plan->shapes, (plan->kernel->param_count + 1) * sizeof *plan->shapes);
  mem_free(m, plan, sizeof *plan);
}

static bool same_shape(const kiln_array *a, const kiln_array *b) {
  return a->dtype == b->dtype && a->rank == b->rank && memcmp(a->dims, b->dims, a->rank * sizeof *a->dims) == 0;
}

/* As many arrays as when the plan was made, of the same types and sizes. */
static kiln_result check_shapes(const kiln_device_plan *plan, const kiln_array *arrays, size_t count) {
  const kiln_kernel *kernel = plan->kernel;
  diag_sink *diags = plan->device->context->diags;
  if (count != kernel->param_count) {
    diag_report(diags, DIAG_array_count, kernel->loc, STR_FMT(kernel->name), kernel->param_count, (unsigned)count);
    return KILN_ERROR_INVALID;
  }
  for (uint32_t i = 0; i < count; i++) {
    if (same_shape(&arrays[i], &plan->shapes[i])) continue;
    diag_report(diags, DIAG_launch_array_size, kernel->params[i].loc, (unsigned long long)arrays[i].size,
                (unsigned long long)plan->shapes[i].size);
    return KILN_ERROR_INVALID;
  }
  return check_data(plan->device, kernel, arrays);
}

kiln_result kiln_device_launch(kiln_device_plan *plan, const kiln_array *arrays, size_t array_count) {
  const kiln_kernel *kernel = plan->kernel;
  kiln_result result = vk_device_ready(plan->device);
  if (!result) result = check_shapes(plan, arrays, array_count);
  if (!result) result = transfer_all(plan->launch, kernel, arrays, KILN_OUT, kiln_launch_upload);
  if (!result) result = upload_outputs(plan->launch, kernel, arrays);
  if (!result) result = kiln_launch_run(plan->launch, 1, NULL);
  const bool ran = !result || result == KILN_ERROR_FAULT; /* a check that fails does not stop a kernel */
  const kiln_result read = ran ? transfer_all(plan->launch, kernel, arrays, KILN_IN, kiln_launch_download) : KILN_OK;
  return read ? read : result;
}

kiln_result kiln_device_run(kiln_device *device, const kiln_kernel *kernel, const kiln_size *sizes, size_t size_count,
                            const kiln_array *arrays, size_t array_count) {
  kiln_device_plan *plan = NULL;
  kiln_result result = kiln_device_prepare(device, kernel, sizes, size_count, arrays, array_count, &plan);
  if (!result) result = kiln_device_launch(plan, arrays, array_count);
  kiln_device_plan_destroy(plan);
  return result;
}
