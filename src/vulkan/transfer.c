/* Data in and out of a launch's buffers: straight into memory that the host sees, else through a staging buffer. */
#include <string.h>

#include "vulkan/vulkan.h"

enum { STAGING_SIZE = 16 << 20 };

static kiln_result check_size(const kiln_launch *launch, uint32_t binding, size_t size) {
  kiln_result result = vk_device_ready(launch->device);
  if (result) return result;
  uint64_t room = binding < launch->count ? launch->bounds[binding].binding.size : 0;
  if (binding < launch->count && size <= room) return KILN_OK;
  diag_report(launch->device->context->diags, DIAG_launch_array_size, (loc){0}, (unsigned long long)size,
              (unsigned long long)room);
  return KILN_ERROR_INVALID;
}

static kiln_result make_staging(kiln_launch *launch) {
  uint64_t largest = 0;
  if (launch->staging.data) return KILN_OK;
  for (size_t i = 0; i < launch->count; i++)
    if (launch->bounds[i].buffer.size > largest) largest = launch->bounds[i].buffer.size;
  return vk_buffer_create(launch->device, largest < STAGING_SIZE ? largest : STAGING_SIZE, VK_NEAR_HOST,
                          &launch->staging);
}

static void record_order(const kiln_launch *launch, VkPipelineStageFlags from, VkAccessFlags written,
                         VkPipelineStageFlags to, VkAccessFlags used) {
  VkMemoryBarrier barrier = {
      .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER, .srcAccessMask = written, .dstAccessMask = used};
  launch->device->call.CmdPipelineBarrier(launch->commands, from, to, 0, 1, &barrier, 0, NULL, 0, NULL);
}

/* One copy on the device, ordered after what wrote the source and before what reads the target. */
static kiln_result copy(kiln_launch *launch, const vk_buffer *from, const vk_buffer *to, VkBufferCopy region) {
  const VkPipelineStageFlags shader = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, transfer = VK_PIPELINE_STAGE_TRANSFER_BIT;
  const VkAccessFlags uses = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_HOST_READ_BIT;
  kiln_result result = vk_launch_begin(launch);
  if (result) return result;
  record_order(launch, shader, VK_ACCESS_SHADER_WRITE_BIT, transfer,
               VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT);
  launch->device->call.CmdCopyBuffer(launch->commands, from->handle, to->handle, 1, &region);
  record_order(launch, transfer, VK_ACCESS_TRANSFER_WRITE_BIT, shader | VK_PIPELINE_STAGE_HOST_BIT, uses);
  result = vk_launch_end(launch);
  return result ? result : vk_launch_submit(launch);
}

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* Writes `size` bytes and zeros behind them, to the end of the buffer. */
static kiln_result write_staged(kiln_launch *launch, const vk_buffer *buffer, const char *data, size_t size) {
  const vk_buffer *staging = &launch->staging;
  kiln_result result = make_staging(launch);
  for (uint64_t at = 0; !result && at < buffer->size; at += staging->size) {
    uint64_t taken = least(buffer->size - at, staging->size), given = at < size ? least(size - at, taken) : 0;
    if (given) memcpy(staging->data, data + at, (size_t)given);
    memset((char *)staging->data + given, 0, (size_t)(taken - given));
    result = copy(launch, staging, buffer, (VkBufferCopy){.dstOffset = at, .size = taken});
  }
  return result;
}

static kiln_result read_staged(kiln_launch *launch, const vk_buffer *buffer, char *data, size_t size) {
  const vk_buffer *staging = &launch->staging;
  kiln_result result = make_staging(launch);
  for (uint64_t at = 0; !result && at < size; at += staging->size) {
    uint64_t taken = least(size - at, staging->size);
    result = copy(launch, buffer, staging, (VkBufferCopy){.srcOffset = at, .size = taken});
    if (!result) memcpy(data + at, staging->data, (size_t)taken);
  }
  return result;
}

kiln_result vk_launch_write(kiln_launch *launch, uint32_t binding, const void *data, size_t size) {
  kiln_result result = check_size(launch, binding, size);
  if (result || !size) return result;
  const vk_buffer *buffer = &launch->bounds[binding].buffer;
  if (!buffer->data) return write_staged(launch, buffer, data, size);
  memcpy(buffer->data, data, size);
  memset((char *)buffer->data + size, 0, (size_t)buffer->size - size);
  return KILN_OK;
}

kiln_result vk_launch_zero(kiln_launch *launch, uint32_t binding, size_t size) {
  const vk_buffer *buffer = &launch->bounds[binding].buffer, *zeroed = buffer->data ? buffer : &launch->staging;
  kiln_result result = check_size(launch, binding, size);
  if (!result && !buffer->data) result = make_staging(launch);
  if (result) return result;
  memset(zeroed->data, 0, size);
  return buffer->data ? KILN_OK : copy(launch, zeroed, buffer, (VkBufferCopy){.size = size});
}

kiln_result vk_launch_read(kiln_launch *launch, uint32_t binding, void *data, size_t size) {
  kiln_result result = check_size(launch, binding, size);
  if (result || !size) return result;
  const vk_buffer *buffer = &launch->bounds[binding].buffer;
  if (!buffer->data) return read_staged(launch, buffer, data, size);
  memcpy(data, buffer->data, size);
  return KILN_OK;
}

/* The binding of a parameter; as many as there are bindings when it has none. */
static uint32_t binding_of(const kiln_launch *launch, uint32_t param) {
  uint32_t i = 0;
  while (i < launch->count &&
         (launch->bounds[i].binding.kind != KILN_BINDING_PARAM || launch->bounds[i].binding.param != param))
    i++;
  return i;
}

bool vk_launch_uses(const kiln_launch *launch, uint32_t param) { return binding_of(launch, param) < launch->count; }

static kiln_result find_param(const kiln_launch *launch, uint32_t param, uint32_t *out) {
  *out = binding_of(launch, param);
  if (*out < launch->count) return KILN_OK;
  diag_report(launch->device->context->diags, DIAG_launch_no_param, (loc){0}, (unsigned)param);
  return KILN_ERROR_INVALID;
}

/* ---- arrays in layouts ---- */

/* By way of memory that holds the array as the buffer does. */
static kiln_result move_packed(kiln_launch *launch, uint32_t binding, const kiln_array *array, bool up) {
  const kiln_layout *layout = &launch->bounds[binding].binding.layout;
  kiln_context *context = launch->device->context;
  const size_t size = kiln_layout_size(layout, array);
  void *packed = size ? mem_calloc(context->mem, 1, size) : NULL;
  if (size && !packed) diag_report(context->diags, DIAG_out_of_memory, (loc){0});
  if (!packed) return size ? KILN_ERROR_MEMORY : KILN_OK;
  if (up) kiln_layout_pack(layout, array, packed);
  kiln_result result =
      up ? vk_launch_write(launch, binding, packed, size) : vk_launch_read(launch, binding, packed, size);
  if (!up && !result) kiln_layout_unpack(layout, packed, array);
  mem_free(context->mem, packed, size);
  return result;
}

kiln_result kiln_launch_upload(kiln_launch *launch, uint32_t param, const kiln_array *array) {
  uint32_t binding;
  kiln_result result = find_param(launch, param, &binding);
  if (result) return result;
  if (launch->bounds[binding].binding.layout.rank) return move_packed(launch, binding, array, true);
  return vk_launch_write(launch, binding, array->data, array->size);
}

kiln_result kiln_launch_download(kiln_launch *launch, uint32_t param, const kiln_array *array) {
  uint32_t binding;
  kiln_result result = find_param(launch, param, &binding);
  if (result) return result;
  if (launch->bounds[binding].binding.layout.rank) return move_packed(launch, binding, array, false);
  return vk_launch_read(launch, binding, array->data, array->size);
}
