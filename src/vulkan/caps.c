/* What a physical device can do: its facts in one struct, the reasons to refuse it, and the profile for the compiler.
 */
#include <stdio.h>
#include <string.h>

#include "vulkan/vulkan.h"

/* Queues whose families compute; a family of compute alone is preferred to one that draws too. Two calls, always: with
 * spare capacity SwiftShader writes its one family as often as there is room. */
static kiln_result read_queues(const vk_table *call, VkPhysicalDevice physical, mem m, vk_facts *out) {
  uint32_t count = 0;
  out->queue_family = UINT32_MAX;
  call->GetPhysicalDeviceQueueFamilyProperties(physical, &count, NULL);
  if (!count) return KILN_OK;
  size_t size = count * sizeof(VkQueueFamilyProperties);
  VkQueueFamilyProperties *families = mem_calloc(m, count, sizeof *families);
  if (!families) return KILN_ERROR_MEMORY;
  call->GetPhysicalDeviceQueueFamilyProperties(physical, &count, families);
  for (uint32_t i = 0; i < count; i++) {
    if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) || !families[i].queueCount) continue;
    bool draws = families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT;
    if (out->queue_family != UINT32_MAX && draws) continue;
    out->queue_family = i;
    out->timestamp_bits = families[i].timestampValidBits;
    if (!draws) break;
  }
  mem_free(m, families, size);
  return KILN_OK;
}

/* What a device has by its version of Vulkan, or by an extension. */
typedef struct addition {
  const char *extension;
  bool has;
} addition;

static kiln_result find_extensions(const vk_table *call, VkPhysicalDevice physical, mem m, addition *wanted,
                                   size_t wanted_count) {
  uint32_t count = 0;
  VkResult result = call->EnumerateDeviceExtensionProperties(physical, NULL, &count, NULL);
  if (result != VK_SUCCESS) return vk_result_meaning(result);
  if (!count) return KILN_OK;
  size_t size = count * sizeof(VkExtensionProperties);
  VkExtensionProperties *extensions = mem_calloc(m, count, sizeof *extensions);
  if (!extensions) return KILN_ERROR_MEMORY;
  result = call->EnumerateDeviceExtensionProperties(physical, NULL, &count, extensions);
  for (uint32_t i = 0; result >= VK_SUCCESS && i < count; i++)
    for (size_t k = 0; k < wanted_count; k++)
      wanted[k].has |= strcmp(extensions[i].extensionName, wanted[k].extension) == 0;
  mem_free(m, extensions, size);
  return result < VK_SUCCESS ? vk_result_meaning(result) : KILN_OK;
}

void *vk_chain(bool known, void *structure, void *next) {
  if (known) ((VkBaseOutStructure *)structure)->pNext = next;
  return known ? structure : next;
}

static void read_features(const vk_table *call, VkPhysicalDevice physical, bool has_size_control, bool has_atomics,
                          vk_facts *out) {
  VkPhysicalDeviceSubgroupSizeControlFeatures control = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES};
  VkPhysicalDeviceShaderAtomicInt64Features atomics = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_ATOMIC_INT64_FEATURES};
  VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
  features.pNext = vk_chain(has_size_control, &control, vk_chain(has_atomics, &atomics, NULL));
  call->GetPhysicalDeviceFeatures2(physical, &features);
  out->f64 = features.features.shaderFloat64;
  out->i64 = features.features.shaderInt64;
  out->i64_atomics = out->i64 && atomics.shaderBufferInt64Atomics;
  out->chooses_size = control.subgroupSizeControl && control.computeFullSubgroups &&
                      (out->sizes.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT);
}

static void read_properties(const vk_table *call, VkPhysicalDevice physical, bool has_size_control, vk_facts *out) {
  out->subgroup.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES;
  out->allocation.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES;
  out->driver.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES;
  out->sizes.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES;
  out->subgroup.pNext = &out->allocation;
  if (has_size_control) out->allocation.pNext = &out->sizes;
  if (out->properties.apiVersion >= VK_API_VERSION_1_2) {
    out->driver.pNext = &out->subgroup;
  }
  VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                            .pNext = out->driver.pNext ? (void *)&out->driver : (void *)&out->subgroup};
  call->GetPhysicalDeviceProperties2(physical, &properties);
}

kiln_result vk_facts_read(const vk_table *call, VkPhysicalDevice physical, mem m, vk_facts *out) {
  memset(out, 0, sizeof *out);
  call->GetPhysicalDeviceProperties(physical, &out->properties);
  call->GetPhysicalDeviceMemoryProperties(physical, &out->memory);
  kiln_result result = read_queues(call, physical, m, out);
  if (result || out->properties.apiVersion < VK_API_VERSION_1_1) return result;
  enum { SIZE_CONTROL, ATOMICS, SPLIT_BARRIER, ADDITIONS };
  const bool has_1_2 = out->properties.apiVersion >= VK_API_VERSION_1_2,
             has_1_3 = out->properties.apiVersion >= VK_API_VERSION_1_3;
  addition additions[ADDITIONS] = {[SIZE_CONTROL] = {VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME, has_1_3},
                                   [ATOMICS] = {VK_KHR_SHADER_ATOMIC_INT64_EXTENSION_NAME, has_1_2},
                                   [SPLIT_BARRIER] = {"VK_EXT_shader_split_barrier", false}};
  result = find_extensions(call, physical, m, additions, ADDITIONS);
  if (result) return result;
  out->size_by_extension = !has_1_3;
  out->atomics_by_extension = !has_1_2;
  out->split_barrier = additions[SPLIT_BARRIER].has;
  read_properties(call, physical, additions[SIZE_CONTROL].has, out);
  read_features(call, physical, additions[SIZE_CONTROL].has, additions[ATOMICS].has, out);
  return KILN_OK;
}

static uint32_t subgroup_size(const vk_facts *facts) {
  uint32_t size = facts->subgroup.subgroupSize;
  if (!facts->chooses_size) return size;
  if (size < facts->sizes.minSubgroupSize) return facts->sizes.minSubgroupSize;
  return size > facts->sizes.maxSubgroupSize ? facts->sizes.maxSubgroupSize : size;
}

void vk_facts_judge(const vk_facts *facts, char refusal[VK_REASON_SIZE]) {
  const VkSubgroupFeatureFlags needed = VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_ARITHMETIC_BIT |
                                        VK_SUBGROUP_FEATURE_BALLOT_BIT | VK_SUBGROUP_FEATURE_SHUFFLE_BIT;
  uint32_t api = facts->properties.apiVersion;
  refusal[0] = 0;
  if (api < VK_API_VERSION_1_1)
    snprintf(refusal, VK_REASON_SIZE, "it offers Vulkan %u.%u, Kiln needs 1.1 or later: install a newer driver",
             VK_API_VERSION_MAJOR(api), VK_API_VERSION_MINOR(api));
  else if (facts->queue_family == UINT32_MAX)
    snprintf(refusal, VK_REASON_SIZE, "it has no queue that computes");
  else if (!(facts->subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) ||
           (facts->subgroup.supportedOperations & needed) != needed)
    snprintf(refusal, VK_REASON_SIZE,
             "its compute shaders lack subgroup arithmetic, ballot or shuffle (operations 0x%x, Kiln needs 0x%x)",
             facts->subgroup.supportedOperations, needed);
  else if (subgroup_size(facts) < 4)
    snprintf(refusal, VK_REASON_SIZE, "its subgroups have %u invocations, Kiln needs 4 or more", subgroup_size(facts));
  else if (facts->properties.limits.maxComputeWorkGroupInvocations < 128 ||
           !facts->properties.limits.maxComputeWorkGroupCount[0])
    snprintf(refusal, VK_REASON_SIZE, "its limits are below what Vulkan promises (%u invocations, %u workgroups)",
             facts->properties.limits.maxComputeWorkGroupInvocations,
             facts->properties.limits.maxComputeWorkGroupCount[0]);
}

enum { VK_POLLS = 1 << 24 }; /* of a wait: some seconds */
/* Of a subgroup, 16 bytes each: what does not fit the stack of a function, 512 KiB, ends the process. */
enum { SWIFTSHADER_VALUES = (512 << 10) / 16 };

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

static uint64_t buffer_range(const vk_facts *facts) {
  uint64_t range = facts->properties.limits.maxStorageBufferRange;
  uint64_t allocation = facts->allocation.maxMemoryAllocationSize;
  return allocation && allocation < range ? allocation : range;
}

kiln_profile vk_facts_profile(const vk_facts *facts) {
  const VkPhysicalDeviceLimits *limits = &facts->properties.limits;
  kiln_profile profile = {
      .subgroup_size = subgroup_size(facts),
      .max_workgroup_size = least(limits->maxComputeWorkGroupInvocations, limits->maxComputeWorkGroupSize[0]),
      .max_workgroup_count = limits->maxComputeWorkGroupCount[0],
      .shared_memory = limits->maxComputeSharedMemorySize,
      .max_bindings = least(least(limits->maxPerStageDescriptorStorageBuffers, limits->maxDescriptorSetStorageBuffers),
                            limits->maxPerStageResources),
      .max_buffer_range = buffer_range(facts),
      .f64 = facts->f64,
      .i64 = facts->i64,
      .i64_atomics = facts->i64_atomics,
      .serial_subgroups = facts->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU,
      .lock_step = facts->lock_step,
      .one_subgroup = facts->roles_fail,
      .split_barrier = facts->split_barrier,
      .polls = facts->progress ? VK_POLLS : 0,
      .max_values = facts->driver.driverID == VK_DRIVER_ID_GOOGLE_SWIFTSHADER ? SWIFTSHADER_VALUES : 0,
  };
  uint64_t by_subgroups = (uint64_t)facts->sizes.maxComputeWorkgroupSubgroups * profile.subgroup_size;
  if (facts->chooses_size && by_subgroups && by_subgroups < profile.max_workgroup_size)
    profile.max_workgroup_size = (uint32_t)by_subgroups;
  return profile;
}
