/* The one table that every Vulkan call of Kiln goes through. It is filled from a vkGetInstanceProcAddr, so a test that
 * hands in its own gets every call; no function of Vulkan is ever linked. */
#ifndef KILN_SRC_VULKAN_TABLE_H
#define KILN_SRC_VULKAN_TABLE_H

#ifndef VK_NO_PROTOTYPES
#define VK_NO_PROTOTYPES
#endif
#include <vulkan/vulkan_core.h>

#include "kiln/base.h"

typedef struct vk_table {
  PFN_vkGetInstanceProcAddr GetInstanceProcAddr;
#define VK_ENTRY(level, name, needed) PFN_vk##name name;
#include "vulkan/entries.def"
#undef VK_ENTRY
} vk_table;

/* Each fills one level of the table and returns the name of the first function that is needed but missing, or NULL. */
const char *vk_table_load_global(vk_table *table, PFN_vkGetInstanceProcAddr resolve);
const char *vk_table_load_instance(vk_table *table, VkInstance instance);
const char *vk_table_load_device(vk_table *table, VkDevice device);

const char *vk_result_name(VkResult result);    /* "VK_ERROR_DEVICE_LOST"; "an unknown VkResult" otherwise */
kiln_result vk_result_meaning(VkResult result); /* KILN_OK for VK_SUCCESS */

#endif
