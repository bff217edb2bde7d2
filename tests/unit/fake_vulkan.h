/* A Vulkan driver inside the process: it keeps count of every object and call, fails the call it is told to, and runs
 * the self-test's probes (and one program of the test's own) by their definition in C. */
#ifndef KILN_TESTS_UNIT_FAKE_VULKAN_H
#define KILN_TESTS_UNIT_FAKE_VULKAN_H

#include "vulkan/table.h"

enum { FAKE_MAX_DEVICES = 20, FAKE_BUFFER_RANGE = 40 << 20, FAKE_HEAP = 2 * FAKE_BUFFER_RANGE };

typedef struct fake_driver {
  /* What to be */
  uint32_t device_count; /* at most FAKE_MAX_DEVICES */
  VkPhysicalDeviceType types[FAKE_MAX_DEVICES];
  uint32_t device_api;  /* 0: 1.3 */
  bool truncates_loops; /* as lavapipe 22.3.6 does */
  bool unified;         /* the host sees the device's memory: no staging */
  bool no_subgroup_control, no_timestamps, no_host_memory, poor_limits;
  bool long_integers;                                                       /* with atomics */
  const char *hidden;                                                       /* a function that cannot be resolved */
  void (*program)(uint32_t *const buffers[], uint32_t first, uint32_t end); /* any other module means this */
  /* What to fail: the call of this number, counting from 1, among those that return a VkResult; 0 for none. */
  uint64_t fail_at;
  VkResult failure;
  /* What happened */
  uint64_t calls;               /* of any kind */
  uint64_t fallible_calls;      /* that return a VkResult */
  uint64_t calls_after_failure; /* fallible ones, which must be none */
  uint64_t violations;          /* of Vulkan's rules, as far as looked at */
  bool failed;
  char failed_call[64];
  int64_t objects; /* alive: created less destroyed */
  uint64_t created, dispatches, submits;
  uint64_t wait_limit; /* of the last wait */
  bool long_atomics;   /* were asked for */
  char application[4096], engine[4096];
} fake_driver;

extern fake_driver fake;

void fake_reset(void);                             /* one discrete device with everything, no failure */
void fake_arm(uint64_t fail_at, VkResult failure); /* zeroes the counts of calls */
PFN_vkVoidFunction VKAPI_CALL fake_resolve(VkInstance instance, const char *name);

#endif
