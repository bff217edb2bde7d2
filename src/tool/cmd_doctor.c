/* `kiln doctor`: does it work here, and if not, what to do. Runs a small kernel in every place. */
#include <string.h>

#include "base/config.h"
#include "kiln/host.h"
#include "pass/pass.h"
#include "tool/device.h"

#define COUNT 256

static const char probe_text[] =
    "kernel probe(x: f32[256]) -> (y: f32[256]) {\n"
    "  grid i: 4 parallel\n"
    "  block x (64) at (i)\n"
    "  block y (64) at (i)\n"
    "  y[...] = exp(x[...] * 0.015625) + sum(x[...])\n"
    "}\n";

typedef struct probe {
  tool *tool;
  kiln_module *module;
  const kiln_kernel *kernel;
  float x[COUNT], host[COUNT], other[COUNT];
  bool fine, host_ran;
} probe;

static kiln_array array_of(float *data) {
  return (kiln_array){.dtype = KILN_F32, .rank = 1, .dims = {COUNT}, .data = data, .size = COUNT * sizeof *data};
}

static void verdict(probe *p, bool fine, const char *what, kiln_str detail) {
  printf("  %-4s %s%s%.*s\n", fine ? "ok" : "FAIL", what, detail.size > 0 ? ": " : "", STR_FMT(detail));
  p->fine &= fine;
}

static bool same(const probe *p) {
  for (size_t i = 0; i < COUNT; i++) {
    float apart = p->host[i] - p->other[i];
    if (!(apart < 0.01f && apart > -0.01f)) return false;
  }
  return true;
}

static void check_environment(probe *p) {
  puts("environment");
  size_t before = kiln_diag_count(p->tool->context);
  for (int i = 0; i < CONFIG_ID_COUNT; i++) {
    kiln_str value = config_text((config_id)i, p->tool->context->diags);
    if (!str_is(value, config_rows[i].fallback)) printf("  note %s is %.*s\n", config_rows[i].name, STR_FMT(value));
  }
  verdict(p, kiln_diag_count(p->tool->context) == before, "variables", (kiln_str){0});
}

static void check_host(probe *p) {
  printf("host: %u threads\n", p->tool->context->threads);
  kiln_parse_desc desc = {{probe_text, sizeof probe_text - 1}, STR("probe.kiln")};
  bool parsed = kiln_module_parse(p->tool->context, &desc, &p->module) == KILN_OK;
  verdict(p, parsed, "parse a kernel", (kiln_str){0});
  if (!parsed) return;
  p->kernel = kiln_module_kernel(p->module, 0);
  for (size_t i = 0; i < COUNT; i++) p->x[i] = (float)i;
  kiln_array arrays[] = {array_of(p->x), array_of(p->host)};
  kiln_host_desc checks = {.check = true};
  p->host_ran = kiln_host_run(p->tool->context, p->kernel, &checks, arrays, 2) == KILN_OK;
  verdict(p, p->host_ran, "run it with every check", (kiln_str){0});
}

static const char *seat_of_roles(const kiln_profile *profile) {
  if (pass_device_target(profile, KILN_UNITS_AUTO).in_turn) return "one subgroup";
  return profile->lock_step ? "a subgroup each, whose lanes run in lock step"
                            : "a subgroup each, with barriers of its own";
}

static void check_device(probe *p, const kiln_device_info *d) {
  printf("vulkan:%u: %.*s", d->index, STR_FMT(d->name));
  printf(d->driver.size > 0 ? " (%.*s)\n" : "%.*s\n", STR_FMT(d->driver));
  verdict(p, d->usable, "self-test", d->refusal);
  if (!d->usable || !p->kernel) return;
  printf("  note roles take turns on %s\n", seat_of_roles(&d->profile));
  puts(d->profile.polls ? "  note roles may wait for one another: they spin where they cannot be fused"
                        : "  note a subgroup that waits keeps the others waiting: roles never spin");
  if (d->profile.split_barrier) puts("  note it has barriers in two halves, which nothing uses yet");
  memset(p->other, 0, sizeof p->other);
  kiln_array arrays[] = {array_of(p->x), array_of(p->other)};
  char select[16];
  snprintf(select, sizeof select, "%u", d->index);
  bool ran = device_run_kernel(p->tool, str_from(select), p->kernel, arrays, 2) == KILN_OK;
  verdict(p, ran, "compile and run a kernel", (kiln_str){0});
  if (ran && p->host_ran) verdict(p, same(p), "the same numbers as the host", (kiln_str){0});
}

/* With --on only that device counts; otherwise all, and none at all is no fault of the machine. */
static bool wanted(const kiln_device_info *d, const char *on) {
  kiln_str select;
  uint64_t index;
  if (!on || !device_select(on, &select) || select.size == 0) return true;
  if (str_read_u64(select, &index)) return d->index == index;
  for (size_t i = 0; i + select.size <= d->name.size; i++)
    if (memcmp(d->name.data + i, select.data, select.size) == 0) return true;
  return false;
}

static void check_devices(probe *p, const char *on) {
  const kiln_device_info *infos;
  size_t count = device_list(p->tool, &infos), seen = 0;
  if (count == 0 && !on) puts("no Vulkan device; the host needs none");
  for (size_t i = 0; i < count; i++) {
    if (!wanted(&infos[i], on)) continue;
    check_device(p, &infos[i]);
    seen++;
  }
  if (seen == 0 && on) verdict(p, false, "no such device", str_from(on));
}

static exit_code run(tool *t) {
  const char *on = args_value(t, "--on");
  kiln_str select;
  bool host_only = on && strcmp(on, "host") == 0;
  if (on && strcmp(on, "all") == 0) on = NULL;
  if (on && !host_only && !device_select(on, &select)) {
    TOOL_REPORT(t, DIAG_unknown_target, NULL, on);
    return EXIT_WRONG;
  }
  probe *p = ARENA_NEW(&t->arena, probe);
  p->tool = t;
  p->fine = true;
  printf("kiln %s\n", kiln_version());
  check_environment(p);
  check_host(p);
  if (!host_only) check_devices(p, on);
  puts(p->fine ? "all is well" : "something is wrong: see FAIL above");
  kiln_module_destroy(p->module);
  return p->fine ? EXIT_FINE : EXIT_SYSTEM;
}

static const option options[] = {
    {"--on", 0, OPTION_VALUE, false, "DEV", "host, vulkan, vulkan:INDEX, vulkan:NAME, or all (default)"}};

const command command_doctor = {
    .name = "doctor",
    .summary = "test this machine: environment, host, every Vulkan device",
    .operands = "",
    OPTIONS(options),
    .details = "Exit code 4 tells that something does not work.\n",
    .run = run,
};
