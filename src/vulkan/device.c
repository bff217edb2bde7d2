/* Listing, choosing, opening and closing devices, and the one place where the result of a Vulkan call is judged. */
#include <string.h>

#include "vulkan/os.h"
#include "vulkan/vulkan.h"

static const uint64_t default_time_limit_ns = 60000000000u;

kiln_result vk_check(kiln_device *device, VkResult result, const char *name) {
  static const diag_id ids[] = {[KILN_ERROR_MEMORY] = DIAG_vulkan_out_of_host_memory,
                                [KILN_ERROR_DEVICE] = DIAG_vulkan_call_failed,
                                [KILN_ERROR_DEVICE_LOST] = DIAG_device_lost,
                                [KILN_ERROR_DEVICE_MEMORY] = DIAG_out_of_device_memory,
                                [KILN_ERROR_TIMEOUT] = DIAG_vulkan_call_failed};
  if (result == VK_SUCCESS) return KILN_OK;
  kiln_result meaning = vk_result_meaning(result);
  if (meaning == KILN_ERROR_DEVICE_LOST) device->lost = true;
  diag_report(device->context->diags, ids[meaning], (loc){0}, name, device->candidate->facts.properties.deviceName,
              vk_result_name(result));
  return meaning;
}

kiln_result vk_device_ready(const kiln_device *device) {
  kiln_result result = vk_check_process(device->instance, device->context->diags);
  if (result || !device->lost) return result;
  diag_report(device->context->diags, DIAG_device_was_lost, (loc){0}, device->candidate->facts.properties.deviceName);
  return KILN_ERROR_DEVICE_LOST;
}

bool vk_device_reachable(const kiln_device *device) {
  return !device->abandoned && device->instance->process == vk_os_process();
}

static VkResult create_device(const vk_table *call, const vk_candidate *candidate, VkDevice *out) {
  const vk_facts *facts = &candidate->facts;
  const float priority = 1.0f;
  const char *extensions[2];
  uint32_t extension_count = 0;
  if (facts->chooses_size && facts->size_by_extension)
    extensions[extension_count++] = VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME;
  if (facts->i64_atomics && facts->atomics_by_extension)
    extensions[extension_count++] = VK_KHR_SHADER_ATOMIC_INT64_EXTENSION_NAME;
  VkPhysicalDeviceShaderAtomicInt64Features atomics = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_ATOMIC_INT64_FEATURES, .shaderBufferInt64Atomics = VK_TRUE};
  VkPhysicalDeviceSubgroupSizeControlFeatures control = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES,
      .subgroupSizeControl = VK_TRUE,
      .computeFullSubgroups = VK_TRUE};
  VkPhysicalDeviceFeatures2 features = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
      .pNext = vk_chain(facts->chooses_size, &control, vk_chain(facts->i64_atomics, &atomics, NULL)),
      .features = {.shaderFloat64 = facts->f64, .shaderInt64 = facts->i64}};
  VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                   .queueFamilyIndex = facts->queue_family,
                                   .queueCount = 1,
                                   .pQueuePriorities = &priority};
  VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                             .pNext = &features,
                             .queueCreateInfoCount = 1,
                             .pQueueCreateInfos = &queue,
                             .enabledExtensionCount = extension_count,
                             .ppEnabledExtensionNames = extensions};
  return call->CreateDevice(candidate->handle, &info, NULL, out);
}

static kiln_result start_device(kiln_device *device) {
  VkResult created = create_device(&device->call, device->candidate, &device->handle);
  if (created != VK_SUCCESS) {
    device->handle = VK_NULL_HANDLE;
    return vk_check(device, created, "vkCreateDevice");
  }
  const char *missing = vk_table_load_device(&device->call, device->handle);
  if (missing) {
    diag_report(device->context->diags, DIAG_vulkan_function_missing, (loc){0}, missing);
    return KILN_ERROR_DEVICE;
  }
  device->call.GetDeviceQueue(device->handle, device->candidate->facts.queue_family, 0, &device->queue);
  return KILN_OK;
}

kiln_result vk_device_create(kiln_context *context, const vk_instance *instance, const vk_candidate *candidate,
                             uint64_t time_limit_ns, kiln_device **out) {
  *out = NULL;
  kiln_device *device = mem_calloc(context->mem, 1, sizeof *device);
  if (!device) {
    diag_report(context->diags, DIAG_out_of_memory, (loc){0});
    return KILN_ERROR_MEMORY;
  }
  device->context = context;
  device->instance = instance;
  device->candidate = candidate;
  device->info = &instance->infos[candidate - instance->candidates];
  device->call = instance->call;
  device->time_limit_ns = time_limit_ns ? time_limit_ns : default_time_limit_ns;
  kiln_result result = start_device(device);
  if (result)
    kiln_device_close(device);
  else
    *out = device;
  return result;
}

void kiln_device_close(kiln_device *device) {
  if (!device) return;
  if (device->handle && vk_device_reachable(device) && device->call.DestroyDevice)
    device->call.DestroyDevice(device->handle, NULL);
  mem_free(device->context->mem, device, sizeof *device);
}

const kiln_device_info *kiln_device_get(const kiln_device *device) { return device->info; }

static kiln_device_info describe(const vk_candidate *candidate, uint32_t index) {
  const VkPhysicalDeviceProperties *properties = &candidate->facts.properties;
  return (kiln_device_info){.index = index,
                            .name = str_from(properties->deviceName),
                            .driver = str_from(candidate->facts.driver.driverInfo),
                            .vendor = properties->vendorID,
                            .device = properties->deviceID,
                            .api_version = properties->apiVersion,
                            .driver_version = properties->driverVersion,
                            .usable = !candidate->refusal[0],
                            .refusal = str_from(candidate->refusal),
                            .profile = vk_facts_profile(&candidate->facts)};
}

/* Tests every candidate that its facts do not already refuse; each once. */
kiln_result vk_devices_test(kiln_context *context, vk_instance *instance) {
  for (uint32_t i = 0; i < instance->count; i++) {
    vk_candidate *candidate = &instance->candidates[i];
    if (candidate->tested) continue;
    instance->infos[i] = describe(candidate, i); /* the probes need the limits */
    kiln_result result = candidate->refusal[0] ? KILN_OK : vk_selftest(context, instance, candidate);
    if (result) {
      diag_report(context->diags, DIAG_out_of_memory, (loc){0});
      return result;
    }
    candidate->tested = true;
    instance->infos[i] = describe(candidate, i);
  }
  return KILN_OK;
}

static bool same_letter(char a, char b) {
  return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == (b >= 'A' && b <= 'Z' ? b - 'A' + 'a' : b);
}

static bool contains(kiln_str name, kiln_str part) {
  for (size_t start = 0; start + part.size <= name.size; start++) {
    size_t same = 0;
    while (same < part.size && same_letter(name.data[start + same], part.data[same])) same++;
    if (same == part.size) return true;
  }
  return false;
}

/* The index that a text of decimal digits means; UINT32_MAX when it is something else or too large. */
static uint32_t parse_index(kiln_str digits) {
  uint32_t index = 0;
  if (!digits.size || digits.size > 6) return UINT32_MAX;
  for (size_t i = 0; i < digits.size; i++) {
    if (digits.data[i] < '0' || digits.data[i] > '9') return UINT32_MAX;
    index = index * 10 + (uint32_t)(digits.data[i] - '0');
  }
  return index;
}

/* Discrete before integrated before virtual before CPU; a usable device before any refused one. */
static int rank(const vk_candidate *candidate) {
  static const int ranks[] = {[VK_PHYSICAL_DEVICE_TYPE_OTHER] = 1,
                              [VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU] = 4,
                              [VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU] = 5,
                              [VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU] = 3,
                              [VK_PHYSICAL_DEVICE_TYPE_CPU] = 2};
  uint32_t type = (uint32_t)candidate->facts.properties.deviceType;
  int by_type = type < sizeof ranks / sizeof *ranks ? ranks[type] : 1;
  return candidate->refusal[0] ? by_type : by_type + 10;
}

static const vk_candidate *choose(const vk_instance *instance, kiln_str select) {
  uint32_t index = parse_index(select);
  if (index != UINT32_MAX) return index < instance->count ? &instance->candidates[index] : NULL;
  const vk_candidate *best = NULL;
  for (size_t i = 0; i < instance->count; i++) {
    const vk_candidate *candidate = &instance->candidates[i];
    if (!contains(instance->infos[i].name, select) && !contains(instance->infos[i].driver, select)) continue;
    if (!best || rank(candidate) > rank(best)) best = candidate;
  }
  return best;
}

static kiln_result no_match(const kiln_context *context, const vk_instance *instance, kiln_str select) {
  if (instance->count)
    diag_report(context->diags, DIAG_device_not_found, (loc){0}, STR_FMT(select), (int)instance->count);
  else
    diag_report(context->diags, DIAG_no_device, (loc){0});
  return instance->count ? KILN_ERROR_INVALID : KILN_ERROR_DEVICE;
}

kiln_result vk_device_open(kiln_context *context, vk_instance *instance, const kiln_device_desc *desc,
                           kiln_device **out) {
  *out = NULL;
  const vk_candidate *candidate = choose(instance, desc->select);
  if (!candidate) return no_match(context, instance, desc->select);
  if (candidate->refusal[0] && !(desc->accept_failed && candidate->facts.queue_family != UINT32_MAX)) {
    diag_report(context->diags, DIAG_device_refused, (loc){0}, candidate->facts.properties.deviceName,
                candidate->refusal);
    return KILN_ERROR_DEVICE;
  }
  kiln_result result = vk_device_create(context, instance, candidate, desc->time_limit_ns, out);
  if (result) return result;
  (*out)->print = desc->print;
  (*out)->print_user = desc->print_user;
  return KILN_OK;
}

static const kiln_device_desc default_desc;

kiln_result kiln_devices(kiln_context *context, const kiln_device_desc *desc, const kiln_device_info **out,
                         size_t *count) {
  vk_instance *instance;
  *out = NULL;
  *count = 0;
  kiln_result result = vk_instance_shared(context, desc ? desc : &default_desc, &instance);
  if (result) return result;
  *out = instance->infos;
  *count = instance->count;
  return KILN_OK;
}

kiln_result kiln_device_open(kiln_context *context, const kiln_device_desc *desc, kiln_device **out) {
  vk_instance *instance;
  *out = NULL;
  if (!desc) desc = &default_desc;
  kiln_result result = vk_instance_shared(context, desc, &instance);
  return result ? result : vk_device_open(context, instance, desc, out);
}
