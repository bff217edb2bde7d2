/* Filling the table of Vulkan functions, level by level, and naming result codes. */
#include "vulkan/table.h"

#include <string.h>

enum { LEVEL_GLOBAL, LEVEL_INSTANCE, LEVEL_DEVICE };

/* One row of entries.def: where in the table the pointer goes. */
typedef struct entry {
  const char *name;
  size_t offset;
  int level;
  bool needed;
} entry;

static const entry entries[] = {
#define VK_ENTRY(level, name, needed) {"vk" #name, offsetof(vk_table, name), LEVEL_##level, needed},
#include "vulkan/entries.def"
#undef VK_ENTRY
};

typedef PFN_vkVoidFunction (*resolver)(const vk_table *table, void *handle, const char *name);

static PFN_vkVoidFunction resolve_instance(const vk_table *table, void *handle, const char *name) {
  return table->GetInstanceProcAddr((VkInstance)handle, name);
}

static PFN_vkVoidFunction resolve_device(const vk_table *table, void *handle, const char *name) {
  return table->GetDeviceProcAddr((VkDevice)handle, name);
}

static const char *load_level(vk_table *table, int level, resolver resolve, void *handle) {
  for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
    if (entries[i].level != level) continue;
    PFN_vkVoidFunction function = resolve(table, handle, entries[i].name);
    if (!function && entries[i].needed) return entries[i].name;
    memcpy((char *)table + entries[i].offset, &function, sizeof function);
  }
  return NULL;
}

const char *vk_table_load_global(vk_table *table, PFN_vkGetInstanceProcAddr resolve) {
  table->GetInstanceProcAddr = resolve;
  return load_level(table, LEVEL_GLOBAL, resolve_instance, NULL);
}

const char *vk_table_load_instance(vk_table *table, VkInstance instance) {
  return load_level(table, LEVEL_INSTANCE, resolve_instance, instance);
}

const char *vk_table_load_device(vk_table *table, VkDevice device) {
  return load_level(table, LEVEL_DEVICE, resolve_device, device);
}

typedef struct meaning {
  VkResult code;
  const char *name;
  kiln_result result;
} meaning;

static const meaning meanings[] = {
    {VK_SUCCESS, "VK_SUCCESS", KILN_OK},
#define VK_RESULT(name, result) {name, #name, result},
#include "vulkan/results.def"
#undef VK_RESULT
};

static const meaning *find_meaning(VkResult code) {
  static const meaning unknown = {VK_ERROR_UNKNOWN, "an unknown VkResult", KILN_ERROR_DEVICE};
  for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
    if (meanings[i].code == code) return &meanings[i];
  return &unknown;
}

const char *vk_result_name(VkResult result) { return find_meaning(result)->name; }
kiln_result vk_result_meaning(VkResult result) { return find_meaning(result)->result; }
