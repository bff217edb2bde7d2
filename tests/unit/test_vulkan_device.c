/* The Vulkan runtime on the drivers that are really there. Without any device it is skipped, and says why; a device
 * that is there and fails its self-test is a failure. */
#define _POSIX_C_SOURCE 200809L
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/thread.h"
#include "shaders/vk_test_accumulate.h"
#include "shaders/vk_test_slow.h"
#include "vulkan/selftest.h"
#include "vulkan/vulkan.h"

enum { SKIPPED = 77 };

static kiln_context *context;

static const char *last_diag(void) {
  size_t count = kiln_diag_count(context);
  return count ? kiln_diag_get(context, count - 1)->name : "";
}

static kiln_device *open_device(const kiln_device_desc *desc) {
  kiln_device *device;
  assert_int_equal(kiln_device_open(context, desc, &device), KILN_OK);
  return device;
}

/* The accumulating program over `count` words. */
static kiln_program_info accumulate(kiln_binding bindings[2], uint64_t count) {
  uint64_t size = (count * 4 + 15) / 16 * 16;
  bindings[0] = (kiln_binding){.param = 0, .size = size};
  bindings[1] = (kiln_binding){.param = 1, .size = size, .written = true};
  return (kiln_program_info){.words = vk_test_accumulate,
                             .word_count = sizeof vk_test_accumulate / 4,
                             .bindings = bindings,
                             .binding_count = 2,
                             .workgroup_size = 64,
                             .units_per_workgroup = 64,
                             .unit_count = count,
                             .push_constant_size = 8};
}

static kiln_array words(uint32_t *data, size_t count) {
  return (kiln_array){.dtype = KILN_U32, .rank = 1, .dims = {(int64_t)count}, .data = data, .size = count * 4};
}

static void devices_are_listed_once(void **state) {
  (void)state;
  const kiln_device_info *first, *again;
  size_t count, count_again;
  assert_int_equal(kiln_devices(context, NULL, &first, &count), KILN_OK);
  assert_int_equal(kiln_devices(context, NULL, &again, &count_again), KILN_OK);
  assert_ptr_equal(first, again);
  assert_int_equal(count, count_again);
  for (size_t i = 0; i < count; i++) {
    print_message("device %zu: %.*s, %.*s%s%.*s\n", i, (int)first[i].name.size, first[i].name.data,
                  (int)first[i].driver.size, first[i].driver.data, first[i].usable ? "" : ": ",
                  (int)first[i].refusal.size, first[i].refusal.data);
    assert_int_equal(first[i].index, i);
    assert_int_equal(first[i].usable, first[i].refusal.size == 0);
    if (!first[i].usable) continue;
    assert_true(first[i].profile.subgroup_size >= 4);
    assert_true(first[i].profile.max_workgroup_size >= 128);
    assert_true(first[i].profile.max_bindings >= 4);
  }
}

static void devices_are_chosen_by_index_and_name(void **state) {
  (void)state;
  kiln_device *device = open_device(NULL);
  const kiln_device_info *info = kiln_device_get(device);
  kiln_device_desc by_name = {.select = {info->name.data + 1, info->name.size - 1}};
  kiln_device *same = open_device(&by_name);
  assert_ptr_equal(kiln_device_get(same), info);
  kiln_device_close(same);
  kiln_device_close(device);
  kiln_device_desc unknown = {.select = STR("no such device")}, beyond = {.select = STR("999")};
  assert_int_equal(kiln_device_open(context, &unknown, &device), KILN_ERROR_INVALID);
  assert_string_equal(last_diag(), "device_not_found");
  assert_int_equal(kiln_device_open(context, &beyond, &device), KILN_ERROR_INVALID);
  assert_null(device);
}

static void other_loaders_are_refused(void **state) {
  (void)state;
  kiln_device *device;
  kiln_device_desc relative = {.loader = STR("libvulkan.so")}, other = {.loader = STR("/nowhere/libvulkan.so")};
  assert_int_equal(kiln_device_open(context, &relative, &device), KILN_ERROR_INVALID);
  assert_string_equal(last_diag(), "vulkan_loader_path");
  assert_int_equal(kiln_device_open(context, &other, &device), KILN_ERROR_INVALID);
  assert_string_equal(last_diag(), "vulkan_other_loader");
}

/* A plan is made for shapes: it takes other data, and no other shapes. */
static void a_plan_runs_again_and_again(void **state) {
  (void)state;
  const kiln_parse_desc desc = {.text = STR("kernel twice(x: u32[N]) -> (y: u32[N]) { y[...] = x[...] * 2 }")};
  uint32_t x[96], y[96];
  kiln_module *module;
  kiln_device_plan *plan;
  kiln_device *device = open_device(NULL);
  assert_int_equal(kiln_module_parse(context, &desc, &module), KILN_OK);
  kiln_array arrays[] = {words(x, 96), words(y, 96)}, fewer[] = {words(x, 48), words(y, 48)};
  const kiln_kernel *kernel = kiln_module_kernel(module, 0);
  assert_int_equal(kiln_device_prepare(device, kernel, NULL, 0, arrays, 2, &plan), KILN_OK);
  for (uint32_t round = 1; round < 4; round++) {
    for (uint32_t i = 0; i < 96; i++) x[i] = i * round;
    assert_int_equal(kiln_device_launch(plan, arrays, 2), KILN_OK);
    for (uint32_t i = 0; i < 96; i++) assert_int_equal(y[i], 2 * i * round);
  }
  assert_int_equal(kiln_device_launch(plan, fewer, 2), KILN_ERROR_INVALID);
  assert_string_equal(last_diag(), "launch_array_size");
  assert_int_equal(kiln_device_launch(plan, arrays, 1), KILN_ERROR_INVALID);
  assert_string_equal(last_diag(), "array_count");
  kiln_device_plan_destroy(plan);
  kiln_device_plan_destroy(NULL);
  kiln_module_destroy(module);
  kiln_device_close(device);
}

/* More workgroups than one dispatch may have, three repetitions, and a size that divides nothing. */
static void a_large_grid_is_split_into_dispatches(void **state) {
  (void)state;
  const size_t count = 65535 * 64 + 1237;
  kiln_binding bindings[2];
  kiln_program_info program = accumulate(bindings, count);
  uint32_t *data = malloc(count * 4);
  assert_non_null(data);
  for (size_t i = 0; i < count; i++) data[i] = (uint32_t)i * 7 + 1;
  kiln_array array = words(data, count);
  kiln_device *device = open_device(NULL);
  kiln_launch *launch;
  double ns;
  assert_int_equal(vk_launch_create_info(device, &program, &launch), KILN_OK);
  assert_int_equal(kiln_launch_upload(launch, 0, &array), KILN_OK);
  assert_int_equal(kiln_launch_upload(launch, 1, &array), KILN_OK);
  assert_int_equal(kiln_launch_run(launch, 3, &ns), KILN_OK);
  assert_true(ns >= 0 && ns < 60e9);
  assert_int_equal(kiln_launch_run(launch, 1, NULL), KILN_OK);
  assert_int_equal(kiln_launch_download(launch, 1, &array), KILN_OK);
  for (size_t i = 0; i < count; i++) assert_int_equal(data[i], ((uint32_t)i * 7 + 1) * 5);
  kiln_launch_destroy(launch);
  kiln_device_close(device);
  free(data);
}

/* As on a device whose memory the host does not see: the buffers' mapping is hidden from the runtime. */
static void staged_transfers_give_the_same(void **state) {
  (void)state;
  const size_t count = (20 << 20) / 4 + 3;
  kiln_binding bindings[2];
  kiln_program_info program = accumulate(bindings, count);
  uint32_t *data = malloc(count * 4);
  assert_non_null(data);
  for (size_t i = 0; i < count; i++) data[i] = (uint32_t)i * 3 + 1;
  kiln_array array = words(data, count);
  kiln_device *device = open_device(NULL);
  kiln_launch *launch;
  assert_int_equal(vk_launch_create_info(device, &program, &launch), KILN_OK);
  launch->bounds[0].buffer.data = launch->bounds[1].buffer.data = NULL;
  assert_int_equal(kiln_launch_upload(launch, 0, &array), KILN_OK);
  assert_int_equal(kiln_launch_upload(launch, 1, &array), KILN_OK);
  assert_int_equal(kiln_launch_run(launch, 2, NULL), KILN_OK);
  assert_int_equal(kiln_launch_download(launch, 1, &array), KILN_OK);
  for (size_t i = 0; i < count; i++) assert_int_equal(data[i], ((uint32_t)i * 3 + 1) * 3);
  kiln_launch_destroy(launch);
  kiln_device_close(device);
  free(data);
}

static void wrong_arrays_are_refused(void **state) {
  (void)state;
  uint32_t data[80] = {0};
  kiln_array fits = words(data, 64), large = words(data, 80);
  kiln_binding bindings[2];
  kiln_program_info program = accumulate(bindings, 64);
  kiln_device *device = open_device(NULL);
  kiln_launch *launch;
  assert_int_equal(vk_launch_create_info(device, &program, &launch), KILN_OK);
  assert_int_equal(kiln_launch_upload(launch, 2, &fits), KILN_ERROR_INVALID);
  assert_string_equal(last_diag(), "launch_no_param");
  assert_int_equal(kiln_launch_upload(launch, 0, &large), KILN_ERROR_INVALID);
  assert_int_equal(kiln_launch_download(launch, 1, &large), KILN_ERROR_INVALID);
  assert_string_equal(last_diag(), "launch_array_size");
  assert_int_equal(kiln_launch_run(launch, UINT32_MAX, NULL), KILN_ERROR_LIMIT);
  assert_int_equal(kiln_launch_run(launch, 1, NULL), KILN_OK);
  kiln_launch_destroy(launch);
  kiln_device_close(device);
}

static void the_required_subgroup_size_is_taken(void **state) {
  (void)state;
  uint32_t data[VK_PROBE_WORDS];
  size_t count;
  const vk_probe *probe = &vk_probes(&count)[3];
  kiln_device *device = open_device(NULL);
  kiln_binding binding = {.size = sizeof data, .written = true};
  kiln_program_info program = {.words = probe->words,
                               .word_count = probe->word_count,
                               .bindings = &binding,
                               .binding_count = 1,
                               .workgroup_size = 64,
                               .units_per_workgroup = 1,
                               .unit_count = 1,
                               .subgroup_size = kiln_device_get(device)->profile.subgroup_size,
                               .push_constant_size = 8};
  kiln_launch *launch;
  assert_int_equal(vk_launch_create_info(device, &program, &launch), KILN_OK);
  assert_int_equal(kiln_launch_run(launch, 1, NULL), KILN_OK);
  assert_int_equal(vk_launch_read(launch, 0, data, sizeof data), KILN_OK);
  for (size_t i = 0; i < 64; i++) assert_int_equal(data[i], 1);
  kiln_launch_destroy(launch);
  program.subgroup_size = 2;
  assert_int_equal(vk_launch_create_info(device, &program, &launch), KILN_ERROR_UNSUPPORTED);
  kiln_device_close(device);
}

/* The whole way from a context of its own to a result; counts failures in *user. */
static void use_alone(void *user, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)worker;
  for (uint64_t task = begin; task < end; task++) {
    kiln_context *own;
    kiln_device *device = NULL;
    kiln_launch *launch = NULL;
    kiln_binding bindings[2];
    kiln_program_info program = accumulate(bindings, 64);
    uint32_t data[64] = {[63] = (uint32_t)task + 1};
    kiln_array array = words(data, 64);
    kiln_result result = kiln_context_create(NULL, &own);
    if (!result) result = kiln_device_open(own, NULL, &device);
    if (!result) result = vk_launch_create_info(device, &program, &launch);
    if (!result) result = kiln_launch_upload(launch, 0, &array);
    if (!result) result = kiln_launch_upload(launch, 1, &array);
    if (!result) result = kiln_launch_run(launch, 1, NULL);
    if (!result) result = kiln_launch_download(launch, 1, &array);
    if (result || data[63] != 2 * (task + 1)) ((bool *)user)[task] = true;
    kiln_launch_destroy(launch);
    kiln_device_close(device);
    kiln_context_destroy(own);
  }
}

static void threads_do_not_disturb_each_other(void **state) {
  (void)state;
  enum { TASKS = 32 };
  bool failed[TASKS] = {false};
  pool *workers = pool_create(mem_default(), 4);
  assert_non_null(workers);
  pool_run(workers, TASKS, 1, use_alone, failed);
  pool_destroy(workers);
  for (size_t i = 0; i < TASKS; i++) assert_false(failed[i]);
}

/* In a forked child every call fails at once, and destroying the parent's objects does nothing. */
static void a_forked_child_is_told(void **state) {
  (void)state;
  kiln_binding bindings[2];
  kiln_program_info program = accumulate(bindings, 64);
  kiln_device *device = open_device(NULL);
  kiln_launch *launch;
  assert_int_equal(vk_launch_create_info(device, &program, &launch), KILN_OK);
  pid_t child = fork();
  assert_true(child >= 0);
  if (!child) {
    kiln_device *other;
    bool right = kiln_device_open(context, NULL, &other) == KILN_ERROR_DEVICE && !other;
    right = right && !strcmp(last_diag(), "vulkan_forked");
    right = right && kiln_launch_run(launch, 1, NULL) == KILN_ERROR_DEVICE;
    kiln_launch_destroy(launch);
    kiln_device_close(device);
    _exit(right ? 0 : 1);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  assert_int_equal(kiln_launch_run(launch, 1, NULL), KILN_OK);
  kiln_launch_destroy(launch);
  kiln_device_close(device);
}

/* A launch past its limit: the call returns, the device is unusable, closing it does not wait. Another still works. */
static void a_slow_launch_times_out(void **state) {
  (void)state;
  const kiln_device_desc hurried = {.time_limit_ns = 1000000};
  uint32_t data[68] = {4000000};
  kiln_binding binding = {.size = sizeof data, .written = true};
  kiln_program_info program = {.words = vk_test_slow,
                               .word_count = sizeof vk_test_slow / 4,
                               .bindings = &binding,
                               .binding_count = 1,
                               .workgroup_size = 64,
                               .units_per_workgroup = 1,
                               .unit_count = 2,
                               .push_constant_size = 8};
  kiln_array array = words(data, 68);
  kiln_device *device = open_device(&hurried);
  kiln_launch *launch;
  assert_int_equal(vk_launch_create_info(device, &program, &launch), KILN_OK);
  assert_int_equal(kiln_launch_upload(launch, 0, &array), KILN_OK);
  assert_int_equal(kiln_launch_run(launch, 1, NULL), KILN_ERROR_TIMEOUT);
  assert_string_equal(last_diag(), "launch_timeout");
  assert_int_equal(kiln_launch_run(launch, 1, NULL), KILN_ERROR_DEVICE_LOST);
  assert_string_equal(last_diag(), "device_was_lost");
  assert_int_equal(kiln_launch_download(launch, 0, &array), KILN_ERROR_DEVICE_LOST);
  kiln_launch_destroy(launch);
  kiln_device_close(device);
  kiln_device_close(open_device(NULL));
}

/* The kernel ends when the first of its four words is above 0; else it is asked to stop, and the device goes on. */
static void check_stopped(kiln_str kernel_text) {
  const kiln_parse_desc desc = {kernel_text, STR("never")};
  const kiln_device_desc hurried = {.time_limit_ns = 200000000};
  uint32_t x[4] = {0, 2, 3, 4}, y[4] = {0};
  kiln_array arrays[] = {words(x, 4), words(y, 4)};
  kiln_module *module;
  assert_int_equal(kiln_module_parse(context, &desc, &module), KILN_OK);
  const kiln_kernel *kernel = kiln_module_kernel(module, 0);
  kiln_device *device = open_device(&hurried);
  kiln_device_plan *plan;
  assert_int_equal(kiln_device_prepare(device, kernel, NULL, 0, arrays, 2, &plan), KILN_OK);
  const uint64_t start = clock_ns();
  assert_int_equal(kiln_device_launch(plan, arrays, 2), KILN_ERROR_TIMEOUT);
  assert_true(clock_ns() - start < UINT64_C(800000000));
  assert_string_equal(last_diag(), "launch_stopped");
  x[0] = 1;
  assert_int_equal(kiln_device_launch(plan, arrays, 2), KILN_OK);
  assert_memory_equal(x, y, sizeof x);
  kiln_device_plan_destroy(plan);
  kiln_device_close(device);
  kiln_module_destroy(module);
}

/* A thread that asks for ever. */
static void a_kernel_that_never_ends_is_stopped(void **state) {
  (void)state;
  check_stopped(
      STR("kernel never(x: u32[4]) -> (y: u32[4]) {\n  machine gpu\n  threads t: 2\n  scratch full: barrier\n"
          "  when t == 0 { y[...] = x[...]  when x[0] > 0 { arrive full } }\n"
          "  else { let _d = while !done with (done = false) { let now = test full yield now } }\n}\n"));
}

/* Without units: loops in loops that go on for ever, at every point of a grid. */
static void a_loop_that_never_ends_is_stopped(void **state) {
  (void)state;
  check_stopped(
      STR("kernel never(x: u32[4]) -> (y: u32[4]) {\n  grid i: 4\n"
          "  let _d = while n == 0 with (n = x[0]) { let m = while m == 0 with (m = n) { yield m & 1 } yield m }\n"
          "  y[i] = x[i]\n}\n"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(devices_are_listed_once),
      cmocka_unit_test(devices_are_chosen_by_index_and_name),
      cmocka_unit_test(other_loaders_are_refused),
      cmocka_unit_test(a_large_grid_is_split_into_dispatches),
      cmocka_unit_test(staged_transfers_give_the_same),
      cmocka_unit_test(wrong_arrays_are_refused),
      cmocka_unit_test(a_plan_runs_again_and_again),
      cmocka_unit_test(the_required_subgroup_size_is_taken),
      cmocka_unit_test(threads_do_not_disturb_each_other),
      cmocka_unit_test(a_forked_child_is_told),
      cmocka_unit_test(a_kernel_that_never_ends_is_stopped),
      cmocka_unit_test(a_loop_that_never_ends_is_stopped),
      cmocka_unit_test(a_slow_launch_times_out),
  };
  if (kiln_context_create(NULL, &context)) return 1;
  kiln_device *device;
  if (kiln_device_open(context, NULL, &device)) {
    bool none = !strcmp(last_diag(), "no_device") || !strcmp(last_diag(), "vulkan_loader_missing") ||
                !strcmp(last_diag(), "vulkan_instance_failed");
    kiln_str why = kiln_diag_get(context, kiln_diag_count(context) - 1)->message;
    printf("%s %.*s\n", none ? "SKIP" : "FAIL", (int)why.size, why.data);
    kiln_context_destroy(context);
    return none ? SKIPPED : 1;
  }
  kiln_device_close(device);
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  kiln_context_destroy(context);
  fflush(NULL);
  _exit(failed); /* the slow launch may still be running, and lavapipe crashes when its library is unloaded under it */
}
