/* A program made ready on a device and run: descriptors, one command buffer, a wait with a limit. */
#include <string.h>

#include "ir/log.h"
#include "vulkan/vulkan.h"

enum { MAX_DISPATCHES = 1 << 20 }; /* in one submission */

static const uint64_t STOP_NS = 500000000; /* for a kernel that was asked to stop */

/* Checks, before any Vulkan object exists */

static kiln_result exceeds(const kiln_device *device, const char *what, uint64_t needed, uint64_t limit) {
  if (needed <= limit) return KILN_OK;
  diag_report(device->context->diags, DIAG_program_exceeds_device, (loc){0}, (unsigned long long)needed, what,
              device->candidate->facts.properties.deviceName, (unsigned long long)limit);
  return KILN_ERROR_LIMIT;
}

static kiln_result lacks(const kiln_device *device, bool needed, bool offered, const char *what) {
  if (!needed || offered) return KILN_OK;
  diag_report(device->context->diags, DIAG_program_needs_feature, (loc){0}, what,
              device->candidate->facts.properties.deviceName);
  return KILN_ERROR_UNSUPPORTED;
}

static kiln_result malformed(const kiln_device *device, const char *what) {
  diag_report(device->context->diags, DIAG_program_malformed, (loc){0}, what);
  return KILN_ERROR_INVALID;
}

static kiln_result check_form(const kiln_device *device, const kiln_program_info *program) {
  if (!program->words || program->word_count < 5 || program->words[0] != 0x07230203)
    return malformed(device, "its words are not SPIR-V");
  if (!program->workgroup_size || !program->units_per_workgroup) return malformed(device, "a workgroup is empty");
  if (program->push_constant_size != 0 && program->push_constant_size != 8)
    return malformed(device, "push constants are not two words");
  if (program->subgroup_size && program->workgroup_size % program->subgroup_size)
    return malformed(device, "its workgroup is not made of full subgroups");
  for (size_t i = 0; i < program->binding_count; i++)
    if (program->bindings[i].size % 16) return malformed(device, "the size of a buffer is not a multiple of 16");
  return KILN_OK;
}

static kiln_result check_subgroup(const kiln_device *device, uint32_t size) {
  const vk_facts *facts = &device->candidate->facts;
  bool fits = facts->chooses_size ? size >= facts->sizes.minSubgroupSize && size <= facts->sizes.maxSubgroupSize &&
                                        (size & (size - 1)) == 0
                                  : size == facts->subgroup.subgroupSize;
  return lacks(device, size != 0, fits, "subgroups of the size that the program was compiled for");
}

static uint64_t largest_heap(const VkPhysicalDeviceMemoryProperties *memory) {
  uint64_t largest = 0;
  for (uint32_t i = 0; i < memory->memoryHeapCount; i++)
    if (memory->memoryHeaps[i].size > largest) largest = memory->memoryHeaps[i].size;
  return largest;
}

static kiln_result check_buffers(const kiln_device *device, const kiln_program_info *program) {
  const kiln_profile *limits = &device->info->profile;
  uint64_t total = 0;
  kiln_result result = exceeds(device, "storage buffers", program->binding_count, limits->max_bindings);
  for (size_t i = 0; !result && i < program->binding_count; i++) {
    result = exceeds(device, "bytes in one buffer", program->bindings[i].size, limits->max_buffer_range);
    total += program->bindings[i].size; /* cannot wrap: both factors have just been bounded by 32-bit limits */
  }
  return result ? result : exceeds(device, "bytes of memory", total, largest_heap(&device->candidate->facts.memory));
}

static kiln_result check_program(const kiln_device *device, const kiln_program_info *program) {
  const kiln_profile *limits = &device->info->profile;
  kiln_result result = check_form(device, program);
  if (!result) result = check_buffers(device, program);
  if (!result)
    result = exceeds(device, "invocations in a workgroup", program->workgroup_size, limits->max_workgroup_size);
  if (!result) result = exceeds(device, "bytes of shared memory", program->shared_memory, limits->shared_memory);
  if (!result) result = exceeds(device, "grid points", program->unit_count, UINT32_MAX);
  if (!result) result = lacks(device, program->needs_f64, limits->f64, "64-bit floats");
  if (!result) result = lacks(device, program->needs_i64, limits->i64, "64-bit integers");
  if (!result) result = lacks(device, program->needs_i64_atomics, limits->i64_atomics, "64-bit atomics");
  return result ? result : check_subgroup(device, program->subgroup_size);
}

/* Making a launch */

static kiln_result create_buffers(kiln_launch *launch) {
  kiln_result result = KILN_OK;
  for (size_t i = 0; !result && i < launch->count; i++)
    result =
        vk_buffer_create(launch->device, launch->bounds[i].binding.size, VK_NEAR_DEVICE, &launch->bounds[i].buffer);
  return result;
}

static kiln_result allocate_set(kiln_launch *launch) {
  kiln_device *device = launch->device;
  VkDescriptorPoolSize size = {.type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                               .descriptorCount = launch->count ? (uint32_t)launch->count : 1};
  VkDescriptorPoolCreateInfo pool = {
      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, .maxSets = 1, .poolSizeCount = 1, .pPoolSizes = &size};
  VkResult result = device->call.CreateDescriptorPool(device->handle, &pool, NULL, &launch->descriptors);
  if (result != VK_SUCCESS) {
    launch->descriptors = VK_NULL_HANDLE;
    return vk_check(device, result, "vkCreateDescriptorPool");
  }
  VkDescriptorSetAllocateInfo set = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                     .descriptorPool = launch->descriptors,
                                     .descriptorSetCount = 1,
                                     .pSetLayouts = &launch->pipeline.set_layout};
  result = device->call.AllocateDescriptorSets(device->handle, &set, &launch->set);
  return vk_check(device, result, "vkAllocateDescriptorSets");
}

static void write_set(kiln_launch *launch) {
  for (uint32_t i = 0; i < launch->count; i++) {
    VkDescriptorBufferInfo buffer = {.buffer = launch->bounds[i].buffer.handle, .range = VK_WHOLE_SIZE};
    VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                  .dstSet = launch->set,
                                  .dstBinding = i,
                                  .descriptorCount = 1,
                                  .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                  .pBufferInfo = &buffer};
    launch->device->call.UpdateDescriptorSets(launch->device->handle, 1, &write, 0, NULL);
  }
}

static kiln_result create_commands(kiln_launch *launch) {
  kiln_device *device = launch->device;
  VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                  .queueFamilyIndex = device->candidate->facts.queue_family};
  VkResult result = device->call.CreateCommandPool(device->handle, &pool, NULL, &launch->pool);
  if (result != VK_SUCCESS) {
    launch->pool = VK_NULL_HANDLE;
    return vk_check(device, result, "vkCreateCommandPool");
  }
  VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                      .commandPool = launch->pool,
                                      .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                      .commandBufferCount = 1};
  result = device->call.AllocateCommandBuffers(device->handle, &info, &launch->commands);
  return vk_check(device, result, "vkAllocateCommandBuffers");
}

static kiln_result create_fence(kiln_launch *launch) {
  VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
  VkResult result = launch->device->call.CreateFence(launch->device->handle, &info, NULL, &launch->fence);
  if (result != VK_SUCCESS) launch->fence = VK_NULL_HANDLE;
  return vk_check(launch->device, result, "vkCreateFence");
}

static kiln_result create_queries(kiln_launch *launch) {
  if (!launch->device->candidate->facts.timestamp_bits) return KILN_OK;
  VkQueryPoolCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO, .queryType = VK_QUERY_TYPE_TIMESTAMP, .queryCount = 2};
  VkResult result = launch->device->call.CreateQueryPool(launch->device->handle, &info, NULL, &launch->queries);
  if (result != VK_SUCCESS) launch->queries = VK_NULL_HANDLE;
  return vk_check(launch->device, result, "vkCreateQueryPool");
}

static kiln_launch *new_launch(kiln_device *device, const kiln_program_info *program) {
  size_t size;
  if (!size_mul(program->binding_count, sizeof(vk_bound), &size) || !size_add(size, sizeof(kiln_launch), &size))
    return NULL;
  kiln_launch *launch = mem_calloc(device->context->mem, 1, size);
  if (!launch) return NULL;
  launch->device = device;
  launch->unit_count = (uint32_t)program->unit_count;
  launch->units_per_workgroup = program->units_per_workgroup;
  launch->max_workgroups = program->max_workgroups;
  launch->push_constant_size = program->push_constant_size;
  launch->count = program->binding_count;
  for (size_t i = 0; i < launch->count; i++) launch->bounds[i].binding = program->bindings[i];
  return launch;
}

static kiln_result keep_log(kiln_launch *launch, const kiln_log *log) {
  jmp_buf out;
  if (!log) return KILN_OK;
  arena_init(&launch->log_arena, launch->device->context->mem, 0);
  if (ARENA_GUARD(&launch->log_arena, out)) return launch->log = ir_log_copy(&launch->log_arena, log, NULL), KILN_OK;
  diag_report(launch->device->context->diags, DIAG_out_of_memory, (loc){0});
  return KILN_ERROR_MEMORY;
}

kiln_result vk_launch_create_info(kiln_device *device, const kiln_program_info *program, kiln_launch **out) {
  *out = NULL;
  kiln_result result = vk_device_ready(device);
  if (!result) result = check_program(device, program);
  if (result) return result;
  kiln_launch *launch = new_launch(device, program);
  if (!launch) {
    diag_report(device->context->diags, DIAG_out_of_memory, (loc){0});
    return KILN_ERROR_MEMORY;
  }
  result = keep_log(launch, program->log);
  if (!result) result = create_buffers(launch);
  if (!result) result = vk_pipeline_create(device, program, &launch->pipeline);
  if (!result) result = allocate_set(launch);
  if (!result) write_set(launch);
  if (!result) result = create_commands(launch);
  if (!result) result = create_fence(launch);
  if (!result) result = create_queries(launch);
  if (result)
    kiln_launch_destroy(launch);
  else
    *out = launch;
  return result;
}

static void destroy_objects(kiln_launch *launch) {
  kiln_device *device = launch->device;
  const vk_table *call = &device->call;
  if (launch->fence) call->DestroyFence(device->handle, launch->fence, NULL);
  if (launch->queries) call->DestroyQueryPool(device->handle, launch->queries, NULL);
  if (launch->pool) call->DestroyCommandPool(device->handle, launch->pool, NULL);
  if (launch->descriptors) call->DestroyDescriptorPool(device->handle, launch->descriptors, NULL);
  vk_pipeline_destroy(device, &launch->pipeline);
  vk_buffer_destroy(device, &launch->staging);
  for (size_t i = 0; i < launch->count; i++) vk_buffer_destroy(device, &launch->bounds[i].buffer);
}

void kiln_launch_destroy(kiln_launch *launch) {
  if (!launch) return;
  if (vk_device_reachable(launch->device)) destroy_objects(launch);
  arena_finish(&launch->log_arena);
  mem_free(launch->device->context->mem, launch, sizeof *launch + launch->count * sizeof(vk_bound));
}

/* Running */

/* Orders what was written before for shaders and the host after. */
static void record_barrier(const kiln_launch *launch) {
  VkMemoryBarrier barrier = {
      .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
      .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT,
      .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_HOST_READ_BIT};
  launch->device->call.CmdPipelineBarrier(launch->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                                          VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
                                          &barrier, 0, NULL, 0, NULL);
}

/* Grid points that one dispatch takes: whole workgroups, no more than the device allows. */
static uint64_t units_per_dispatch(const kiln_launch *launch) {
  uint64_t most = launch->device->info->profile.max_workgroup_count;
  if (launch->max_workgroups && launch->max_workgroups < most) most = launch->max_workgroups;
  return most * launch->units_per_workgroup;
}

/* The grid points from `first` to `end`. */
static void record_dispatch(const kiln_launch *launch, uint64_t first, uint64_t end) {
  const vk_table *call = &launch->device->call;
  const uint32_t range[2] = {(uint32_t)first, (uint32_t)end};
  if (launch->push_constant_size)
    call->CmdPushConstants(launch->commands, launch->pipeline.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof range,
                           range);
  const uint64_t groups = (end - first + launch->units_per_workgroup - 1) / launch->units_per_workgroup;
  call->CmdDispatch(launch->commands, groups ? (uint32_t)groups : 1, 1, 1);
}

/* One run of the whole grid. */
static void record_run(const kiln_launch *launch) {
  const uint64_t step = units_per_dispatch(launch);
  for (uint64_t first = 0; first < launch->unit_count; first += step) {
    const uint64_t left = launch->unit_count - first;
    if (first && launch->max_workgroups) record_barrier(launch); /* the slices are used again */
    record_dispatch(launch, first, first + (left < step ? left : step));
  }
  record_barrier(launch);
}

static void record_bindings(const kiln_launch *launch) {
  const vk_table *call = &launch->device->call;
  call->CmdBindPipeline(launch->commands, VK_PIPELINE_BIND_POINT_COMPUTE, launch->pipeline.handle);
  call->CmdBindDescriptorSets(launch->commands, VK_PIPELINE_BIND_POINT_COMPUTE, launch->pipeline.layout, 0, 1,
                              &launch->set, 0, NULL);
}

static void record_body(const kiln_launch *launch, uint32_t repeat) {
  const vk_table *call = &launch->device->call;
  VkCommandBuffer commands = launch->commands;
  record_bindings(launch);
  if (launch->queries) {
    call->CmdResetQueryPool(commands, launch->queries, 0, 2);
    call->CmdWriteTimestamp(commands, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, launch->queries, 0);
  }
  for (uint32_t i = 0; i < repeat; i++) record_run(launch);
  if (launch->queries) call->CmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, launch->queries, 1);
}

kiln_result vk_launch_begin(kiln_launch *launch) {
  kiln_device *device = launch->device;
  VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
  launch->recorded = 0;
  kiln_result result =
      vk_check(device, device->call.ResetCommandPool(device->handle, launch->pool, 0), "vkResetCommandPool");
  if (result) return result;
  return vk_check(device, device->call.BeginCommandBuffer(launch->commands, &begin), "vkBeginCommandBuffer");
}

kiln_result vk_launch_end(kiln_launch *launch) {
  return vk_check(launch->device, launch->device->call.EndCommandBuffer(launch->commands), "vkEndCommandBuffer");
}

static kiln_result record(kiln_launch *launch, uint32_t repeat) {
  if (launch->recorded == repeat) return KILN_OK;
  kiln_result result = vk_launch_begin(launch);
  if (result) return result;
  record_body(launch, repeat);
  result = vk_launch_end(launch);
  if (!result) launch->recorded = repeat;
  return result;
}

/* Kernels that may never end look whether the host asks them to stop. */
static bool ask_to_stop(const kiln_launch *launch) {
  if (!launch->log || !launch->log->stops) return false;
  uint32_t *words = launch->bounds[launch->log->param].buffer.data;
  if (words) __atomic_store_n(&words[IR_LOG_STOP], 1, __ATOMIC_RELEASE);
  return words != NULL;
}

/* After a wait that did not end well the dispatch may still be running, so nothing it uses may be destroyed. A lost
 * device is different: by the rules of Vulkan its work counts as over. */
static kiln_result wait(kiln_launch *launch, uint64_t limit_ns) {
  kiln_device *device = launch->device;
  VkResult result = device->call.WaitForFences(device->handle, 1, &launch->fence, VK_TRUE, limit_ns);
  if (result == VK_SUCCESS) return KILN_OK;
  if (result == VK_TIMEOUT && ask_to_stop(launch)) {
    result = device->call.WaitForFences(device->handle, 1, &launch->fence, VK_TRUE, STOP_NS);
    if (result == VK_SUCCESS) {
      diag_report(device->context->diags, DIAG_launch_stopped, (loc){0}, (double)limit_ns / 1e9,
                  device->candidate->facts.properties.deviceName);
      return KILN_ERROR_TIMEOUT;
    }
  }
  device->lost = true;
  device->abandoned = result != VK_ERROR_DEVICE_LOST;
  if (result != VK_TIMEOUT) return vk_check(device, result, "vkWaitForFences");
  diag_report(device->context->diags, DIAG_launch_timeout, (loc){0}, (double)limit_ns / 1e9,
              device->candidate->facts.properties.deviceName);
  return KILN_ERROR_TIMEOUT;
}

static kiln_result submit(kiln_launch *launch, uint64_t limit_ns) {
  kiln_device *device = launch->device;
  VkSubmitInfo info = {
      .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &launch->commands};
  kiln_result result = vk_check(device, device->call.ResetFences(device->handle, 1, &launch->fence), "vkResetFences");
  if (!result)
    result = vk_check(device, device->call.QueueSubmit(device->queue, 1, &info, launch->fence), "vkQueueSubmit");
  return result ? result : wait(launch, limit_ns);
}

kiln_result vk_launch_submit(kiln_launch *launch) { return submit(launch, launch->device->time_limit_ns); }

kiln_result vk_launch_prime(kiln_launch *launch) {
  kiln_result result = vk_launch_begin(launch);
  if (result) return result;
  record_bindings(launch);
  record_dispatch(launch, 0, 0);
  result = vk_launch_end(launch);
  return result ? result : submit(launch, UINT64_MAX);
}

static kiln_result read_time(kiln_launch *launch, uint32_t repeat, double *device_ns) {
  kiln_device *device = launch->device;
  const vk_facts *facts = &device->candidate->facts;
  uint64_t ticks[2] = {0};
  *device_ns = 0;
  if (!launch->queries) return KILN_OK;
  VkResult result = device->call.GetQueryPoolResults(device->handle, launch->queries, 0, 2, sizeof ticks, ticks,
                                                     sizeof *ticks, VK_QUERY_RESULT_64_BIT);
  if (result == VK_NOT_READY) return KILN_OK; /* a clock that gives nothing is no failure of the launch */
  uint64_t mask = facts->timestamp_bits >= 64 ? UINT64_MAX : (UINT64_C(1) << facts->timestamp_bits) - 1;
  *device_ns = (double)((ticks[1] - ticks[0]) & mask) * (double)facts->properties.limits.timestampPeriod / repeat;
  return vk_check(device, result, "vkGetQueryPoolResults");
}

kiln_result kiln_launch_run(kiln_launch *launch, uint32_t repeat, double *device_ns) {
  double unused;
  if (!device_ns) device_ns = &unused;
  *device_ns = 0;
  if (!repeat) repeat = 1;
  kiln_result result = vk_device_ready(launch->device);
  if (result) return result;
  uint64_t dispatches = launch->unit_count / units_per_dispatch(launch) + 1;
  result = exceeds(launch->device, "dispatches in one submission", dispatches * repeat, MAX_DISPATCHES);
  if (!result) result = vk_log_empty(launch);
  if (!result) result = record(launch, repeat);
  if (!result) result = vk_launch_submit(launch);
  if (!result) result = read_time(launch, repeat, device_ns);
  return result ? result : vk_log_tell(launch);
}
