/* cmocka with the headers that it wants before it, and the arena of a test. Include first. */
#ifndef KILN_TESTS_UNIT_H
#define KILN_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

/* Declares and begins an arena; the test fails where memory runs out. */
#define UNIT_ARENA(name)               \
  arena name;                          \
  jmp_buf name##_out;                  \
  arena_init(&name, mem_default(), 0); \
  assert_true(ARENA_GUARD(&name, name##_out))

#endif
