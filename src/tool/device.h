/* The SPIR-V and Vulkan half as the commands see it. A build without it links no_device.c, which says so. */
#ifndef KILN_SRC_TOOL_DEVICE_H
#define KILN_SRC_TOOL_DEVICE_H

#include "kiln/vulkan.h"
#include "tool/execute.h"

/* All devices, refused ones too. Belongs to the context until the next call. Without Vulkan there are none, and a note
 * tells why. */
size_t device_list(tool *t, const kiln_device_info **out);

/* Runs the job on the device that `select` means to kiln_device_open; `*name` belongs to the tool's arena. */
kiln_result device_execute(job *j, kiln_str select, const run_wish *wish, kiln_array *arrays, kiln_str *name,
                           double *ms);

/* A kernel without symbolic sizes, on arrays. */
kiln_result device_run_kernel(tool *t, kiln_str select, const kiln_kernel *kernel, const kiln_array *arrays,
                              size_t count);

/* A profile's name, or "vulkan...": that device's. */
kiln_result device_profile(tool *t, const char *written, kiln_profile *out);

/* Every symbolic size must be known from --set. Release with device_program_close. */
kiln_result device_compile(tool *t, const subject *s, const kiln_profile *profile, kiln_program **out);
const kiln_program_info *device_program_info(const kiln_program *program);
kiln_str device_program_text(kiln_program *program);
void device_program_close(kiln_program *program);

/* "vulkan" gives "", "vulkan:TEXT" gives TEXT; false when it is something else. */
bool device_select(const char *written, kiln_str *out);

#endif
