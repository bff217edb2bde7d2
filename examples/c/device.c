/* Compile a kernel to SPIR-V for the best Vulkan device, and run it there. host.c shows how to print diagnostics. */
#include <kiln/kiln.h>
#include <stdio.h>

static const char text[] = "kernel square(x: f32[N]) -> (y: f32[N]) { y[...] = x[...] * x[...] }";

static kiln_result square(kiln_context *context, kiln_device *device, const kiln_array *arrays) {
  kiln_module *module = NULL;
  kiln_program *program = NULL;
  kiln_launch *launch = NULL;
  const kiln_size n = {.name = {"N", 1}, .value = 4};
  const kiln_compile_desc desc = {.sizes = &n, .size_count = 1, .profile = kiln_device_get(device)->profile};
  kiln_result result = kiln_module_parse(context, &(kiln_parse_desc){.text = {text, sizeof text - 1}}, &module);
  if (result == KILN_OK) result = kiln_compile(context, kiln_module_kernel(module, 0), &desc, &program);
  if (result == KILN_OK) printf("%zu words of SPIR-V\n", kiln_program_get(program)->word_count);
  if (result == KILN_OK) result = kiln_launch_create(device, program, &launch);
  if (result == KILN_OK) result = kiln_launch_upload(launch, 0, &arrays[0]);
  if (result == KILN_OK) result = kiln_launch_run(launch, 1, NULL);
  if (result == KILN_OK) result = kiln_launch_download(launch, 1, &arrays[1]);
  kiln_launch_destroy(launch);
  kiln_program_destroy(program);
  kiln_module_destroy(module);
  return result;
}

int main(void) {
  float x[4] = {1, 2, 3, 4}, y[4] = {0};
  const kiln_array arrays[] = {{.dtype = KILN_F32, .rank = 1, .dims = {4}, .data = x, .size = sizeof x},
                               {.dtype = KILN_F32, .rank = 1, .dims = {4}, .data = y, .size = sizeof y}};
  kiln_context *context = NULL;
  kiln_device *device = NULL;
  kiln_result result = kiln_context_create(NULL, &context);
  if (result == KILN_OK) result = kiln_device_open(context, NULL, &device);
  if (result == KILN_OK) result = square(context, device, arrays);
  printf("%s: %g %g %g %g\n", kiln_result_name(result), (double)y[0], (double)y[1], (double)y[2], (double)y[3]);
  kiln_device_close(device);
  kiln_context_destroy(context);
  return result == KILN_OK ? 0 : 1;
}
