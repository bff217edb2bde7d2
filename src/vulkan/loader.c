/* Finding the Vulkan loader and making the one instance of the process. The instance is kept for ever: SwiftShader ends
 * the process after about a thousand of them, and other users of Vulkan in the process may have loaded the same driver.
 */
#include "base/config.h"
#include "vulkan/os.h"
#include "vulkan/vulkan.h"

#include <string.h>

#define VERSION_TEXT_OF(n) #n
#define VERSION_TEXT(n) VERSION_TEXT_OF(n)
#define OUR_NAME \
  "Kiln " VERSION_TEXT(KILN_VERSION_MAJOR) "." VERSION_TEXT(KILN_VERSION_MINOR) "." VERSION_TEXT(KILN_VERSION_PATCH)

/* "theirs; Kiln 0.1.0", or "Kiln 0.1.0" alone. A zero byte would hide what follows, so it becomes '?'. */
static void amend_name(kiln_str theirs, char out[VK_MAX_NAME + sizeof OUR_NAME + 2]) {
  size_t size = 0;
  for (; size < theirs.size; size++) out[size] = theirs.data[size] ? theirs.data[size] : '?';
  if (size) {
    memcpy(out + size, "; ", 2);
    size += 2;
  }
  memcpy(out + size, OUR_NAME, sizeof OUR_NAME);
}

static uint32_t usable_api_version(const vk_table *call) {
  uint32_t offered = VK_API_VERSION_1_0;
  if (!call->EnumerateInstanceVersion || call->EnumerateInstanceVersion(&offered) != VK_SUCCESS)
    return VK_API_VERSION_1_0;
  return offered < VK_API_VERSION_1_3 ? offered : VK_API_VERSION_1_3;
}

static VkResult create_instance(const vk_table *call, const kiln_device_desc *desc, uint32_t api_version,
                                VkInstance *out) {
  char application[VK_MAX_NAME + sizeof OUR_NAME + 2], engine[VK_MAX_NAME + sizeof OUR_NAME + 2];
  amend_name(desc->application, application);
  amend_name(desc->engine, engine);
  uint32_t version = VK_MAKE_API_VERSION(0, KILN_VERSION_MAJOR, KILN_VERSION_MINOR, KILN_VERSION_PATCH);
  VkApplicationInfo names = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                             .pApplicationName = application,
                             .pEngineName = engine,
                             .engineVersion = version,
                             .apiVersion = api_version};
  VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &names};
  return call->CreateInstance(&info, NULL, out);
}

static kiln_result check_desc(diag_sink *diags, const kiln_device_desc *desc) {
  if (desc->application.size <= VK_MAX_NAME && desc->engine.size <= VK_MAX_NAME) return KILN_OK;
  size_t size = desc->application.size > VK_MAX_NAME ? desc->application.size : desc->engine.size;
  diag_report(diags, DIAG_vulkan_name_too_long, (loc){0}, (unsigned long long)size, (int)VK_MAX_NAME);
  return KILN_ERROR_LIMIT;
}

static kiln_result missing_function(diag_sink *diags, const char *name) {
  diag_report(diags, DIAG_vulkan_function_missing, (loc){0}, name);
  return KILN_ERROR_DEVICE;
}

/* The loader's VK_ERROR_INCOMPATIBLE_DRIVER says that it found no driver at all, or none of our version. */
static kiln_result fail(diag_sink *diags, VkResult result, const char *call) {
  if (result == VK_ERROR_INCOMPATIBLE_DRIVER) {
    diag_report(diags, DIAG_no_device, (loc){0});
    return KILN_ERROR_DEVICE;
  }
  diag_report(diags, DIAG_vulkan_instance_failed, (loc){0}, call, vk_result_name(result));
  return vk_result_meaning(result);
}

/* The physical devices, in the driver's order, with their facts. What is beyond VK_MAX_DEVICES is not looked at. */
static kiln_result list_candidates(kiln_context *context, vk_instance *instance) {
  VkPhysicalDevice handles[VK_MAX_DEVICES];
  uint32_t count = 0;
  VkResult result = instance->call.EnumeratePhysicalDevices(instance->handle, &count, NULL);
  if (result != VK_SUCCESS) return fail(context->diags, result, "vkEnumeratePhysicalDevices");
  if (count > VK_MAX_DEVICES) count = VK_MAX_DEVICES;
  if (count) result = instance->call.EnumeratePhysicalDevices(instance->handle, &count, handles);
  if (result != VK_SUCCESS && result != VK_INCOMPLETE)
    return fail(context->diags, result, "vkEnumeratePhysicalDevices");
  for (uint32_t i = 0; i < count; i++) {
    vk_candidate *candidate = &instance->candidates[i];
    candidate->handle = handles[i];
    kiln_result read = vk_facts_read(&instance->call, handles[i], context->mem, &candidate->facts);
    if (read == KILN_ERROR_MEMORY) diag_report(context->diags, DIAG_out_of_memory, (loc){0});
    if (read && read != KILN_ERROR_MEMORY)
      diag_report(context->diags, DIAG_vulkan_instance_failed, (loc){0}, "vkEnumerateDeviceExtensionProperties",
                  kiln_result_name(read));
    if (read) return read;
    vk_facts_judge(&candidate->facts, candidate->refusal);
  }
  instance->count = count;
  return KILN_OK;
}

kiln_result vk_instance_open(kiln_context *context, const kiln_device_desc *desc, PFN_vkGetInstanceProcAddr resolve,
                             vk_instance *out) {
  memset(out, 0, sizeof *out);
  kiln_result result = check_desc(context->diags, desc);
  if (result) return result;
  const char *missing = vk_table_load_global(&out->call, resolve);
  if (missing) return missing_function(context->diags, missing);
  uint32_t api_version = usable_api_version(&out->call);
  if (api_version < VK_API_VERSION_1_1) {
    diag_report(context->diags, DIAG_vulkan_loader_too_old, (loc){0});
    return KILN_ERROR_DEVICE;
  }
  VkResult created = create_instance(&out->call, desc, api_version, &out->handle);
  if (created != VK_SUCCESS) {
    out->handle = VK_NULL_HANDLE;
    return fail(context->diags, created, "vkCreateInstance");
  }
  out->process = vk_os_process();
  missing = vk_table_load_instance(&out->call, out->handle);
  result = missing ? missing_function(context->diags, missing) : list_candidates(context, out);
  if (result) vk_instance_close(out);
  return result;
}

void vk_instance_close(vk_instance *instance) {
  if (instance->handle && instance->call.DestroyInstance) instance->call.DestroyInstance(instance->handle, NULL);
  instance->handle = VK_NULL_HANDLE;
}

kiln_result vk_check_process(const vk_instance *instance, diag_sink *diags) {
  if (instance->process == vk_os_process()) return KILN_OK;
  diag_report(diags, DIAG_vulkan_forked, (loc){0});
  return KILN_ERROR_DEVICE;
}

/* The one global of the library: the instance and the path of its loader. */
static struct {
  vk_instance instance;
  char path[VK_MAX_NAME + 1];
} shared;

static kiln_result loader_path(diag_sink *diags, const kiln_device_desc *desc, char out[VK_MAX_NAME + 1]) {
  kiln_str path = desc->loader.size ? desc->loader : config_text(CONFIG_ID_VULKAN_LOADER, diags);
  bool given = path.size != 0;
  if (!given) path = STR("libvulkan.so.1");
  if ((given && path.data[0] != '/') || path.size > VK_MAX_NAME || memchr(path.data, 0, path.size)) {
    diag_report(diags, DIAG_vulkan_loader_path, (loc){0}, STR_FMT(path));
    return KILN_ERROR_INVALID;
  }
  memcpy(out, path.data, path.size);
  out[path.size] = 0;
  return KILN_OK;
}

static kiln_result load_shared(kiln_context *context, const kiln_device_desc *desc, const char *path) {
  void *library = vk_os_open_library(path);
  if (!library) {
    diag_report(context->diags, DIAG_vulkan_loader_missing, (loc){0}, path, vk_os_library_error());
    return KILN_ERROR_DEVICE;
  }
  PFN_vkGetInstanceProcAddr resolve = (PFN_vkGetInstanceProcAddr)vk_os_symbol(library, "vkGetInstanceProcAddr");
  kiln_result result = resolve ? vk_instance_open(context, desc, resolve, &shared.instance)
                               : missing_function(context->diags, "vkGetInstanceProcAddr");
  if (result) {
    vk_os_close_library(library);
    return result;
  }
  memcpy(shared.path, path, strlen(path) + 1);
  return KILN_OK;
}

static kiln_result open_shared(kiln_context *context, const kiln_device_desc *desc, const char *path) {
  if (!shared.instance.handle) return load_shared(context, desc, path);
  if (strcmp(shared.path, path)) {
    diag_report(context->diags, DIAG_vulkan_other_loader, (loc){0}, path, shared.path);
    return KILN_ERROR_INVALID;
  }
  return vk_check_process(&shared.instance, context->diags);
}

kiln_result vk_instance_shared(kiln_context *context, const kiln_device_desc *desc, vk_instance **out) {
  char path[VK_MAX_NAME + 1];
  *out = NULL;
  kiln_result result = loader_path(context->diags, desc, path);
  if (!result) result = check_desc(context->diags, desc);
  if (result) return result;
  vk_os_lock();
  result = open_shared(context, desc, path);
  if (!result) result = vk_devices_test(context, &shared.instance);
  vk_os_unlock();
  if (!result) *out = &shared.instance;
  return result;
}
