/* Running compiled kernels on Vulkan devices.
 *
 * A driver is loaded when the first of these calls needs it, and the process then keeps one Vulkan instance for ever,
 * with the loader and the names of that first call. After a fork only the parent may go on using Vulkan; a child is
 * told so. A launch cannot be cancelled: one that passes its time limit makes its device unusable (KILN_ERROR_TIMEOUT,
 * then KILN_ERROR_DEVICE_LOST), and what it uses is left to the end of the process; but kernels whose units take turns
 * (KILN_UNITS_PHASED) stop within half a second, and the device stays as it was. Nothing is ever tried twice. */
#ifndef KILN_VULKAN_H
#define KILN_VULKAN_H

#include "kiln/spirv.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kiln_device kiln_device;

typedef struct kiln_device_desc {
  kiln_str select;              /* "": the best usable device; "2": the device of that index; else part of its name */
  kiln_str loader;              /* absolute path of the Vulkan loader; "": KILN_VULKAN_LOADER, else libvulkan.so.1 */
  kiln_str application, engine; /* names given to the driver, followed there by Kiln's own */
  uint64_t time_limit_ns;       /* longest wait for one launch; 0: 60 s */
  bool accept_failed;           /* open a device whose start-up self-test failed, for `kiln doctor` */
  void (*print)(void *user, const char *line, size_t size); /* what kernels print, after each launch; may be NULL */
  void *print_user;
} kiln_device_desc;

typedef struct kiln_device_info {
  uint32_t index;
  kiln_str name, driver; /* as the driver says */
  uint32_t vendor, device, api_version, driver_version;
  bool usable;
  kiln_str refusal; /* why not, and what to do; empty when usable */
  kiln_profile profile;
} kiln_device_info;

/* All devices, the refused ones too, each self-tested once per process. *out belongs to the context until the next
 * call. */
KILN_API kiln_result kiln_devices(kiln_context *context, const kiln_device_desc *desc, const kiln_device_info **out,
                                  size_t *count);

/* Opens a usable device; `desc` may be NULL. The context must outlive it. */
KILN_API kiln_result kiln_device_open(kiln_context *context, const kiln_device_desc *desc, kiln_device **out);
KILN_API const kiln_device_info *kiln_device_get(const kiln_device *device);
KILN_API void kiln_device_close(kiln_device *device);

/* A program made ready on a device: pipeline, buffers. Keeps neither program nor arrays. Destroy it before its device.
 */
typedef struct kiln_launch kiln_launch;
KILN_API kiln_result kiln_launch_create(kiln_device *device, const kiln_program *program, kiln_launch **out);
KILN_API kiln_result kiln_launch_upload(kiln_launch *launch, uint32_t param, const kiln_array *array);
/* Runs it `repeat` times in one submission and waits; *device_ns is one run's time by device timestamps (0: none
 * there). Then prints what the kernel printed; KILN_ERROR_FAULT when one of its checks failed. */
KILN_API kiln_result kiln_launch_run(kiln_launch *launch, uint32_t repeat, double *device_ns);
KILN_API kiln_result kiln_launch_download(kiln_launch *launch, uint32_t param, const kiln_array *array);
KILN_API void kiln_launch_destroy(kiln_launch *launch);

/* A kernel made ready on a device once and run often: sizes solved, compiled, buffers made. `arrays` gives the shapes.
 * The kernel and the device must outlive it. */
typedef struct kiln_device_plan kiln_device_plan;
KILN_API kiln_result kiln_device_prepare(kiln_device *device, const kiln_kernel *kernel, const kiln_size *sizes,
                                         size_t size_count, const kiln_array *arrays, size_t array_count,
                                         kiln_device_plan **out);
/* Uploads, runs, downloads: arrays of the plan's shapes, one per parameter. */
KILN_API kiln_result kiln_device_launch(kiln_device_plan *plan, const kiln_array *arrays, size_t array_count);
KILN_API void kiln_device_plan_destroy(kiln_device_plan *plan);

/* All of it at once: compile for the device, upload, run, download. */
KILN_API kiln_result kiln_device_run(kiln_device *device, const kiln_kernel *kernel, const kiln_size *sizes,
                                     size_t size_count, const kiln_array *arrays, size_t array_count);

#ifdef __cplusplus
}
#endif
#endif
