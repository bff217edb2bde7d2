/* From a compiled program to a pipeline: one descriptor set of storage buffers, two words of push constants. */
#include <string.h>

#include "vulkan/vulkan.h"

static kiln_result create_module(kiln_device *device, const kiln_program_info *program, vk_pipeline *out) {
  VkShaderModuleCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                   .codeSize = program->word_count * sizeof *program->words,
                                   .pCode = program->words};
  VkResult result = device->call.CreateShaderModule(device->handle, &info, NULL, &out->module);
  if (result != VK_SUCCESS) out->module = VK_NULL_HANDLE;
  return vk_check(device, result, "vkCreateShaderModule");
}

static kiln_result create_set_layout(kiln_device *device, const kiln_program_info *program, vk_pipeline *out) {
  const mem m = device->context->mem;
  const uint32_t count = (uint32_t)program->binding_count;
  VkDescriptorSetLayoutBinding *bindings = mem_calloc(m, count + 1, sizeof *bindings);
  if (!bindings) {
    diag_report(device->context->diags, DIAG_out_of_memory, (loc){0});
    return KILN_ERROR_MEMORY;
  }
  for (uint32_t i = 0; i < count; i++)
    bindings[i] = (VkDescriptorSetLayoutBinding){.binding = i,
                                                 .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                                 .descriptorCount = 1,
                                                 .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
  VkDescriptorSetLayoutCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, .bindingCount = count, .pBindings = bindings};
  VkResult result = device->call.CreateDescriptorSetLayout(device->handle, &info, NULL, &out->set_layout);
  mem_free(m, bindings, (count + 1) * sizeof *bindings);
  if (result != VK_SUCCESS) out->set_layout = VK_NULL_HANDLE;
  return vk_check(device, result, "vkCreateDescriptorSetLayout");
}

static kiln_result create_layout(kiln_device *device, const kiln_program_info *program, vk_pipeline *out) {
  VkPushConstantRange range = {.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT, .size = program->push_constant_size};
  VkPipelineLayoutCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                     .setLayoutCount = 1,
                                     .pSetLayouts = &out->set_layout,
                                     .pushConstantRangeCount = program->push_constant_size != 0,
                                     .pPushConstantRanges = &range};
  VkResult result = device->call.CreatePipelineLayout(device->handle, &info, NULL, &out->layout);
  if (result != VK_SUCCESS) out->layout = VK_NULL_HANDLE;
  return vk_check(device, result, "vkCreatePipelineLayout");
}

static kiln_result create_pipeline(kiln_device *device, const kiln_program_info *program, vk_pipeline *out) {
  bool choose = device->candidate->facts.chooses_size && program->subgroup_size;
  VkPipelineShaderStageRequiredSubgroupSizeCreateInfo size = {
      .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
      .requiredSubgroupSize = program->subgroup_size};
  VkComputePipelineCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
      .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                .pNext = choose ? &size : NULL,
                .flags = choose ? VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT : 0,
                .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                .module = out->module,
                .pName = "main"},
      .layout = out->layout};
  VkResult result = device->call.CreateComputePipelines(device->handle, VK_NULL_HANDLE, 1, &info, NULL, &out->handle);
  if (result != VK_SUCCESS) out->handle = VK_NULL_HANDLE;
  return vk_check(device, result, "vkCreateComputePipelines");
}

kiln_result vk_pipeline_create(kiln_device *device, const kiln_program_info *program, vk_pipeline *out) {
  memset(out, 0, sizeof *out);
  kiln_result result = create_module(device, program, out);
  if (!result) result = create_set_layout(device, program, out);
  if (!result) result = create_layout(device, program, out);
  if (!result) result = create_pipeline(device, program, out);
  if (result) vk_pipeline_destroy(device, out);
  return result;
}

void vk_pipeline_destroy(kiln_device *device, vk_pipeline *pipeline) {
  const vk_table *call = &device->call;
  if (pipeline->handle) call->DestroyPipeline(device->handle, pipeline->handle, NULL);
  if (pipeline->layout) call->DestroyPipelineLayout(device->handle, pipeline->layout, NULL);
  if (pipeline->set_layout) call->DestroyDescriptorSetLayout(device->handle, pipeline->set_layout, NULL);
  if (pipeline->module) call->DestroyShaderModule(device->handle, pipeline->module, NULL);
  memset(pipeline, 0, sizeof *pipeline);
}
