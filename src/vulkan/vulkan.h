/* The Vulkan half, inside: instance, candidates, device, buffers, launches.
 *
 *   loader.c    the process-wide instance      caps.c      facts of a device, its profile, reasons to refuse it
 *   selftest.c  start-up probes of a device    device.c    listing, choosing, opening, closing
 *   memory.c    buffers                        pipeline.c  program -> pipeline
 *   launch.c    making and running a launch    transfer.c  data in and out
 *   log.c       what kernels print and check
 *   run.c       compile and run in one call
 *
 * Rules: an invalid request is refused before any Vulkan object exists; nothing is tried twice; a lost device gets no
 * calls but destruction; a device with a dispatch that never ended gets none at all, since destroying it would wait
 * for ever: its objects are left to the end of the process. */
#ifndef KILN_SRC_VULKAN_VULKAN_H
#define KILN_SRC_VULKAN_VULKAN_H

#include "base/context.h"
#include "kiln/vulkan.h"
#include "vulkan/table.h"

enum { VK_MAX_DEVICES = 16, VK_REASON_SIZE = 512, VK_MAX_NAME = 1024 };

/* What a physical device says about itself. */
typedef struct vk_facts {
  VkPhysicalDeviceProperties properties;
  VkPhysicalDeviceDriverProperties driver; /* empty before Vulkan 1.2 */
  VkPhysicalDeviceSubgroupProperties subgroup;
  VkPhysicalDeviceSubgroupSizeControlProperties sizes; /* zero when the size cannot be chosen */
  VkPhysicalDeviceMaintenance3Properties allocation;
  VkPhysicalDeviceMemoryProperties memory;
  bool f64, i64, i64_atomics;
  bool lock_step;            /* found by the self-test: see kiln_profile */
  bool roles_fail;           /* .. not even that orders the lanes of a subgroup: roles take turns on one */
  bool split_barrier;        /* VK_EXT_shader_split_barrier is there */
  bool progress;             /* a subgroup that waits for another one of its workgroup leaves it its time */
  bool chooses_size;         /* required subgroup size and full subgroups are both there for compute */
  bool size_by_extension;    /* ... through VK_EXT_subgroup_size_control */
  bool atomics_by_extension; /* i64_atomics are, through VK_KHR_shader_atomic_int64 */
  uint32_t queue_family;     /* UINT32_MAX: none computes */
  uint32_t timestamp_bits;
} vk_facts;

/* A physical device, in the driver's order, with its verdict. */
typedef struct vk_candidate {
  VkPhysicalDevice handle;
  vk_facts facts;
  bool tested;
  char refusal[VK_REASON_SIZE]; /* "": usable */
} vk_candidate;

typedef struct vk_instance {
  vk_table call;
  VkInstance handle;
  int64_t process; /* the process that made it: useless after a fork */
  size_t count;
  vk_candidate candidates[VK_MAX_DEVICES];
  kiln_device_info infos[VK_MAX_DEVICES];
} vk_instance;

struct kiln_device {
  kiln_context *context;
  const vk_instance *instance;
  const vk_candidate *candidate;
  const kiln_device_info *info;
  vk_table call; /* the instance's, with this device's own functions */
  VkDevice handle;
  VkQueue queue;
  uint64_t time_limit_ns;
  void (*print)(void *user, const char *line, size_t size);
  void *print_user;
  bool lost;      /* no call but destruction from now on */
  bool abandoned; /* a dispatch never ended: no call at all */
};

typedef struct vk_buffer {
  VkBuffer handle;
  VkDeviceMemory memory;
  void *data; /* mapped and coherent for as long as the buffer lives; NULL where the host cannot see it */
  uint64_t size;
} vk_buffer;

/* Where a buffer lies: near the device, or in the host's memory to pass data to one that the host cannot see. */
typedef enum vk_place { VK_NEAR_DEVICE, VK_NEAR_HOST } vk_place;

typedef struct vk_bound {
  kiln_binding binding;
  vk_buffer buffer;
} vk_bound;

typedef struct vk_pipeline {
  VkShaderModule module;
  VkDescriptorSetLayout set_layout;
  VkPipelineLayout layout;
  VkPipeline handle;
} vk_pipeline;

struct kiln_launch {
  kiln_device *device;
  vk_pipeline pipeline;
  VkDescriptorPool descriptors;
  VkDescriptorSet set;
  VkCommandPool pool;
  VkCommandBuffer commands;
  VkQueryPool queries; /* two timestamps; none where the queue has no clock */
  VkFence fence;
  vk_buffer staging; /* made at the first transfer that needs it */
  uint32_t unit_count, units_per_workgroup, push_constant_size;
  uint32_t max_workgroups; /* of one dispatch, when each has a slice of a scratch buffer; else 0 */
  const kiln_log *log;     /* NULL: the kernel tells nothing */
  arena log_arena;
  uint32_t recorded; /* repetitions in the command buffer; 0: nothing, or a transfer */
  size_t count;
  vk_bound bounds[];
};

/* loader.c */
kiln_result vk_instance_open(kiln_context *context, const kiln_device_desc *desc, PFN_vkGetInstanceProcAddr resolve,
                             vk_instance *out);
void vk_instance_close(vk_instance *instance); /* for instances of tests; the process-wide one is never closed */
kiln_result vk_instance_shared(kiln_context *context, const kiln_device_desc *desc, vk_instance **out);
kiln_result vk_check_process(const vk_instance *instance, diag_sink *diags);

/* caps.c */
kiln_result vk_facts_read(const vk_table *call, VkPhysicalDevice physical, mem m, vk_facts *out);
void vk_facts_judge(const vk_facts *facts, char refusal[VK_REASON_SIZE]);
kiln_profile vk_facts_profile(const vk_facts *facts);
/* The pNext of a chain of structures, each of which the device knows or not. */
void *vk_chain(bool known, void *structure, void *next);

/* selftest.c: fills candidate->refusal when a probe fails; an error only when the host is out of memory. */
kiln_result vk_selftest(kiln_context *context, const vk_instance *instance, vk_candidate *candidate);

/* device.c: the public calls, on a given instance. */
kiln_result vk_devices_test(kiln_context *context, vk_instance *instance);
kiln_result vk_device_open(kiln_context *context, vk_instance *instance, const kiln_device_desc *desc,
                           kiln_device **out);
kiln_result vk_device_create(kiln_context *context, const vk_instance *instance, const vk_candidate *candidate,
                             uint64_t time_limit_ns, kiln_device **out);
/* The result of the Vulkan call `name`: reported, and the device marked when it is lost. */
kiln_result vk_check(kiln_device *device, VkResult result, const char *name);
kiln_result vk_device_ready(const kiln_device *device); /* refuses a lost device and a forked process */
bool vk_device_reachable(const kiln_device *device);    /* false: its objects may not even be destroyed */

/* memory.c */
kiln_result vk_buffer_create(kiln_device *device, uint64_t size, vk_place place, vk_buffer *out);
void vk_buffer_destroy(kiln_device *device, vk_buffer *buffer); /* accepts a zeroed one */

/* pipeline.c */
kiln_result vk_pipeline_create(kiln_device *device, const kiln_program_info *program, vk_pipeline *out);
void vk_pipeline_destroy(kiln_device *device, vk_pipeline *pipeline);

/* launch.c */
kiln_result vk_launch_create_info(kiln_device *device, const kiln_program_info *program, kiln_launch **out);
kiln_result vk_launch_begin(kiln_launch *launch);  /* empties and opens the command buffer */
kiln_result vk_launch_end(kiln_launch *launch);    /* closes it */
kiln_result vk_launch_submit(kiln_launch *launch); /* runs it and waits */
/* A dispatch of no grid point, for a program that Kiln compiled: some drivers compile a pipeline when it is used first,
 * which may take minutes, must not count as the time of a launch, and ends. */
kiln_result vk_launch_prime(kiln_launch *launch);

/* log.c: nothing where the kernel tells nothing */
kiln_result vk_log_empty(kiln_launch *launch);
kiln_result vk_log_tell(kiln_launch *launch); /* KILN_ERROR_FAULT when a check failed */

/* transfer.c */
kiln_result vk_launch_write(kiln_launch *launch, uint32_t binding, const void *data, size_t size);
kiln_result vk_launch_zero(kiln_launch *launch, uint32_t binding, size_t size); /* of the first bytes: a few */
kiln_result vk_launch_read(kiln_launch *launch, uint32_t binding, void *data, size_t size);
bool vk_launch_uses(const kiln_launch *launch, uint32_t param); /* false: the program has no such parameter */

/* run.c: checks the arrays, solves the sizes, compiles for the device. */
kiln_result vk_compile(kiln_device *device, const kiln_kernel *kernel, const kiln_size *sizes, size_t size_count,
                       const kiln_array *arrays, size_t array_count, kiln_program **out);

#endif
