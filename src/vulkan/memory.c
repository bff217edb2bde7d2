/* Buffers: one allocation each, mapped for as long as they live where the host sees their memory.
 *
 * A buffer near the device lies in memory that is both the device's own and the host's (a unified memory, a CPU driver,
 * a resizable BAR) when the host sees at least half of it; else in the device's own, reached by transfers. */
#include "vulkan/vulkan.h"

#include <string.h>

static const VkMemoryPropertyFlags mappable =
    VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;

/* The first memory type allowed by `bits` with all of `flags` in a heap of `least_heap` bytes; UINT32_MAX for none. */
static uint32_t find_type(const VkPhysicalDeviceMemoryProperties *memory, uint32_t bits, VkMemoryPropertyFlags flags,
                          uint64_t least_heap) {
  for (uint32_t i = 0; i < memory->memoryTypeCount; i++) {
    const VkMemoryType *type = &memory->memoryTypes[i];
    if ((bits >> i & 1) && (type->propertyFlags & flags) == flags &&
        memory->memoryHeaps[type->heapIndex].size >= least_heap)
      return i;
  }
  return UINT32_MAX;
}

static uint64_t largest_local_heap(const VkPhysicalDeviceMemoryProperties *memory) {
  uint64_t largest = 0;
  for (uint32_t i = 0; i < memory->memoryHeapCount; i++)
    if ((memory->memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) && memory->memoryHeaps[i].size > largest)
      largest = memory->memoryHeaps[i].size;
  return largest;
}

/* Wishes in order; cached memory first, because the host reads results. */
static uint32_t choose_type(const VkPhysicalDeviceMemoryProperties *memory, uint32_t bits, vk_place place) {
  const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, cached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
  const uint64_t half = largest_local_heap(memory) / 2;
  const struct {
    VkMemoryPropertyFlags flags;
    uint64_t least_heap;
  } near_device[] = {{mappable | local | cached, half}, {mappable | local, half}, {local, half}, {mappable, 0}},
    near_host[] = {{mappable | cached, 0}, {mappable, 0}};
  const size_t count = place == VK_NEAR_DEVICE ? 4 : 2;
  uint32_t type = UINT32_MAX;
  for (size_t i = 0; type == UINT32_MAX && i < count; i++)
    type = place == VK_NEAR_DEVICE ? find_type(memory, bits, near_device[i].flags, near_device[i].least_heap)
                                   : find_type(memory, bits, near_host[i].flags, near_host[i].least_heap);
  return type;
}

static kiln_result map_buffer(kiln_device *device, vk_buffer *buffer) {
  VkResult result = device->call.MapMemory(device->handle, buffer->memory, 0, VK_WHOLE_SIZE, 0, &buffer->data);
  if (result != VK_SUCCESS) buffer->data = NULL;
  return vk_check(device, result, "vkMapMemory");
}

static kiln_result allocate(kiln_device *device, vk_place place, vk_buffer *buffer) {
  const VkPhysicalDeviceMemoryProperties *memory = &device->candidate->facts.memory;
  VkMemoryRequirements needs;
  device->call.GetBufferMemoryRequirements(device->handle, buffer->handle, &needs);
  uint32_t type = choose_type(memory, needs.memoryTypeBits, place);
  if (type == UINT32_MAX) return vk_check(device, VK_ERROR_FEATURE_NOT_PRESENT, "choosing a memory type");
  VkMemoryAllocateInfo info = {
      .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = needs.size, .memoryTypeIndex = type};
  VkResult allocated = device->call.AllocateMemory(device->handle, &info, NULL, &buffer->memory);
  if (allocated != VK_SUCCESS) buffer->memory = VK_NULL_HANDLE;
  kiln_result result = vk_check(device, allocated, "vkAllocateMemory");
  if (!result)
    result = vk_check(device, device->call.BindBufferMemory(device->handle, buffer->handle, buffer->memory, 0),
                      "vkBindBufferMemory");
  bool visible = (memory->memoryTypes[type].propertyFlags & mappable) == mappable;
  return result || !visible ? result : map_buffer(device, buffer);
}

static kiln_result create_buffer(kiln_device *device, vk_buffer *buffer) {
  VkBufferCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
      .size = buffer->size,
      .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
      .sharingMode = VK_SHARING_MODE_EXCLUSIVE};
  VkResult result = device->call.CreateBuffer(device->handle, &info, NULL, &buffer->handle);
  if (result != VK_SUCCESS) buffer->handle = VK_NULL_HANDLE;
  return vk_check(device, result, "vkCreateBuffer");
}

kiln_result vk_buffer_create(kiln_device *device, uint64_t size, vk_place place, vk_buffer *out) {
  memset(out, 0, sizeof *out);
  out->size = size < 16 ? 16 : size;
  kiln_result result = create_buffer(device, out);
  if (!result) result = allocate(device, place, out);
  if (result) vk_buffer_destroy(device, out);
  return result;
}

void vk_buffer_destroy(kiln_device *device, vk_buffer *buffer) {
  if (buffer->handle) device->call.DestroyBuffer(device->handle, buffer->handle, NULL);
  if (buffer->memory) device->call.FreeMemory(device->handle, buffer->memory, NULL);
  memset(buffer, 0, sizeof *buffer);
}
