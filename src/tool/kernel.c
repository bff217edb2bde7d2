/* From a file name and options to a kernel. */
#include "tool/kernel.h"

#include <string.h>

#include "base/file.h"
#include "pass/pass.h"

#define TEXT_MOST ((size_t)64 << 20) /* bytes of a kernel file */

kiln_result module_load(tool *t, kiln_module **out) {
  *out = NULL;
  const char *path = t->operands.data[0];
  mem m = t->context->mem;
  file_bytes bytes;
  kiln_result result = file_read(m, t->context->diags, path, TEXT_MOST, &bytes);
  if (result != KILN_OK) return result;
  kiln_parse_desc desc = {{(const char *)bytes.data, bytes.size}, str_from(path)};
  result = kiln_module_parse(t->context, &desc, out);
  file_free(m, &bytes);
  return result;
}

static kiln_str *kernel_names(tool *t, const kiln_module *module, size_t count) {
  kiln_str *names = ARENA_ARRAY(&t->arena, kiln_str, count);
  for (size_t i = 0; i < count; i++) names[i] = kiln_kernel_name(kiln_module_kernel(module, i));
  return names;
}

static const char *joined(tool *t, const char *before, const kiln_str *names, size_t count) {
  text all = text_new(&t->arena);
  text_add(&all, str_from(before));
  for (size_t i = 0; i < count; i++) text_format(&all, "%s%.*s", i > 0 ? ", " : "", STR_FMT(names[i]));
  return text_str(&all).data;
}

static kiln_result choose_kernel(tool *t, subject *s) {
  const char *wanted = args_value(t, "--kernel"), *path = t->operands.data[0];
  size_t count = kiln_module_kernel_count(s->module);
  if (!wanted && count == 1) s->kernel = kiln_module_kernel(s->module, 0);
  if (wanted) s->kernel = kiln_module_find(s->module, str_from(wanted));
  if (s->kernel) return KILN_OK;
  const char *hint = joined(t, "the file has ", kernel_names(t, s->module, count), count);
  if (wanted)
    TOOL_REPORT(t, DIAG_unknown_kernel, hint, path, wanted);
  else
    TOOL_REPORT(t, DIAG_kernel_not_chosen, hint, path, (unsigned long long)count);
  return KILN_ERROR_INVALID;
}

static bool is_symbol(const kiln_kernel *kernel, kiln_str name) {
  for (uint32_t i = 0; i < kernel->symbol_count; i++)
    if (str_equal(kernel->symbols[i], name)) return true;
  return false;
}

/* "M=4096" */
static kiln_result read_size(tool *t, const kiln_kernel *kernel, const char *written, kiln_size *out) {
  const char *equals = strchr(written, '=');
  uint64_t value;
  if (!equals || !str_read_u64(str_from(equals + 1), &value) || value > INT64_MAX) {
    TOOL_REPORT(t, DIAG_bad_set, NULL, written);
    return KILN_ERROR_INVALID;
  }
  *out = (kiln_size){{written, (size_t)(equals - written)}, (int64_t)value};
  if (is_symbol(kernel, out->name)) return KILN_OK;
  const char *near = suggest(&t->arena, out->name, kernel->symbols, kernel->symbol_count);
  if (!near) near = joined(t, "its sizes: ", kernel->symbols, kernel->symbol_count);
  TOOL_REPORT(t, DIAG_unknown_size, near, STR_FMT(kernel->name), STR_FMT(out->name));
  return KILN_ERROR_INVALID;
}

static kiln_result read_sizes(tool *t, subject *s) {
  VEC(kiln_size) sizes = {0};
  for (size_t i = 0; i < t->options.count; i++) {
    const given *g = &t->options.data[i];
    if (strcmp(g->option->name, "--set") != 0) continue;
    kiln_size size;
    kiln_result result = read_size(t, s->kernel, g->value, &size);
    if (result != KILN_OK) return result;
    VEC_PUSH(&t->arena, &sizes, size);
  }
  s->sizes = sizes.data;
  s->size_count = sizes.count;
  return KILN_OK;
}

kiln_result subject_open(tool *t, subject *out) {
  *out = (subject){0};
  kiln_result result = module_load(t, &out->module);
  if (result == KILN_OK) result = choose_kernel(t, out);
  return result == KILN_OK ? read_sizes(t, out) : result;
}

void subject_close(subject *s) { kiln_module_destroy(s->module); }

kiln_result subject_bind(tool *t, const subject *s, ir_module **out) {
  return ir_bind(t->context, s->kernel, s->sizes, s->size_count, NULL, 0, out);
}

bool units_options(tool *t, kiln_units *out, kiln_profile *profile) {
  static const char *const ways[] = {[KILN_UNITS_AUTO] = "auto",
                                     [KILN_UNITS_FUSED] = "fused",
                                     [KILN_UNITS_PHASED] = "phased",
                                     [KILN_UNITS_SPUN] = "spin"};
  static const char *const seats[] = {"each", "one"};
  uint32_t which = KILN_UNITS_AUTO, one = profile->serial_subgroups;
  const bool fine = args_choice(t, "--units", ways, sizeof ways / sizeof *ways, &which) &&
                    args_choice(t, "--subgroups", seats, sizeof seats / sizeof *seats, &one);
  uint64_t polls = profile->polls;
  *out = (kiln_units)which;
  if (!fine || !args_number(t, "--polls", 1, PASS_POLLS_MOST, polls, &polls)) return false;
  profile->polls = (uint32_t)polls;
  profile->serial_subgroups = one;
  return true;
}
