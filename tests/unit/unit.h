/* cmocka with the headers that it wants before it. Include first. */
#ifndef KILN_TESTS_UNIT_H
#define KILN_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
