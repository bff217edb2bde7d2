/* The probes of the start-up self-test, laid open so that a fake driver can answer them. */
#ifndef KILN_SRC_VULKAN_SELFTEST_H
#define KILN_SRC_VULKAN_SELFTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VK_PROBE_WORDS = 128 }; /* one storage buffer; one workgroup */

struct vk_facts;

typedef struct vk_probe {
  const char *name;
  const uint32_t *words; /* SPIR-V, from shaders/probe/ */
  size_t word_count;
  void (*fill)(uint32_t data[VK_PROBE_WORDS]);      /* the buffer before, from zeros; NULL: stays zeros */
  void (*expect)(uint32_t data[VK_PROBE_WORDS]);    /* turns it into the buffer after */
  const char *meaning;                              /* of a wrong answer */
  void (*note)(struct vk_facts *facts, bool right); /* the answer is a fact about the device; NULL: it must be right */
  uint32_t invocations;                             /* 0: half as many as words */
} vk_probe;

const vk_probe *vk_probes(size_t *count);

#endif
