/* kiln_stages [--for PROFILE] [--units HOW] FILE...: how long the stages of a kernel of known sizes take, the best of
 * some runs, in milliseconds of CPU time: parse, host (from text to ready on the host), spirv and valid (from text to
 * SPIR-V, and to validated SPIR-V, for gpu32 unless said otherwise). Prints file,lines,parse,host,spirv,valid; -1 where
 * a stage failed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kiln/kiln.h"

enum { RUNS = 5, MAX_PARAMS = 64 };

typedef struct subject {
  kiln_context *context;
  kiln_str text;
  kiln_module *module;
  kiln_compile_desc how;
} subject;

typedef kiln_result (*stage)(subject *s);

static kiln_result parse(subject *s) {
  return kiln_module_parse(s->context, &(kiln_parse_desc){.text = s->text}, &s->module);
}

static kiln_result prepare(subject *s) {
  const kiln_result parsed = parse(s);
  if (parsed) return parsed;
  const kiln_kernel *kernel = kiln_module_kernel(s->module, 0);
  kiln_array arrays[MAX_PARAMS] = {0};
  const size_t count = kiln_kernel_param_count(kernel);
  if (count > MAX_PARAMS) return KILN_ERROR_LIMIT;
  for (size_t i = 0; i < count; i++) {
    kiln_param param;
    kiln_kernel_param(kernel, i, &param);
    arrays[i] = (kiln_array){.dtype = param.dtype, .rank = param.rank};
    for (uint32_t d = 0; d < param.rank; d++) arrays[i].dims[d] = param.dims[d];
  }
  kiln_result result = kiln_kernel_shapes(s->context, kernel, NULL, 0, arrays, count);
  kiln_host_plan *plan = NULL;
  if (!result) result = kiln_host_prepare(s->context, kernel, NULL, arrays, count, &plan);
  kiln_host_plan_destroy(plan);
  return result;
}

static kiln_result compile(subject *s, bool validate) {
  const kiln_result parsed = parse(s);
  if (parsed) return parsed;
  kiln_program *program = NULL;
  s->how.validate = validate;
  const kiln_result result = kiln_compile(s->context, kiln_module_kernel(s->module, 0), &s->how, &program);
  kiln_program_destroy(program);
  return result;
}

static kiln_result to_spirv(subject *s) { return compile(s, false); }
static kiln_result to_valid(subject *s) { return compile(s, true); }

static void report(kiln_context *context) {
  for (size_t k = 0; k < kiln_diag_count(context); k++) {
    const kiln_str message = kiln_diag_render(context, kiln_diag_get(context, k));
    fprintf(stderr, "%.*s\n", (int)message.size, message.data);
  }
  kiln_diag_clear(context);
}

/* The best time of a stage in milliseconds; -1 when it fails, with the report on stderr. */
static double best(subject *s, stage run) {
  double least = -1;
  for (int i = 0; i < RUNS; i++) {
    const clock_t start = clock();
    const kiln_result result = run(s);
    const double ms = (double)(clock() - start) * 1e3 / CLOCKS_PER_SEC;
    kiln_module_destroy(s->module);
    s->module = NULL;
    if (result) {
      report(s->context);
      return -1;
    }
    if (least < 0 || ms < least) least = ms;
  }
  return least;
}

/* The bytes of a file, ended by a zero; NULL when it cannot be read. */
static char *read_all(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  char *bytes = NULL;
  fseek(file, 0, SEEK_END);
  const long end = ftell(file);
  rewind(file);
  if (end >= 0) bytes = malloc((size_t)end + 1);
  *size = bytes ? fread(bytes, 1, (size_t)end, file) : 0;
  fclose(file);
  return bytes;
}

static int measure(kiln_context *context, const kiln_compile_desc *how, const char *path) {
  size_t size = 0;
  char *bytes = read_all(path, &size);
  if (!bytes) {
    fprintf(stderr, "%s: cannot be read\n", path);
    return 1;
  }
  subject s = {.context = context, .text = {bytes, size}, .how = *how};
  unsigned lines = 0;
  for (size_t i = 0; i < size; i++) lines += bytes[i] == '\n';
  const double ms[] = {best(&s, parse), best(&s, prepare), best(&s, to_spirv), best(&s, to_valid)};
  printf("%s,%u,%.3f,%.3f,%.3f,%.3f\n", path, lines, ms[0], ms[1], ms[2], ms[3]);
  free(bytes);
  return 0;
}

static bool find_units(const char *name, kiln_units *out) {
  static const char *const names[] = {[KILN_UNITS_AUTO] = "auto", "fused", "phased", "spin"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(name, names[i]) == 0) return *out = (kiln_units)i, true;
  return false;
}

/* The index of the first file; 0 when an option is wrong. */
static int read_options(int argc, char **argv, kiln_compile_desc *how) {
  const char *profile = "gpu32", *units = "auto";
  int i = 1;
  for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
    if (strcmp(argv[i], "--for") != 0 && strcmp(argv[i], "--units") != 0) return 0;
    *(argv[i][2] == 'f' ? &profile : &units) = argv[i + 1];
  }
  const bool known = !kiln_profile_find((kiln_str){profile, strlen(profile)}, &how->profile);
  return known && find_units(units, &how->units) ? i : 0;
}

int main(int argc, char **argv) {
  kiln_context *context = NULL;
  kiln_compile_desc how = {0};
  const int first = read_options(argc, argv, &how);
  if (first == 0) {
    fprintf(stderr, "usage: kiln_stages [--for PROFILE] [--units HOW] FILE...\n");
    return 2;
  }
  if (kiln_context_create(NULL, &context)) return 1;
  printf("file,lines,parse,host,spirv,valid\n");
  int status = 0;
  for (int i = first; i < argc; i++) status |= measure(context, &how, argv[i]);
  kiln_context_destroy(context);
  return status;
}
