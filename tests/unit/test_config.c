/* base/config: defaults, values, and values that are wrong. */
#define _POSIX_C_SOURCE 200809L
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/context.h"
#include "base/thread.h"

static diag_sink *sink;

static int set_up(void **state) {
  (void)state;
  for (int i = 0; i < CONFIG_ID_COUNT; i++) unsetenv(config_rows[i].name);
  sink = diag_sink_create(mem_default(), NULL, NULL);
  return sink ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  diag_sink_destroy(sink);
  return 0;
}

static void rows_are_complete(void **state) {
  (void)state;
  for (int i = 0; i < CONFIG_ID_COUNT; i++) {
    const config_row *row = &config_rows[i];
    assert_true(str_starts(str_from(row->name), STR("KILN_")));
    assert_true(strlen(row->doc) > 10);
    setenv(row->name, row->fallback, 1); /* the fallback is itself a valid value */
    config_text((config_id)i, sink);
  }
  assert_int_equal(diag_sink_count(sink), 0);
}

static void right_values_are_taken(void **state) {
  (void)state;
  assert_int_equal(config_number(CONFIG_ID_THREADS, sink), 0);
  setenv("KILN_THREADS", "1024", 1);
  assert_int_equal(config_number(CONFIG_ID_THREADS, sink), 1024);
  setenv("KILN_VULKAN_LOADER", "/usr/lib/libvulkan.so", 1);
  assert_true(str_is(config_text(CONFIG_ID_VULKAN_LOADER, sink), "/usr/lib/libvulkan.so"));
  setenv("KILN_VULKAN_LOADER", "", 1);
  assert_int_equal(config_text(CONFIG_ID_VULKAN_LOADER, sink).size, 0);
  assert_int_equal(diag_sink_count(sink), 0);
}

static void wrong_numbers_are_reported(void **state) {
  (void)state;
  static const char *const wrong[] = {
      "", "1025", "-1", "two", "4 ", "0x4", "99999999999999999999999", "18446744073709551617"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    setenv("KILN_THREADS", wrong[i], 1);
    assert_int_equal(config_number(CONFIG_ID_THREADS, sink), 0);
    assert_int_equal(diag_sink_count(sink), i + 1);
    const kiln_diag *diag = diag_sink_get(sink, i);
    assert_string_equal(diag->name, "bad_environment");
    assert_non_null(strstr(diag->message.data, "expected a whole number from 0 to 1024: taking '0'"));
  }
  assert_int_equal(diag_sink_errors(sink), 0); /* warnings */
}

static void relative_paths_are_reported(void **state) {
  (void)state;
  setenv("KILN_VULKAN_LOADER", "libvulkan.so", 1);
  assert_int_equal(config_text(CONFIG_ID_VULKAN_LOADER, sink).size, 0);
  assert_true(str_is(diag_sink_get(sink, 0)->message,
                     "KILN_VULKAN_LOADER is 'libvulkan.so', expected an absolute path: taking ''"));
}

static void contexts_resolve_threads(void **state) {
  (void)state;
  kiln_context *context;
  setenv("KILN_THREADS", "3", 1);
  assert_int_equal(kiln_context_create(NULL, &context), KILN_OK);
  assert_int_equal(context->threads, 3);
  kiln_context_destroy(context);
  assert_int_equal(kiln_context_create(&(kiln_context_desc){.threads = 5}, &context), KILN_OK);
  assert_int_equal(context->threads, 5);
  kiln_context_destroy(context);
  setenv("KILN_THREADS", "lots", 1);
  assert_int_equal(kiln_context_create(NULL, &context), KILN_OK);
  assert_int_equal(context->threads, thread_cpu_count());
  assert_int_equal(kiln_diag_count(context), 1);
  kiln_context_destroy(context);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(rows_are_complete, set_up, tear_down),
      cmocka_unit_test_setup_teardown(right_values_are_taken, set_up, tear_down),
      cmocka_unit_test_setup_teardown(wrong_numbers_are_reported, set_up, tear_down),
      cmocka_unit_test_setup_teardown(relative_paths_are_reported, set_up, tear_down),
      cmocka_unit_test_setup_teardown(contexts_resolve_threads, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
