/* `kiln devices`: where kernels can run. */
#include "base/json.h"
#include "tool/device.h"

static void add_device(table *rows, const kiln_device_info *d) {
  table_cell(rows, "vulkan:%u", d->index);
  table_cell(rows, "%.*s", STR_FMT(d->name));
  table_cell(rows, "%u.%u.%u", d->api_version >> 22 & 0x7f, d->api_version >> 12 & 0x3ff, d->api_version & 0xfff);
  table_cell(rows, "%u", d->profile.subgroup_size);
  table_cell(rows, "%u", d->profile.shared_memory);
  table_cell(rows, "%s%s%s", d->profile.f64 ? "f64 " : "", d->profile.i64 ? "i64" : "",
             d->profile.i64_atomics ? " atomics" : "");
  table_cell(rows, "%s", d->usable ? "usable" : "refused");
}

static void print_devices(tool *t, const kiln_device_info *infos, size_t count) {
  static const char *const titles[] = {"device", "name", "Vulkan", ">subgroup", ">shared", "64 bit", ""};
  table rows = TABLE_NEW(&t->arena, titles);
  table_cell(&rows, "host");
  table_cell(&rows, "%u thread%s", t->context->threads, t->context->threads == 1 ? "" : "s");
  for (size_t i = 2; i < 5; i++) table_cell(&rows, "-");
  table_cell(&rows, "f64 i64 atomics");
  table_cell(&rows, "usable");
  for (size_t i = 0; i < count; i++) add_device(&rows, &infos[i]);
  tool_print_table(&rows);
  for (size_t i = 0; i < count; i++)
    if (!infos[i].usable) printf("\nvulkan:%u is refused: %.*s\n", infos[i].index, STR_FMT(infos[i].refusal));
}

static void add_json(json *j, const kiln_device_info *d) {
  json_object(j, NULL);
  json_u64(j, "index", d->index);
  json_str(j, "name", d->name);
  json_str(j, "driver", d->driver);
  json_bool(j, "usable", d->usable);
  json_str(j, "refusal", d->refusal);
  json_u64(j, "vendor", d->vendor);
  json_u64(j, "device", d->device);
  json_u64(j, "api_version", d->api_version);
  json_u64(j, "driver_version", d->driver_version);
  json_u64(j, "subgroup_size", d->profile.subgroup_size);
  json_u64(j, "max_workgroup_size", d->profile.max_workgroup_size);
  json_u64(j, "shared_memory", d->profile.shared_memory);
  json_u64(j, "max_bindings", d->profile.max_bindings);
  json_u64(j, "max_buffer_range", d->profile.max_buffer_range);
  json_bool(j, "f64", d->profile.f64);
  json_bool(j, "i64", d->profile.i64);
  json_bool(j, "i64_atomics", d->profile.i64_atomics);
  json_object_end(j);
}

static void print_json(tool *t, const kiln_device_info *infos, size_t count) {
  text out = text_new(&t->arena);
  json j = {.out = &out};
  json_object(&j, NULL);
  json_array(&j, "devices");
  json_object(&j, NULL);
  json_text(&j, "name", "host");
  json_bool(&j, "usable", true);
  json_text(&j, "refusal", "");
  json_u64(&j, "threads", t->context->threads);
  json_object_end(&j);
  for (size_t i = 0; i < count; i++) add_json(&j, &infos[i]);
  json_array_end(&j);
  json_object_end(&j);
  json_end(&j);
  tool_print(text_str(&out));
}

/* A machine without Vulkan still has its host: what is missing is said on stderr, and the list is short. */
static exit_code run(tool *t) {
  const kiln_device_info *infos = NULL;
  size_t count = device_list(t, &infos);
  if (args_has(t, "--json"))
    print_json(t, infos, count);
  else
    print_devices(t, infos, count);
  return EXIT_FINE;
}

static const option options[] = {{"--json", 0, OPTION_FLAG, false, "", "print one JSON object"}};

const command command_devices = {
    .name = "devices",
    .summary = "list where kernels can run",
    .operands = "",
    OPTIONS(options),
    .details = "Every Vulkan device is tested first; one that computes wrong numbers is refused, with the reason.\n",
    .run = run,
};
