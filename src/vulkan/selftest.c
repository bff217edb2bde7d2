/* The start-up self-test: small probe programs whose answers are known. A driver that computes wrongly is refused by
 * what it does, never by its name or version; Debian 12's lavapipe 22.3.6, for one, ends every loop after 65535 trips
 * and reports success. */
#include "vulkan/selftest.h"

#include <stdio.h>
#include <string.h>

#include "shaders/vk_probe_arithmetic.h"
#include "shaders/vk_probe_barrier.h"
#include "shaders/vk_probe_loop.h"
#include "shaders/vk_probe_meet_control.h"
#include "shaders/vk_probe_meet_memory.h"
#include "shaders/vk_probe_progress.h"
#include "shaders/vk_probe_subgroup.h"
#include "vulkan/vulkan.h"

static const uint64_t probe_time_limit_ns = 20000000000u;

static void fill_loop(uint32_t data[VK_PROBE_WORDS]) { data[0] = 70000; }
static void expect_loop(uint32_t data[VK_PROBE_WORDS]) { data[1] = data[0]; }

static void fill_arithmetic(uint32_t data[VK_PROBE_WORDS]) {
  for (uint32_t i = 0; i < VK_PROBE_WORDS / 2; i++) data[i] = i * 2654435761u + 12345u;
}

/* Sum, product and quotient of one number, in integers and in floats whose results are exact. */
static void expect_arithmetic(uint32_t data[VK_PROBE_WORDS]) {
  for (uint32_t i = 0; i < VK_PROBE_WORDS / 2; i++) {
    uint32_t value = data[i];
    float part = (float)(value & 0xffff);
    float mixed = (part * 0.5f + 3.0f) / 4.0f;
    uint32_t bits;
    memcpy(&bits, &mixed, sizeof bits);
    uint32_t whole = value * 3u + (value >> 7) - value % 1000u + value / 77u;
    data[VK_PROBE_WORDS / 2 + i] = whole ^ bits;
  }
}

static void fill_barrier(uint32_t data[VK_PROBE_WORDS]) {
  for (uint32_t i = 0; i < VK_PROBE_WORDS / 2; i++) data[i] = i * i + 1;
}

/* Five rounds of: everybody adds what the invocation on the other side holds. */
static void expect_barrier(uint32_t data[VK_PROBE_WORDS]) {
  uint32_t now[VK_PROBE_WORDS / 2], next[VK_PROBE_WORDS / 2];
  const uint32_t count = VK_PROBE_WORDS / 2;
  memcpy(now, data, sizeof now);
  for (uint32_t round = 0; round < 5; round++) {
    for (uint32_t i = 0; i < count; i++) next[i] = now[i] + now[(i * 7 + round + 13) % count];
    memcpy(now, next, sizeof now);
  }
  memcpy(data + count, now, sizeof now);
}

/* Each invocation writes 1 when sum, maximum and shuffle over its subgroup are right. */
static void expect_ones(uint32_t data[VK_PROBE_WORDS]) {
  for (uint32_t i = 0; i < VK_PROBE_WORDS / 2; i++) data[i] = 1;
}

/* Of subgroups that go different ways: whether a control barrier of one is right; else one of memory must do. */
static void note_control(vk_facts *facts, bool right) { facts->lock_step = !right; }
static void note_memory(vk_facts *facts, bool right) { facts->roles_fail = facts->lock_step && !right; }
static void note_progress(vk_facts *facts, bool right) { facts->progress = right; }

#define PROBE(id) .name = #id, .words = vk_probe_##id, .word_count = sizeof vk_probe_##id / 4

static const vk_probe probes[] = {
    {PROBE(loop), .fill = fill_loop, .expect = expect_loop, .meaning = "loops end too early"},
    {PROBE(arithmetic), .fill = fill_arithmetic, .expect = expect_arithmetic, .meaning = "arithmetic is wrong"},
    {PROBE(barrier), .fill = fill_barrier, .expect = expect_barrier,
     .meaning = "barriers or shared memory do not work"},
    {PROBE(subgroup), .expect = expect_ones, .meaning = "subgroup operations are wrong"},
    {PROBE(meet_control), .expect = expect_ones, .note = note_control},
    {PROBE(meet_memory), .expect = expect_ones, .note = note_memory},
    {PROBE(progress), .expect = expect_ones, .note = note_progress, .invocations = VK_PROBE_WORDS},
};

const vk_probe *vk_probes(size_t *count) {
  *count = sizeof probes / sizeof *probes;
  return probes;
}

static kiln_result run_probe(kiln_device *device, const vk_probe *probe, uint32_t data[VK_PROBE_WORDS]) {
  const kiln_binding binding = {.size = VK_PROBE_WORDS * sizeof *data, .written = true};
  const kiln_program_info program = {.words = probe->words,
                                     .word_count = probe->word_count,
                                     .bindings = &binding,
                                     .binding_count = 1,
                                     .workgroup_size = probe->invocations ? probe->invocations : VK_PROBE_WORDS / 2,
                                     .units_per_workgroup = 1,
                                     .unit_count = 1,
                                     .push_constant_size = 8};
  const size_t size = VK_PROBE_WORDS * sizeof *data;
  kiln_launch *launch = NULL;
  double ns;
  kiln_result result = vk_launch_create_info(device, &program, &launch);
  if (!result) result = vk_launch_write(launch, 0, data, size);
  if (!result) result = kiln_launch_run(launch, 1, &ns);
  if (!result) result = vk_launch_read(launch, 0, data, size);
  kiln_launch_destroy(launch);
  return result;
}

/* Runs one probe; says in `refusal` where its answer is wrong. */
static kiln_result judge_probe(kiln_device *device, const vk_probe *probe, vk_candidate *candidate) {
  char *refusal = candidate->refusal;
  uint32_t data[VK_PROBE_WORDS] = {0}, expected[VK_PROBE_WORDS];
  if (probe->fill) probe->fill(data);
  memcpy(expected, data, sizeof expected);
  probe->expect(expected);
  kiln_result result = run_probe(device, probe, data);
  if (result) return result;
  if (probe->note) {
    probe->note(&candidate->facts, memcmp(data, expected, sizeof data) == 0);
    return KILN_OK;
  }
  for (uint32_t i = 0; i < VK_PROBE_WORDS; i++) {
    if (data[i] == expected[i]) continue;
    snprintf(refusal, VK_REASON_SIZE,
             "its start-up self-test failed: %s, so results would be silently wrong (probe `%s`: word %u is %u instead "
             "of %u); install another driver, on Debian 12 mesa-vulkan-drivers 25.0 or later from bookworm-backports",
             probe->meaning, probe->name, i, data[i], expected[i]);
    break;
  }
  return KILN_OK;
}

static kiln_result run_probes(kiln_device *device, vk_candidate *candidate) {
  kiln_result result = KILN_OK;
  for (size_t i = 0; !result && !candidate->refusal[0] && i < sizeof probes / sizeof *probes; i++)
    result = judge_probe(device, &probes[i], candidate);
  return result;
}

/* The driver's failure as a reason: the last message that the probes' own sink collected. */
static void explain_failure(const diag_sink *diags, kiln_result result, char refusal[VK_REASON_SIZE]) {
  size_t count = diag_sink_count(diags);
  kiln_str message = count ? diag_sink_get(diags, count - 1)->message : str_from(kiln_result_name(result));
  snprintf(refusal, VK_REASON_SIZE, "its start-up self-test could not run: %.*s", STR_FMT(message));
}

kiln_result vk_selftest(kiln_context *context, const vk_instance *instance, vk_candidate *candidate) {
  kiln_context quiet = *context; /* the same memory; what goes wrong is a verdict, not a diagnostic of the caller's */
  quiet.diags = diag_sink_create(context->mem, NULL, NULL);
  if (!quiet.diags) return KILN_ERROR_MEMORY;
  kiln_device *device = NULL;
  kiln_result result = vk_device_create(&quiet, instance, candidate, probe_time_limit_ns, &device);
  if (!result) result = run_probes(device, candidate);
  if (result && result != KILN_ERROR_MEMORY) explain_failure(quiet.diags, result, candidate->refusal);
  kiln_device_close(device);
  diag_sink_destroy(quiet.diags);
  return result == KILN_ERROR_MEMORY ? result : KILN_OK;
}
