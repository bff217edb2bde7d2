/* Buffers: one allocation each, host visible and coherent, mapped for as long as they live. */
#include "vulkan/vulkan.h"

#include <string.h>

/* The first memory type allowed by `bits` with all of `flags`; UINT32_MAX when there is none. */
static uint32_t find_type(const VkPhysicalDeviceMemoryProperties *memory, uint32_t bits, VkMemoryPropertyFlags flags) {
  for (uint32_t i = 0; i < memory->memoryTypeCount; i++)
    if ((bits >> i & 1) && (memory->memoryTypes[i].propertyFlags & flags) == flags) return i;
  return UINT32_MAX;
}

/* Near the device first (a unified or resizable-BAR memory), then cached for the host's reads, then any. */
static uint32_t choose_type(const VkPhysicalDeviceMemoryProperties *memory, uint32_t bits) {
  const VkMemoryPropertyFlags shared = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
  const VkMemoryPropertyFlags wishes[] = {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT,
                                          VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, VK_MEMORY_PROPERTY_HOST_CACHED_BIT, 0};
  uint32_t type = UINT32_MAX;
  for (size_t i = 0; type == UINT32_MAX && i < sizeof wishes / sizeof *wishes; i++)
    type = find_type(memory, bits, shared | wishes[i]);
  return type;
}

static kiln_result allocate(kiln_device *device, vk_buffer *buffer) {
  VkMemoryRequirements needs;
  device->call.GetBufferMemoryRequirements(device->handle, buffer->handle, &needs);
  uint32_t type = choose_type(&device->candidate->facts.memory, needs.memoryTypeBits);
  if (type == UINT32_MAX) return vk_check(device, VK_ERROR_FEATURE_NOT_PRESENT, "choosing host-visible memory");
  VkMemoryAllocateInfo info = {
      .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = needs.size, .memoryTypeIndex = type};
  VkResult result = device->call.AllocateMemory(device->handle, &info, NULL, &buffer->memory);
  if (result != VK_SUCCESS) buffer->memory = VK_NULL_HANDLE;
  return vk_check(device, result, "vkAllocateMemory");
}

static kiln_result create_buffer(kiln_device *device, vk_buffer *buffer) {
  VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                             .size = buffer->size,
                             .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
                             .sharingMode = VK_SHARING_MODE_EXCLUSIVE};
  VkResult result = device->call.CreateBuffer(device->handle, &info, NULL, &buffer->handle);
  if (result != VK_SUCCESS) buffer->handle = VK_NULL_HANDLE;
  return vk_check(device, result, "vkCreateBuffer");
}

kiln_result vk_buffer_create(kiln_device *device, uint64_t size, vk_buffer *out) {
  memset(out, 0, sizeof *out);
  out->size = size < 16 ? 16 : size;
  kiln_result result = create_buffer(device, out);
  if (!result) result = allocate(device, out);
  if (!result)
    result = vk_check(device, device->call.BindBufferMemory(device->handle, out->handle, out->memory, 0),
                      "vkBindBufferMemory");
  if (!result)
    result = vk_check(device, device->call.MapMemory(device->handle, out->memory, 0, VK_WHOLE_SIZE, 0, &out->data),
                      "vkMapMemory");
  if (result) vk_buffer_destroy(device, out);
  return result;
}

void vk_buffer_destroy(kiln_device *device, vk_buffer *buffer) {
  if (buffer->handle) device->call.DestroyBuffer(device->handle, buffer->handle, NULL);
  if (buffer->memory) device->call.FreeMemory(device->handle, buffer->memory, NULL);
  memset(buffer, 0, sizeof *buffer);
}
