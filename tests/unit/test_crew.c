/* A checked crew under an allocator that fails: a race is reported or memory is out, never nothing, and nothing leaks.
 * The arrays are large enough for the detector to ask for memory while the crew runs.
 */
#include "unit.h"

#include <string.h>

#include "fault_alloc.h"
#include "kiln/host.h"

static const char racy[] =
    "kernel racy(x: f32[1024, 1024]) -> (y: f32[1024, 1024]) {\n  machine gpu\n  threads t: 2\n  scratch s: f32[1024, "
    "1024]\n"
    "  scratch full: barrier[2]\n  when t == 0 { s[...] = x[...]\n  copy x -> s arrive full[0]\n  wait full[0] }\n"
    "  when t == 1 { y[...] = s[...] }\n  arrive full[1]\n}\n";

static bool has_race(const kiln_context *context) {
  for (size_t i = 0; i < kiln_diag_count(context); i++)
    if (strcmp(kiln_diag_get(context, i)->name, "race") == 0) return true;
  return false;
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  static float x[1024 * 1024], y[1024 * 1024];
  fault_alloc fault;
  FAULT_SWEEP(fault) {
    kiln_context *context;
    kiln_module *module = NULL;
    const kiln_context_desc desc = {.alloc = fault_alloc_hook, .alloc_user = &fault, .threads = 2};
    const kiln_parse_desc parse = {.text = {racy, sizeof racy - 1}};
    const kiln_host_desc check = {.check = true};
    const kiln_array arrays[] = {{KILN_F32, 2, {1024, 1024}, x, sizeof x}, {KILN_F32, 2, {1024, 1024}, y, sizeof y}};
    if (kiln_context_create(&desc, &context) != KILN_OK) continue;
    kiln_result result = kiln_module_parse(context, &parse, &module);
    if (result == KILN_OK) {
      result = kiln_host_run(context, kiln_module_kernel(module, 0), &check, arrays, 2);
      assert_true(result == KILN_ERROR_MEMORY || has_race(context));
    }
    assert_int_not_equal(result, KILN_OK);
    kiln_module_destroy(module);
    kiln_context_destroy(context);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
