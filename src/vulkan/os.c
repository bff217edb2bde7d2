/* The POSIX version of os.h: the only file of this folder that includes system headers. */
#define _POSIX_C_SOURCE 200809L
#include "vulkan/os.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

void *vk_os_open_library(const char *path) { return dlopen(path, RTLD_NOW | RTLD_LOCAL); }

void vk_os_close_library(void *library) {
  if (library) dlclose(library);
}

/* ISO C has no cast from object to function pointers; POSIX promises that the bytes are the same. */
void (*vk_os_symbol(void *library, const char *name))(void) {
  void *address = dlsym(library, name);
  void (*function)(void) = NULL;
  memcpy(&function, &address, sizeof function);
  return function;
}

const char *vk_os_library_error(void) {
  const char *text = dlerror();
  return text ? text : "no reason given";
}

int64_t vk_os_process(void) { return (int64_t)getpid(); }

static pthread_mutex_t process_lock = PTHREAD_MUTEX_INITIALIZER;
void vk_os_lock(void) { pthread_mutex_lock(&process_lock); }
void vk_os_unlock(void) { pthread_mutex_unlock(&process_lock); }
