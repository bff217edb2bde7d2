/* From a kernel and arrays to results in one call: sizes solved, compiled for the device, uploaded, run, downloaded. */
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

static kiln_result run_program(kiln_device *device, const kiln_kernel *kernel, const kiln_program *program,
                               const kiln_array *arrays) {
  kiln_launch *launch = NULL;
  kiln_result result = kiln_launch_create(device, program, &launch);
  if (!result) result = transfer_all(launch, kernel, arrays, KILN_OUT, kiln_launch_upload);
  if (!result) result = upload_outputs(launch, kernel, arrays);
  if (!result) result = kiln_launch_run(launch, 1, NULL);
  if (!result) result = transfer_all(launch, kernel, arrays, KILN_IN, kiln_launch_download);
  kiln_launch_destroy(launch);
  return result;
}

kiln_result kiln_launch_create(kiln_device *device, const kiln_program *program, kiln_launch **out) {
  return vk_launch_create_info(device, kiln_program_get(program), out);
}

kiln_result kiln_device_run(kiln_device *device, const kiln_kernel *kernel, const kiln_size *sizes, size_t size_count,
                            const kiln_array *arrays, size_t array_count) {
  kiln_program *program = NULL;
  kiln_result result = vk_device_ready(device);
  if (!result) result = vk_compile(device, kernel, sizes, size_count, arrays, array_count, &program);
  if (!result) result = run_program(device, kernel, program, arrays);
  kiln_program_destroy(program);
  return result;
}
