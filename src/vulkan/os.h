/* The operating system, as far as the Vulkan half needs it: a shared library, the process id, one process-wide lock. */
#ifndef KILN_SRC_VULKAN_OS_H
#define KILN_SRC_VULKAN_OS_H

#include <stdint.h>

void *vk_os_open_library(const char *path); /* NULL when it cannot be loaded */
void vk_os_close_library(void *library);
void (*vk_os_symbol(void *library, const char *name))(void); /* NULL when absent */
const char *vk_os_library_error(void);                       /* why the last open failed */

int64_t vk_os_process(void);

/* Guards the process-wide Vulkan instance. Not recursive. */
void vk_os_lock(void);
void vk_os_unlock(void);

#endif
