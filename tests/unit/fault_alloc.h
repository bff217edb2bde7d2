/* An allocation hook that counts what is outstanding, overwrites what is freed, and fails one chosen call. For sweeps
 * in which every allocation of an operation fails once: FAULT_SWEEP runs its body with `fault` set to fail the 1st,
 * 2nd, ... call until one run gets through without a failure, and checks after each that nothing leaked. */
#ifndef KILN_TESTS_FAULT_ALLOC_H
#define KILN_TESTS_FAULT_ALLOC_H

#include <stdlib.h>

#include "base/mem.h"

typedef struct fault_alloc {
  size_t fail_at; /* the call that fails, from 1; 0: none */
  size_t calls;
  size_t bytes; /* outstanding, by the sizes that the callers state */
} fault_alloc;

static void *fault_alloc_hook(void *user, void *ptr, size_t old_size, size_t size) {
  fault_alloc *fault = user;
  if (size > 0 && ++fault->calls == fault->fail_at) return NULL;
  fault->bytes += size;
  fault->bytes -= ptr ? old_size : 0;
  if (size > 0) return realloc(ptr, size);
  for (size_t i = 0; ptr && i < old_size; i++) ((volatile unsigned char *)ptr)[i] = 0xa5;
  free(ptr);
  return NULL;
}

static inline mem fault_mem(fault_alloc *fault) { return (mem){fault_alloc_hook, fault}; }

#define FAULT_SWEEP(fault)                                                                              \
  for (size_t fail_at_ = 1, through_ = 0; !through_ && ((fault) = (fault_alloc){fail_at_, 0, 0}, true); \
       assert_int_equal((fault).bytes, 0), through_ = (fault).calls < fail_at_, fail_at_++)

#endif
