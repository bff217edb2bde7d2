/* See fake_vulkan.h. Handles are pointers to `object`; what Kiln does not look at is not modelled. */
#include "fake_vulkan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulkan/selftest.h"

fake_driver fake;

enum { MAX_BOUND = 8, MAX_RECORDED = 64 };

typedef struct object object;
struct object {
  object *previous, *next; /* alive */
  const uint32_t *words;   /* of a module, or of the module that a pipeline was made from */
  size_t word_count;
  uint8_t *data;            /* of memory */
  uint64_t size;            /* of a buffer or of memory */
  bool mappable;            /* memory that the host sees */
  object *memory;           /* behind a buffer */
  object *bound[MAX_BOUND]; /* of a descriptor set: buffers */
};

/* The one command buffer that is being recorded or submitted. Kiln keeps one per launch and one launch at a time here.
 */
static struct {
  object handle, *pipeline, *set;
  uint32_t range[2];
  struct {
    object *pipeline, *set;
    uint32_t range[2];
  } recorded[MAX_RECORDED];
  size_t count;
  object *from, *to; /* one copy, when not NULL */
  VkBufferCopy region;
} commands;

static object queue, instance_object, devices[FAKE_MAX_DEVICES], set_object;

static VkResult enter(const char *name) {
  fake.calls++;
  fake.fallible_calls++;
  if (fake.failed) fake.calls_after_failure++;
  if (fake.fallible_calls != fake.fail_at) return VK_SUCCESS;
  fake.failed = true;
  snprintf(fake.failed_call, sizeof fake.failed_call, "%s", name);
  return fake.failure;
}

static object alive = {.previous = &alive, .next = &alive}; /* a ring */

static object *make(void) {
  object *made = calloc(1, sizeof *made);
  fake.objects++;
  fake.created++;
  made->previous = alive.previous;
  made->next = &alive;
  made->previous->next = made->next->previous = made;
  return made;
}

static void end(object *ended) {
  ended->previous->next = ended->next;
  ended->next->previous = ended->previous;
  free(ended->data);
  free(ended);
}

static void retire(void *handle) {
  fake.calls++;
  if (!handle) return;
  fake.objects--;
  end(handle);
}

#define OF(handle) ((object *)(handle))
#define TAKE(name)                             \
  do {                                         \
    VkResult failure = enter("vk" name);       \
    if (failure != VK_SUCCESS) return failure; \
  } while (0)

/* Objects that are made and ended, with nothing to remember. A failing call leaves rubbish, as drivers may. */
#define FAKE_PLAIN(name)                                                                                \
  static VkResult VKAPI_CALL fake_Create##name(VkDevice device, const Vk##name##CreateInfo *info,       \
                                               const VkAllocationCallbacks *callbacks, Vk##name *out) { \
    (void)device, (void)info, (void)callbacks;                                                          \
    *out = (Vk##name)(uintptr_t)0xdead;                                                                 \
    TAKE("Create" #name);                                                                               \
    *out = (Vk##name)make();                                                                            \
    return VK_SUCCESS;                                                                                  \
  }                                                                                                     \
  FAKE_DESTROY(name)
#define FAKE_DESTROY(name)                                                            \
  static void VKAPI_CALL fake_Destroy##name(VkDevice device, Vk##name handle,         \
                                            const VkAllocationCallbacks *callbacks) { \
    (void)device, (void)callbacks;                                                    \
    retire((void *)handle);                                                           \
  }
FAKE_PLAIN(DescriptorSetLayout)
FAKE_PLAIN(PipelineLayout)
FAKE_PLAIN(DescriptorPool)
FAKE_PLAIN(QueryPool)
FAKE_PLAIN(Fence)
FAKE_PLAIN(CommandPool)
FAKE_DESTROY(Buffer)
FAKE_DESTROY(ShaderModule)
FAKE_DESTROY(Pipeline)

/* Instance */

static VkResult VKAPI_CALL fake_EnumerateInstanceVersion(uint32_t *version) {
  fake.calls++;
  *version = VK_API_VERSION_1_3;
  return VK_SUCCESS;
}

static VkResult VKAPI_CALL fake_CreateInstance(const VkInstanceCreateInfo *info, const VkAllocationCallbacks *callbacks,
                                               VkInstance *out) {
  (void)callbacks;
  TAKE("CreateInstance");
  snprintf(fake.application, sizeof fake.application, "%s", info->pApplicationInfo->pApplicationName);
  snprintf(fake.engine, sizeof fake.engine, "%s", info->pApplicationInfo->pEngineName);
  fake.objects++;
  fake.created++;
  *out = (VkInstance)&instance_object;
  return VK_SUCCESS;
}

static void VKAPI_CALL fake_DestroyInstance(VkInstance instance, const VkAllocationCallbacks *callbacks) {
  (void)instance, (void)callbacks;
  fake.calls++;
  fake.objects--;
}

static VkResult VKAPI_CALL fake_EnumeratePhysicalDevices(VkInstance instance, uint32_t *count, VkPhysicalDevice *out) {
  (void)instance;
  TAKE("EnumeratePhysicalDevices");
  if (!out) {
    *count = fake.device_count;
    return VK_SUCCESS;
  }
  if (*count > fake.device_count) *count = fake.device_count;
  for (uint32_t i = 0; i < *count; i++) out[i] = (VkPhysicalDevice)&devices[i];
  return *count < fake.device_count ? VK_INCOMPLETE : VK_SUCCESS;
}

static VkResult VKAPI_CALL fake_EnumerateDeviceExtensionProperties(VkPhysicalDevice device, const char *layer,
                                                                   uint32_t *count, VkExtensionProperties *out) {
  (void)device, (void)layer;
  TAKE("EnumerateDeviceExtensionProperties");
  static const char *const names[] = {VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME,
                                      VK_KHR_SHADER_ATOMIC_INT64_EXTENSION_NAME};
  *count = fake.long_integers ? 2 : 1;
  for (uint32_t i = 0; out && i < *count; i++)
    snprintf(out[i].extensionName, sizeof out[i].extensionName, "%s", names[i]);
  return VK_SUCCESS;
}

static void VKAPI_CALL fake_GetPhysicalDeviceProperties(VkPhysicalDevice device, VkPhysicalDeviceProperties *out) {
  ptrdiff_t index = OF(device) - devices;
  fake.calls++;
  memset(out, 0, sizeof *out);
  out->apiVersion = fake.device_api ? fake.device_api : VK_API_VERSION_1_3;
  out->deviceType = fake.types[index];
  snprintf(out->deviceName, sizeof out->deviceName, "Fake %d", (int)index);
  out->limits = (VkPhysicalDeviceLimits){.maxStorageBufferRange = FAKE_BUFFER_RANGE,
                                         .maxPushConstantsSize = 128,
                                         .maxPerStageDescriptorStorageBuffers = 4,
                                         .maxDescriptorSetStorageBuffers = 4,
                                         .maxPerStageResources = 4,
                                         .maxComputeSharedMemorySize = 16384,
                                         .maxComputeWorkGroupCount = {fake.poor_limits ? 0 : 8, 8, 8},
                                         .maxComputeWorkGroupInvocations = 128,
                                         .maxComputeWorkGroupSize = {128, 128, 128},
                                         .timestampPeriod = 2.0f};
}

static void VKAPI_CALL fake_GetPhysicalDeviceProperties2(VkPhysicalDevice device, VkPhysicalDeviceProperties2 *out) {
  for (VkBaseOutStructure *next = out->pNext; next; next = next->pNext) {
    if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES) {
      VkPhysicalDeviceSubgroupProperties *subgroup = (void *)next;
      subgroup->subgroupSize = 8;
      subgroup->supportedStages = VK_SHADER_STAGE_COMPUTE_BIT;
      subgroup->supportedOperations = 0xff;
    } else if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES) {
      VkPhysicalDeviceSubgroupSizeControlProperties *sizes = (void *)next;
      sizes->minSubgroupSize = 8;
      sizes->maxSubgroupSize = 16;
      sizes->maxComputeWorkgroupSubgroups = 16;
      sizes->requiredSubgroupSizeStages = VK_SHADER_STAGE_COMPUTE_BIT;
    }
  }
  fake_GetPhysicalDeviceProperties(device, &out->properties);
}

static void VKAPI_CALL fake_GetPhysicalDeviceFeatures2(VkPhysicalDevice device, VkPhysicalDeviceFeatures2 *out) {
  (void)device;
  fake.calls++;
  out->features.shaderInt64 = fake.long_integers;
  for (VkBaseOutStructure *next = out->pNext; next; next = next->pNext) {
    if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES) {
      VkPhysicalDeviceSubgroupSizeControlFeatures *control = (void *)next;
      control->subgroupSizeControl = control->computeFullSubgroups = !fake.no_subgroup_control;
    } else if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_ATOMIC_INT64_FEATURES) {
      ((VkPhysicalDeviceShaderAtomicInt64Features *)(void *)next)->shaderBufferInt64Atomics = fake.long_integers;
    }
  }
}

static void VKAPI_CALL fake_GetPhysicalDeviceMemoryProperties(VkPhysicalDevice device,
                                                              VkPhysicalDeviceMemoryProperties *out) {
  (void)device;
  fake.calls++;
  memset(out, 0, sizeof *out);
  out->memoryTypeCount = 2;
  out->memoryTypes[0].propertyFlags = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
  if (!fake.no_host_memory)
    out->memoryTypes[1].propertyFlags = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
  out->memoryHeapCount = 1;
  out->memoryHeaps[0] = (VkMemoryHeap){.size = FAKE_HEAP, .flags = VK_MEMORY_HEAP_DEVICE_LOCAL_BIT};
  if (fake.unified) out->memoryTypes[1].propertyFlags |= VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
}

/* As SwiftShader does: writes its one family as often as there is room. */
static void VKAPI_CALL fake_GetPhysicalDeviceQueueFamilyProperties(VkPhysicalDevice device, uint32_t *count,
                                                                   VkQueueFamilyProperties *out) {
  (void)device;
  fake.calls++;
  if (!out) *count = 1;
  for (uint32_t i = 0; out && i < *count; i++)
    out[i] = (VkQueueFamilyProperties){
        .queueFlags = VK_QUEUE_COMPUTE_BIT, .queueCount = 1, .timestampValidBits = fake.no_timestamps ? 0 : 36};
}

static bool is_enabled(const VkDeviceCreateInfo *info, const char *extension) {
  for (uint32_t i = 0; i < info->enabledExtensionCount; i++)
    if (!strcmp(info->ppEnabledExtensionNames[i], extension)) return true;
  return false;
}

static VkResult VKAPI_CALL fake_CreateDevice(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                                             const VkAllocationCallbacks *callbacks, VkDevice *out) {
  (void)physical, (void)callbacks;
  for (const VkBaseInStructure *next = info->pNext; next; next = next->pNext) {
    if (next->sType != VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_ATOMIC_INT64_FEATURES) continue;
    const bool old = fake.device_api && fake.device_api < VK_API_VERSION_1_2;
    fake.long_atomics = true;
    fake.violations += old && !is_enabled(info, VK_KHR_SHADER_ATOMIC_INT64_EXTENSION_NAME);
  }
  *out = (VkDevice)(uintptr_t)0xdead;
  TAKE("CreateDevice");
  *out = (VkDevice)make();
  return VK_SUCCESS;
}

static PFN_vkVoidFunction VKAPI_CALL fake_GetDeviceProcAddr(VkDevice device, const char *name) {
  (void)device;
  return fake_resolve(NULL, name);
}

/* Device */

static void VKAPI_CALL fake_DestroyDevice(VkDevice device, const VkAllocationCallbacks *callbacks) {
  (void)callbacks;
  retire(device);
}

static void VKAPI_CALL fake_GetDeviceQueue(VkDevice device, uint32_t family, uint32_t index, VkQueue *out) {
  (void)device, (void)family, (void)index;
  fake.calls++;
  *out = (VkQueue)&queue;
}

static VkResult VKAPI_CALL fake_CreateBuffer(VkDevice device, const VkBufferCreateInfo *info,
                                             const VkAllocationCallbacks *callbacks, VkBuffer *out) {
  (void)device, (void)callbacks;
  *out = (VkBuffer)(uintptr_t)0xdead;
  TAKE("CreateBuffer");
  object *buffer = make();
  buffer->size = info->size;
  *out = (VkBuffer)buffer;
  return VK_SUCCESS;
}

static void VKAPI_CALL fake_GetBufferMemoryRequirements(VkDevice device, VkBuffer buffer, VkMemoryRequirements *out) {
  (void)device;
  fake.calls++;
  *out = (VkMemoryRequirements){.size = OF(buffer)->size + 64, .alignment = 64, .memoryTypeBits = 3};
}

static VkResult VKAPI_CALL fake_AllocateMemory(VkDevice device, const VkMemoryAllocateInfo *info,
                                               const VkAllocationCallbacks *callbacks, VkDeviceMemory *out) {
  (void)device, (void)callbacks;
  *out = (VkDeviceMemory)(uintptr_t)0xdead;
  TAKE("AllocateMemory");
  object *memory = make();
  memory->data = malloc(info->allocationSize);
  memory->size = info->allocationSize;
  memory->mappable = info->memoryTypeIndex == 1;
  memset(memory->data, 0xa5, memory->size);
  *out = (VkDeviceMemory)memory;
  return VK_SUCCESS;
}

static void VKAPI_CALL fake_FreeMemory(VkDevice device, VkDeviceMemory memory, const VkAllocationCallbacks *callbacks) {
  (void)device, (void)callbacks;
  retire((void *)memory);
}

static VkResult VKAPI_CALL fake_BindBufferMemory(VkDevice device, VkBuffer buffer, VkDeviceMemory memory,
                                                 VkDeviceSize offset) {
  (void)device, (void)offset;
  TAKE("BindBufferMemory");
  OF(buffer)->memory = OF(memory);
  return VK_SUCCESS;
}

static VkResult VKAPI_CALL fake_MapMemory(VkDevice device, VkDeviceMemory memory, VkDeviceSize offset,
                                          VkDeviceSize size, VkMemoryMapFlags flags, void **out) {
  (void)device, (void)offset, (void)size, (void)flags;
  *out = (void *)(uintptr_t)0xdead;
  TAKE("MapMemory");
  if (!OF(memory)->mappable) fake.violations++;
  *out = OF(memory)->data;
  return VK_SUCCESS;
}

static VkResult VKAPI_CALL fake_CreateShaderModule(VkDevice device, const VkShaderModuleCreateInfo *info,
                                                   const VkAllocationCallbacks *callbacks, VkShaderModule *out) {
  (void)device, (void)callbacks;
  *out = (VkShaderModule)(uintptr_t)0xdead;
  TAKE("CreateShaderModule");
  object *module = make();
  module->words = info->pCode;
  module->word_count = info->codeSize / 4;
  *out = (VkShaderModule)module;
  return VK_SUCCESS;
}

static VkResult VKAPI_CALL fake_CreateComputePipelines(VkDevice device, VkPipelineCache cache, uint32_t count,
                                                       const VkComputePipelineCreateInfo *info,
                                                       const VkAllocationCallbacks *callbacks, VkPipeline *out) {
  (void)device, (void)cache, (void)count, (void)callbacks;
  *out = (VkPipeline)(uintptr_t)0xdead;
  TAKE("CreateComputePipelines");
  object *pipeline = make();
  pipeline->words = OF(info->stage.module)->words;
  pipeline->word_count = OF(info->stage.module)->word_count;
  *out = (VkPipeline)pipeline;
  return VK_SUCCESS;
}

static VkResult VKAPI_CALL fake_AllocateDescriptorSets(VkDevice device, const VkDescriptorSetAllocateInfo *info,
                                                       VkDescriptorSet *out) {
  (void)device, (void)info;
  TAKE("AllocateDescriptorSets");
  memset(&set_object, 0, sizeof set_object);
  *out = (VkDescriptorSet)&set_object;
  return VK_SUCCESS;
}

static void VKAPI_CALL fake_UpdateDescriptorSets(VkDevice device, uint32_t count, const VkWriteDescriptorSet *writes,
                                                 uint32_t copy_count, const VkCopyDescriptorSet *copies) {
  (void)device, (void)copy_count, (void)copies;
  fake.calls++;
  for (uint32_t i = 0; i < count; i++)
    OF(writes[i].dstSet)->bound[writes[i].dstBinding] = OF(writes[i].pBufferInfo->buffer);
}

static VkResult VKAPI_CALL fake_GetQueryPoolResults(VkDevice device, VkQueryPool pool, uint32_t first, uint32_t count,
                                                    size_t size, void *data, VkDeviceSize stride,
                                                    VkQueryResultFlags flags) {
  (void)device, (void)pool, (void)first, (void)count, (void)size, (void)stride, (void)flags;
  TAKE("GetQueryPoolResults");
  const uint64_t ticks[2] = {(UINT64_C(1) << 36) - 100, 300}; /* the clock of 36 bits wraps: 400 ticks of 2 ns */
  memcpy(data, ticks, sizeof ticks);
  return VK_SUCCESS;
}

static VkResult VKAPI_CALL fake_ResetFences(VkDevice device, uint32_t count, const VkFence *fences) {
  (void)device, (void)count, (void)fences;
  TAKE("ResetFences");
  return VK_SUCCESS;
}

static VkResult VKAPI_CALL fake_WaitForFences(VkDevice device, uint32_t count, const VkFence *fences, VkBool32 all,
                                              uint64_t timeout) {
  (void)device, (void)count, (void)fences, (void)all;
  fake.wait_limit = timeout;
  TAKE("WaitForFences");
  return VK_SUCCESS;
}

static VkResult VKAPI_CALL fake_AllocateCommandBuffers(VkDevice device, const VkCommandBufferAllocateInfo *info,
                                                       VkCommandBuffer *out) {
  (void)device, (void)info;
  TAKE("AllocateCommandBuffers");
  *out = (VkCommandBuffer)&commands;
  return VK_SUCCESS;
}

static VkResult VKAPI_CALL fake_ResetCommandPool(VkDevice device, VkCommandPool pool, VkCommandPoolResetFlags flags) {
  (void)device, (void)pool, (void)flags;
  TAKE("ResetCommandPool");
  commands.count = 0;
  commands.from = NULL;
  return VK_SUCCESS;
}

static VkResult VKAPI_CALL fake_BeginCommandBuffer(VkCommandBuffer buffer, const VkCommandBufferBeginInfo *info) {
  (void)buffer, (void)info;
  TAKE("BeginCommandBuffer");
  return VK_SUCCESS;
}

static VkResult VKAPI_CALL fake_EndCommandBuffer(VkCommandBuffer buffer) {
  (void)buffer;
  TAKE("EndCommandBuffer");
  return VK_SUCCESS;
}

static void VKAPI_CALL fake_CmdBindPipeline(VkCommandBuffer buffer, VkPipelineBindPoint point, VkPipeline pipeline) {
  (void)buffer, (void)point;
  fake.calls++;
  commands.pipeline = OF(pipeline);
}

static void VKAPI_CALL fake_CmdBindDescriptorSets(VkCommandBuffer buffer, VkPipelineBindPoint point,
                                                  VkPipelineLayout layout, uint32_t first, uint32_t count,
                                                  const VkDescriptorSet *sets, uint32_t offset_count,
                                                  const uint32_t *offsets) {
  (void)buffer, (void)point, (void)layout, (void)first, (void)count, (void)offset_count, (void)offsets;
  fake.calls++;
  commands.set = OF(sets[0]);
}

static void VKAPI_CALL fake_CmdPushConstants(VkCommandBuffer buffer, VkPipelineLayout layout, VkShaderStageFlags stages,
                                             uint32_t offset, uint32_t size, const void *data) {
  (void)buffer, (void)layout, (void)stages, (void)offset;
  fake.calls++;
  memcpy(commands.range, data, size);
}

static void VKAPI_CALL fake_CmdDispatch(VkCommandBuffer buffer, uint32_t x, uint32_t y, uint32_t z) {
  (void)buffer, (void)x, (void)y, (void)z;
  fake.calls++;
  if (commands.count == MAX_RECORDED) return;
  commands.recorded[commands.count].pipeline = commands.pipeline;
  commands.recorded[commands.count].set = commands.set;
  memcpy(commands.recorded[commands.count++].range, commands.range, sizeof commands.range);
}

static void VKAPI_CALL fake_CmdCopyBuffer(VkCommandBuffer buffer, VkBuffer from, VkBuffer to, uint32_t count,
                                          const VkBufferCopy *regions) {
  (void)buffer, (void)count;
  fake.calls++;
  commands.from = OF(from);
  commands.to = OF(to);
  commands.region = regions[0];
}

static void VKAPI_CALL fake_CmdPipelineBarrier(VkCommandBuffer buffer, VkPipelineStageFlags from,
                                               VkPipelineStageFlags to, VkDependencyFlags flags, uint32_t count,
                                               const VkMemoryBarrier *barriers, uint32_t buffer_count,
                                               const VkBufferMemoryBarrier *buffers, uint32_t image_count,
                                               const VkImageMemoryBarrier *images) {
  (void)buffer, (void)from, (void)to, (void)flags, (void)count, (void)barriers, (void)buffer_count, (void)buffers;
  (void)image_count, (void)images;
  fake.calls++;
}

static void VKAPI_CALL fake_CmdResetQueryPool(VkCommandBuffer buffer, VkQueryPool pool, uint32_t first,
                                              uint32_t count) {
  (void)buffer, (void)pool, (void)first, (void)count;
  fake.calls++;
}

static void VKAPI_CALL fake_CmdWriteTimestamp(VkCommandBuffer buffer, VkPipelineStageFlagBits stage, VkQueryPool pool,
                                              uint32_t query) {
  (void)buffer, (void)stage, (void)pool, (void)query;
  fake.calls++;
}

static const vk_probe *find_probe(const object *pipeline) {
  size_t count;
  const vk_probe *probes = vk_probes(&count);
  for (size_t i = 0; i < count; i++)
    if (probes[i].words == pipeline->words) return &probes[i];
  return NULL;
}

static void run(const object *pipeline, const object *set, const uint32_t range[2]) {
  uint32_t *buffers[MAX_BOUND] = {0};
  for (size_t i = 0; i < MAX_BOUND; i++)
    if (set->bound[i]) buffers[i] = (uint32_t *)(void *)set->bound[i]->memory->data;
  const vk_probe *probe = find_probe(pipeline);
  fake.dispatches++;
  if (!probe) {
    fake.program(buffers, range[0], range[1]);
    return;
  }
  probe->expect(buffers[0]);
  if (fake.truncates_loops && !strcmp(probe->name, "loop")) buffers[0][1] = 65535;
}

static VkResult VKAPI_CALL fake_QueueSubmit(VkQueue to, uint32_t count, const VkSubmitInfo *submits, VkFence fence) {
  (void)to, (void)count, (void)submits, (void)fence;
  TAKE("QueueSubmit");
  fake.submits++;
  if (commands.from)
    memcpy(commands.to->memory->data + commands.region.dstOffset,
           commands.from->memory->data + commands.region.srcOffset, commands.region.size);
  for (size_t i = 0; i < commands.count; i++)
    run(commands.recorded[i].pipeline, commands.recorded[i].set, commands.recorded[i].range);
  return VK_SUCCESS;
}

PFN_vkVoidFunction VKAPI_CALL fake_resolve(VkInstance instance, const char *name) {
  static const struct {
    const char *name;
    PFN_vkVoidFunction function;
  } functions[] = {
#define VK_ENTRY(level, name, needed) {"vk" #name, (PFN_vkVoidFunction)fake_##name},
#include "vulkan/entries.def"
#undef VK_ENTRY
  };
  (void)instance;
  if (fake.hidden && !strcmp(fake.hidden, name)) return NULL;
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
    if (!strcmp(functions[i].name, name)) return functions[i].function;
  return NULL;
}

void fake_reset(void) {
  while (alive.next != &alive) end(alive.next); /* what Kiln kept on purpose */
  memset(&fake, 0, sizeof fake);
  memset(&commands, 0, sizeof commands);
  memset(&set_object, 0, sizeof set_object);
  fake.device_count = 1;
  fake.types[0] = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
}

void fake_arm(uint64_t fail_at, VkResult failure) {
  fake.fail_at = fail_at;
  fake.failure = failure;
  fake.failed = false;
  fake.calls = fake.fallible_calls = fake.calls_after_failure = 0;
}
