/* The Vulkan runtime on a driver inside the process: every call that can fail does, every allocation fails once, and
 * what was made is destroyed, nothing is tried again, and the right result comes back. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_vulkan.h"
#include "vulkan/selftest.h"
#include "vulkan/vulkan.h"

enum { COUNT = 100 };

static const uint32_t module_words[] = {0x07230203, 0x00010300, 0, 8, 0};

static void accumulate(uint32_t *const buffers[], uint32_t first, uint32_t end) {
  for (uint32_t i = first; i < end; i++) buffers[1][i] += buffers[0][i];
}

/* An allocator that counts, and fails from the `fail_at`-th call on: for one call, or for ever. */
typedef struct counting {
  uint64_t calls, fail_at;
  bool for_ever;
  int64_t bytes;
} counting;

static void *count_allocation(void *user, void *ptr, size_t old_size, size_t size) {
  counting *self = user;
  if (size) {
    self->calls++;
    if (self->fail_at && (self->calls == self->fail_at || (self->for_ever && self->calls > self->fail_at))) return NULL;
  }
  self->bytes += (int64_t)size - (int64_t)(ptr ? old_size : 0);
  if (size) return realloc(ptr, size);
  free(ptr);
  return NULL;
}

static kiln_context *make_context(counting *memory) {
  kiln_context *context;
  kiln_context_desc desc = {.alloc = memory ? count_allocation : NULL, .alloc_user = memory, .threads = 1};
  assert_int_equal(kiln_context_create(&desc, &context), KILN_OK);
  return context;
}

static const char *last_diag(const kiln_context *context) {
  size_t count = kiln_diag_count(context);
  return count ? kiln_diag_get(context, count - 1)->name : "";
}

static kiln_program_info program_info(kiln_binding bindings[2]) {
  bindings[0] = (kiln_binding){.param = 0, .size = COUNT * 4};
  bindings[1] = (kiln_binding){.param = 1, .size = COUNT * 4, .written = true};
  return (kiln_program_info){.words = module_words,
                             .word_count = 5,
                             .bindings = bindings,
                             .binding_count = 2,
                             .workgroup_size = 16,
                             .units_per_workgroup = 4,
                             .unit_count = COUNT,
                             .subgroup_size = 8,
                             .push_constant_size = 8};
}

/* Uploads, runs twice in one submission, downloads, checks. 100 grid points of 4 per workgroup of 8 per dispatch: 4
 * dispatches a run. */
static kiln_result use_launch(kiln_launch *launch) {
  uint32_t data[COUNT];
  for (uint32_t i = 0; i < COUNT; i++) data[i] = i + 1;
  kiln_array array = {.dtype = KILN_U32, .rank = 1, .dims = {COUNT}, .data = data, .size = sizeof data};
  double ns = -1;
  kiln_result result = kiln_launch_upload(launch, 0, &array);
  if (!result) result = kiln_launch_upload(launch, 1, &array);
  if (!result) result = kiln_launch_run(launch, 2, &ns);
  if (!result) result = kiln_launch_download(launch, 1, &array);
  if (result) return result;
  for (uint32_t i = 0; i < COUNT; i++) assert_int_equal(data[i], 3 * (i + 1));
  if (!fake.no_timestamps) assert_true(ns == 400 * 2.0 / 2);
  return KILN_OK;
}

static kiln_result use_device(kiln_context *context, vk_instance *instance) {
  const kiln_device_desc desc = {0};
  kiln_binding bindings[2];
  kiln_program_info program = program_info(bindings);
  kiln_device *device = NULL;
  kiln_launch *launch = NULL;
  kiln_result result = vk_device_open(context, instance, &desc, &device);
  if (!result) result = vk_launch_create_info(device, &program, &launch);
  if (!result) result = use_launch(launch);
  assert_true(result != KILN_OK || launch != NULL);
  kiln_launch_destroy(launch);
  kiln_device_close(device);
  return result;
}

/* An instance of the fake driver with its devices tested. */
static kiln_result open_instance(kiln_context *context, vk_instance *instance) {
  const kiln_device_desc desc = {.application = STR("app"), .engine = STR("engine")};
  kiln_result result = vk_instance_open(context, &desc, fake_resolve, instance);
  if (!result) result = vk_devices_test(context, instance);
  if (result) vk_instance_close(instance);
  return result;
}

static vk_instance instance; /* large, so not on the stack */

/* A launch on an open device, ready for what one test does with it. */
typedef struct rig {
  kiln_context *context;
  kiln_device *device;
  kiln_launch *launch;
  kiln_binding bindings[2];
  kiln_program_info program;
} rig;

/* With `output_bytes` in the second buffer. */
static void open_rig(rig *r, const kiln_device_desc *desc, uint64_t output_bytes) {
  fake_reset();
  fake.program = accumulate;
  r->program = program_info(r->bindings);
  r->bindings[1].size = output_bytes;
  r->context = make_context(NULL);
  assert_int_equal(open_instance(r->context, &instance), KILN_OK);
  assert_int_equal(vk_device_open(r->context, &instance, desc, &r->device), KILN_OK);
  assert_int_equal(vk_launch_create_info(r->device, &r->program, &r->launch), KILN_OK);
}

static void close_rig(rig *r) {
  kiln_launch_destroy(r->launch);
  kiln_device_close(r->device);
  vk_instance_close(&instance);
  assert_int_equal(fake.objects, 0);
  kiln_context_destroy(r->context);
}

static void everything_works_and_balances(void **state) {
  (void)state;
  for (int without = 0; without < 5; without++) {
    fake_reset();
    fake.unified = without == 4;
    fake.program = accumulate;
    fake.no_timestamps = without == 1;
    fake.no_subgroup_control = without == 2;
    fake.device_api = without == 3 ? VK_API_VERSION_1_1 : 0;
    kiln_context *context = make_context(NULL);
    assert_int_equal(open_instance(context, &instance), KILN_OK);
    assert_true(instance.infos[0].usable);
    assert_int_equal(use_device(context, &instance), KILN_OK);
    assert_int_equal(fake.dispatches, 7 + 8);
    vk_instance_close(&instance);
    assert_int_equal(fake.objects, 0);
    assert_int_equal(fake.violations, 0);
    assert_int_equal(kiln_diag_count(context), 0);
    kiln_context_destroy(context);
  }
}

/* By the extension where Vulkan is older than 1.2. */
static void atomics_of_64_bits_are_asked_for(void **state) {
  (void)state;
  const uint32_t versions[] = {VK_API_VERSION_1_1, VK_API_VERSION_1_2, VK_API_VERSION_1_3};
  for (int i = 0; i < 6; i++) {
    fake_reset();
    fake.program = accumulate;
    fake.device_api = versions[i % 3];
    fake.long_integers = i < 3;
    fake.no_subgroup_control = i == 1;
    kiln_context *context = make_context(NULL);
    assert_int_equal(open_instance(context, &instance), KILN_OK);
    assert_int_equal(instance.infos[0].profile.i64_atomics, fake.long_integers);
    assert_int_equal(use_device(context, &instance), KILN_OK);
    assert_int_equal(fake.long_atomics, fake.long_integers);
    vk_instance_close(&instance);
    assert_int_equal(fake.violations, 0);
    kiln_context_destroy(context);
  }
}

/* Each fallible call of a whole use fails once with `failure`. */
static void sweep_calls_of(bool unified, VkResult failure, kiln_result expected) {
  uint64_t points = 0;
  for (uint64_t at = 1;; at++) {
    fake_reset();
    fake.unified = unified;
    fake.program = accumulate;
    kiln_context *context = make_context(NULL);
    assert_int_equal(open_instance(context, &instance), KILN_OK);
    fake_arm(at, failure);
    kiln_result result = use_device(context, &instance);
    if (!fake.failed) {
      kiln_context_destroy(context);
      break;
    }
    points++;
    assert_int_equal(result, expected);
    assert_int_equal(fake.calls_after_failure, 0);
    assert_int_equal(kiln_diag_count(context), 1);
    vk_instance_close(&instance);
    /* After a wait that failed in any other way the dispatch may still run: its objects are kept on purpose. */
    bool kept = !strcmp(fake.failed_call, "vkWaitForFences") && failure != VK_ERROR_DEVICE_LOST;
    if (kept)
      assert_true(fake.objects > 0);
    else
      assert_int_equal(fake.objects, 0);
    kiln_context_destroy(context);
  }
  assert_true(points >= 25);
}

/* With buffers that the host sees, and through staging buffers. */
static void sweep_calls(VkResult failure, kiln_result expected) {
  sweep_calls_of(true, failure, expected);
  sweep_calls_of(false, failure, expected);
}

static void every_call_fails_by_device_loss(void **state) {
  (void)state;
  sweep_calls(VK_ERROR_DEVICE_LOST, KILN_ERROR_DEVICE_LOST);
}

static void every_call_fails_by_host_memory(void **state) {
  (void)state;
  sweep_calls(VK_ERROR_OUT_OF_HOST_MEMORY, KILN_ERROR_MEMORY);
}

static void every_call_fails_by_device_memory(void **state) {
  (void)state;
  sweep_calls(VK_ERROR_OUT_OF_DEVICE_MEMORY, KILN_ERROR_DEVICE_MEMORY);
}

static void every_call_fails_by_unknown_codes(void **state) {
  (void)state;
  sweep_calls(VK_ERROR_UNKNOWN, KILN_ERROR_DEVICE);
  sweep_calls((VkResult)-123456, KILN_ERROR_DEVICE);
}

static void every_call_times_out(void **state) {
  (void)state;
  sweep_calls(VK_TIMEOUT, KILN_ERROR_TIMEOUT);
}

/* The same while instance and self-test are made: an error, or a refusal that gives the reason. */
static void sweep_start(VkResult failure, kiln_result expected) {
  for (uint64_t at = 1;; at++) {
    fake_reset();
    kiln_context *context = make_context(NULL);
    fake_arm(at, failure);
    kiln_result result = open_instance(context, &instance);
    if (!fake.failed) {
      vk_instance_close(&instance);
      kiln_context_destroy(context);
      break;
    }
    if (result) {
      assert_int_equal(result, expected);
      assert_int_equal(kiln_diag_count(context), 1);
    } else {
      assert_false(instance.infos[0].usable);
      assert_non_null(strstr(instance.infos[0].refusal.data, "could not run"));
      vk_instance_close(&instance);
    }
    assert_int_equal(fake.calls_after_failure, 0);
    bool kept = !strcmp(fake.failed_call, "vkWaitForFences") && failure != VK_ERROR_DEVICE_LOST;
    if (!kept) assert_int_equal(fake.objects, 0);
    kiln_context_destroy(context);
  }
}

static void every_call_of_the_start_fails(void **state) {
  (void)state;
  sweep_start(VK_ERROR_DEVICE_LOST, KILN_ERROR_DEVICE_LOST);
  sweep_start(VK_ERROR_OUT_OF_HOST_MEMORY, KILN_ERROR_MEMORY);
  sweep_start(VK_ERROR_OUT_OF_DEVICE_MEMORY, KILN_ERROR_DEVICE_MEMORY);
  sweep_start(VK_ERROR_INITIALIZATION_FAILED, KILN_ERROR_DEVICE);
}

/* The whole use with the n-th allocation failing, for every n: memory errors or, where only a message was lost,
 * success. */
static void sweep_allocations(bool for_ever) {
  for (uint64_t at = 1;; at++) {
    counting memory = {0};
    fake_reset();
    fake.program = accumulate;
    kiln_context *context = make_context(&memory);
    memory.fail_at = memory.calls + at;
    memory.for_ever = for_ever;
    kiln_result result = open_instance(context, &instance);
    if (!result) {
      result = use_device(context, &instance);
      vk_instance_close(&instance);
    }
    bool reached = memory.calls >= memory.fail_at;
    assert_int_equal(result, reached ? KILN_ERROR_MEMORY : KILN_OK);
    assert_int_equal(fake.objects, 0);
    memory.fail_at = 0;
    kiln_context_destroy(context);
    assert_int_equal(memory.bytes, 0);
    if (!reached) break;
  }
}

static void every_allocation_fails_once(void **state) {
  (void)state;
  sweep_allocations(false);
}

static void every_allocation_fails_from_some_point_on(void **state) {
  (void)state;
  sweep_allocations(true);
}

/* A launch that did not end: the device gets no call at all any more, not even to be destroyed. */
static void a_timeout_abandons_the_device(void **state) {
  (void)state;
  rig r;
  open_rig(&r, &(kiln_device_desc){0}, COUNT * 4);
  fake_arm(6, VK_TIMEOUT); /* reset pool, begin, end, reset fence, submit, wait */
  assert_int_equal(kiln_launch_run(r.launch, 1, NULL), KILN_ERROR_TIMEOUT);
  assert_string_equal(fake.failed_call, "vkWaitForFences");
  assert_string_equal(last_diag(r.context), "launch_timeout");
  uint64_t calls = fake.calls;
  assert_int_equal(kiln_launch_run(r.launch, 1, NULL), KILN_ERROR_DEVICE_LOST);
  assert_string_equal(last_diag(r.context), "device_was_lost");
  assert_int_equal(use_launch(r.launch), KILN_ERROR_DEVICE_LOST);
  kiln_launch *second;
  assert_int_equal(vk_launch_create_info(r.device, &r.program, &second), KILN_ERROR_DEVICE_LOST);
  assert_null(second);
  kiln_launch_destroy(r.launch);
  kiln_device_close(r.device);
  assert_int_equal(fake.calls, calls);
  kiln_context_destroy(r.context);
}

/* What a driver compiles at the first dispatch does not count as the time of a launch. */
static void a_launch_is_primed_without_limit(void **state) {
  (void)state;
  rig r;
  open_rig(&r, &(kiln_device_desc){.time_limit_ns = 1000}, COUNT * 4);
  assert_int_equal(vk_launch_prime(r.launch), KILN_OK);
  assert_true(fake.wait_limit == UINT64_MAX);
  assert_int_equal(kiln_launch_run(r.launch, 1, NULL), KILN_OK);
  assert_int_equal(fake.wait_limit, 1000);
  close_rig(&r);
}

/* Longer than a staging buffer, and shorter than its own buffer: every byte arrives, and zeros behind it. */
static void large_arrays_pass_in_pieces(void **state) {
  (void)state;
  const size_t size = FAKE_BUFFER_RANGE - 1000000, whole = FAKE_BUFFER_RANGE;
  rig r;
  open_rig(&r, &(kiln_device_desc){0}, whole);
  uint8_t *sent = malloc(size), *received = malloc(whole);
  for (size_t i = 0; i < size; i++) sent[i] = (uint8_t)(i * 31 + i / 65521);
  assert_int_equal(vk_launch_write(r.launch, 1, sent, size), KILN_OK);
  assert_int_equal(vk_launch_read(r.launch, 1, received, whole), KILN_OK);
  assert_memory_equal(sent, received, size);
  for (size_t i = size; i < whole; i++) assert_int_equal(received[i], 0);
  free(sent);
  free(received);
  close_rig(&r);
}

/* A program that the device cannot run is refused before a single call. */
static void refuse(kiln_device *device, const kiln_program_info *program, kiln_result expected, const char *name) {
  kiln_launch *launch;
  uint64_t calls = fake.calls;
  assert_int_equal(vk_launch_create_info(device, program, &launch), expected);
  assert_null(launch);
  assert_string_equal(last_diag(device->context), name);
  assert_int_equal(fake.calls, calls);
}

#define REFUSE(change, expected, name)                  \
  do {                                                  \
    kiln_binding bindings[8] = {{0}};                   \
    kiln_program_info program = program_info(bindings); \
    change;                                             \
    refuse(device, &program, expected, name);           \
  } while (0)

static void invalid_programs_make_no_call(void **state) {
  (void)state;
  const kiln_device_desc desc = {0};
  kiln_device *device;
  fake_reset();
  kiln_context *context = make_context(NULL);
  assert_int_equal(open_instance(context, &instance), KILN_OK);
  assert_int_equal(vk_device_open(context, &instance, &desc, &device), KILN_OK);
  const uint32_t rubbish[5] = {0x66666666};
  REFUSE(program.words = rubbish, KILN_ERROR_INVALID, "program_malformed");
  REFUSE(program.words = NULL, KILN_ERROR_INVALID, "program_malformed");
  REFUSE(program.word_count = 4, KILN_ERROR_INVALID, "program_malformed");
  REFUSE(program.workgroup_size = 0, KILN_ERROR_INVALID, "program_malformed");
  REFUSE(program.units_per_workgroup = 0, KILN_ERROR_INVALID, "program_malformed");
  REFUSE(program.workgroup_size = 12, KILN_ERROR_INVALID, "program_malformed");
  REFUSE(program.push_constant_size = 12, KILN_ERROR_INVALID, "program_malformed");
  REFUSE(bindings[1].size = 15, KILN_ERROR_INVALID, "program_malformed");
  REFUSE(bindings[1].size = FAKE_BUFFER_RANGE + 16, KILN_ERROR_LIMIT, "program_exceeds_device");
  REFUSE(bindings[0].size = UINT64_MAX - 15, KILN_ERROR_LIMIT, "program_exceeds_device");
  REFUSE((bindings[0].size = bindings[1].size = bindings[2].size = FAKE_BUFFER_RANGE, program.binding_count = 3),
         KILN_ERROR_LIMIT, "program_exceeds_device");
  REFUSE(program.binding_count = 5, KILN_ERROR_LIMIT, "program_exceeds_device");
  REFUSE(program.workgroup_size = 256, KILN_ERROR_LIMIT, "program_exceeds_device");
  REFUSE(program.shared_memory = 16388, KILN_ERROR_LIMIT, "program_exceeds_device");
  REFUSE(program.unit_count = UINT64_C(1) << 32, KILN_ERROR_LIMIT, "program_exceeds_device");
  REFUSE(program.needs_f64 = true, KILN_ERROR_UNSUPPORTED, "program_needs_feature");
  REFUSE(program.needs_i64 = true, KILN_ERROR_UNSUPPORTED, "program_needs_feature");
  REFUSE(program.needs_i64_atomics = true, KILN_ERROR_UNSUPPORTED, "program_needs_feature");
  REFUSE((program.subgroup_size = 32, program.workgroup_size = 32), KILN_ERROR_UNSUPPORTED, "program_needs_feature");
  REFUSE(program.subgroup_size = 4, KILN_ERROR_UNSUPPORTED, "program_needs_feature");
  kiln_device_close(device);
  vk_instance_close(&instance);
  assert_int_equal(fake.objects, 0);
  kiln_context_destroy(context);
}

static void names_are_amended(void **state) {
  (void)state;
  static char long_name[VK_MAX_NAME + 1];
  memset(long_name, 'n', sizeof long_name);
  const struct {
    kiln_device_desc desc;
    const char *application, *engine;
  } rows[] = {
      {{.application = STR("app"), .engine = STR("engine 2")}, "app; Kiln 0.1.0", "engine 2; Kiln 0.1.0"},
      {{.engine = STR("e")}, "Kiln 0.1.0", "e; Kiln 0.1.0"},
      {{.application = STR("a\0b")}, "a?b; Kiln 0.1.0", "Kiln 0.1.0"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    fake_reset();
    kiln_context *context = make_context(NULL);
    assert_int_equal(vk_instance_open(context, &rows[i].desc, fake_resolve, &instance), KILN_OK);
    assert_string_equal(fake.application, rows[i].application);
    assert_string_equal(fake.engine, rows[i].engine);
    vk_instance_close(&instance);
    kiln_context_destroy(context);
  }
  fake_reset();
  kiln_context *context = make_context(NULL);
  kiln_device_desc desc = {.application = {long_name, sizeof long_name}};
  assert_int_equal(vk_instance_open(context, &desc, fake_resolve, &instance), KILN_ERROR_LIMIT);
  assert_string_equal(last_diag(context), "vulkan_name_too_long");
  assert_int_equal(fake.calls, 0);
  kiln_context_destroy(context);
}

static void missing_functions_are_named(void **state) {
  (void)state;
  static const struct {
    const char *name;
    bool needed;
  } rows[] = {
#define VK_ENTRY(level, name, needed) {"vk" #name, needed},
#include "vulkan/entries.def"
#undef VK_ENTRY
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (!rows[i].needed) continue;
    fake_reset();
    fake.hidden = rows[i].name;
    kiln_context *context = make_context(NULL);
    kiln_result result = open_instance(context, &instance);
    if (result) {
      assert_int_equal(result, KILN_ERROR_DEVICE);
      assert_string_equal(last_diag(context), "vulkan_function_missing");
    } else {
      assert_non_null(strstr(instance.infos[0].refusal.data, rows[i].name));
      vk_instance_close(&instance);
    }
    bool cannot_end = strstr(rows[i].name, "vkDestroyInstance") || strstr(rows[i].name, "vkDestroyDevice");
    assert_int_equal(fake.objects, cannot_end ? 1 : 0);
    kiln_context_destroy(context);
  }
}

static void a_driver_that_computes_wrongly_is_refused(void **state) {
  (void)state;
  const kiln_device_desc desc = {0}, forced = {.accept_failed = true};
  kiln_device *device;
  fake_reset();
  fake.truncates_loops = true;
  kiln_context *context = make_context(NULL);
  assert_int_equal(open_instance(context, &instance), KILN_OK);
  assert_false(instance.infos[0].usable);
  assert_non_null(strstr(instance.infos[0].refusal.data, "65535 instead of 70000"));
  assert_non_null(strstr(instance.infos[0].refusal.data, "bookworm-backports"));
  assert_int_equal(vk_device_open(context, &instance, &desc, &device), KILN_ERROR_DEVICE);
  assert_string_equal(last_diag(context), "device_refused");
  assert_null(device);
  uint64_t submits = fake.submits;
  assert_int_equal(vk_devices_test(context, &instance), KILN_OK);
  assert_int_equal(fake.submits, submits); /* once per process */
  assert_int_equal(vk_device_open(context, &instance, &forced, &device), KILN_OK);
  kiln_device_close(device);
  vk_instance_close(&instance);
  assert_int_equal(fake.objects, 0);
  kiln_context_destroy(context);
}

static void old_and_poor_devices_are_refused(void **state) {
  (void)state;
  const kiln_device_desc desc = {0};
  kiln_device *device;
  kiln_context *context = make_context(NULL);
  fake_reset();
  fake.device_api = VK_API_VERSION_1_0;
  assert_int_equal(open_instance(context, &instance), KILN_OK);
  assert_non_null(strstr(instance.infos[0].refusal.data, "Vulkan 1.0"));
  vk_instance_close(&instance);
  fake_reset();
  fake.no_host_memory = true;
  assert_int_equal(open_instance(context, &instance), KILN_OK);
  assert_false(instance.infos[0].usable);
  vk_instance_close(&instance);
  assert_int_equal(fake.objects, 0);
  fake_reset();
  fake.poor_limits = true;
  assert_int_equal(open_instance(context, &instance), KILN_OK);
  assert_non_null(strstr(instance.infos[0].refusal.data, "limits"));
  vk_instance_close(&instance);
  fake_reset();
  fake.device_count = 0;
  assert_int_equal(open_instance(context, &instance), KILN_OK);
  assert_int_equal(vk_device_open(context, &instance, &desc, &device), KILN_ERROR_DEVICE);
  assert_string_equal(last_diag(context), "no_device");
  vk_instance_close(&instance);
  kiln_context_destroy(context);
}

/* The loader fails so where no driver is installed. */
static void no_driver_is_no_device(void **state) {
  (void)state;
  fake_reset();
  kiln_context *context = make_context(NULL);
  fake_arm(1, VK_ERROR_INCOMPATIBLE_DRIVER);
  assert_int_equal(open_instance(context, &instance), KILN_ERROR_DEVICE);
  assert_string_equal(fake.failed_call, "vkCreateInstance");
  assert_string_equal(last_diag(context), "no_device");
  kiln_context_destroy(context);
}

static uint32_t chosen(kiln_context *context, kiln_str select) {
  const kiln_device_desc desc = {.select = select};
  kiln_device *device;
  if (vk_device_open(context, &instance, &desc, &device)) return UINT32_MAX;
  uint32_t index = kiln_device_get(device)->index;
  kiln_device_close(device);
  return index;
}

static void the_best_device_is_chosen(void **state) {
  (void)state;
  fake_reset();
  fake.device_count = FAKE_MAX_DEVICES;
  for (uint32_t i = 0; i < FAKE_MAX_DEVICES; i++) fake.types[i] = VK_PHYSICAL_DEVICE_TYPE_CPU;
  fake.types[3] = VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU;
  fake.types[5] = fake.types[7] = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
  kiln_context *context = make_context(NULL);
  assert_int_equal(open_instance(context, &instance), KILN_OK);
  assert_int_equal(instance.count, VK_MAX_DEVICES);
  assert_true(instance.infos[0].profile.serial_subgroups);
  assert_false(instance.infos[5].profile.serial_subgroups);
  assert_int_equal(chosen(context, STR("")), 5);
  assert_int_equal(chosen(context, STR("7")), 7);
  assert_int_equal(chosen(context, STR("fake 1")), 1);
  assert_int_equal(chosen(context, STR("AKE 15")), 15);
  assert_int_equal(chosen(context, STR("16")), UINT32_MAX);
  assert_int_equal(chosen(context, STR("99999999999999999999")), UINT32_MAX);
  assert_int_equal(chosen(context, STR("radeon")), UINT32_MAX);
  strcpy(instance.candidates[5].refusal, "broken");
  assert_int_equal(chosen(context, STR("")), 7);
  vk_instance_close(&instance);
  kiln_context_destroy(context);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(everything_works_and_balances),
      cmocka_unit_test(atomics_of_64_bits_are_asked_for),
      cmocka_unit_test(every_call_fails_by_device_loss),
      cmocka_unit_test(every_call_fails_by_host_memory),
      cmocka_unit_test(every_call_fails_by_device_memory),
      cmocka_unit_test(every_call_fails_by_unknown_codes),
      cmocka_unit_test(every_call_times_out),
      cmocka_unit_test(every_call_of_the_start_fails),
      cmocka_unit_test(every_allocation_fails_once),
      cmocka_unit_test(every_allocation_fails_from_some_point_on),
      cmocka_unit_test(a_timeout_abandons_the_device),
      cmocka_unit_test(a_launch_is_primed_without_limit),
      cmocka_unit_test(large_arrays_pass_in_pieces),
      cmocka_unit_test(invalid_programs_make_no_call),
      cmocka_unit_test(names_are_amended),
      cmocka_unit_test(missing_functions_are_named),
      cmocka_unit_test(a_driver_that_computes_wrongly_is_refused),
      cmocka_unit_test(old_and_poor_devices_are_refused),
      cmocka_unit_test(no_driver_is_no_device),
      cmocka_unit_test(the_best_device_is_chosen),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  fake_reset();
  return failed;
}
