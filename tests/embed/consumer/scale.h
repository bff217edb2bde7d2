/* What an application that embeds Kiln does: parse a kernel, run it on the host, look at the numbers. Included by
 * main.c (C17) and main.cpp (C++11), so it uses only what both languages have. */
#include <kiln/kiln.h>
#include <stdio.h>
#include <string.h>

/* Names that Kiln has too, privately: linking fails, or the wrong one is called, when they leak out of libkiln. */
#ifdef __cplusplus
extern "C" {
#endif
int str_equal(void);
int arena_alloc(void);
int mem_alloc(void);
int volkInitialize(void);
int str_equal(void) { return 1; }
int arena_alloc(void) { return 2; }
int mem_alloc(void) { return 3; }
int volkInitialize(void) { return 4; }
#ifdef __cplusplus
}
#endif

static const char scale_text[] =
    "kernel scale(x: f32[N]) -> (y: f32[N]) {\n"
    "  y[...] = x[...] * 2.0\n"
    "}\n";

static kiln_array vector_of(float *data, size_t count) {
  kiln_array array;
  memset(&array, 0, sizeof array);
  array.dtype = KILN_F32;
  array.rank = 1;
  array.dims[0] = (int64_t)count;
  array.data = data;
  array.size = count * sizeof *data;
  return array;
}

static void print_diagnostics(kiln_context *context) {
  for (size_t i = 0; i < kiln_diag_count(context); i++) {
    kiln_str text = kiln_diag_render(context, kiln_diag_get(context, i));
    fprintf(stderr, "%.*s\n", (int)text.size, text.data);
  }
}

/* 0 when y = 2 x came out right. */
static int scale_on_host(void) {
  float x[3] = {1.0f, -2.0f, 0.5f}, y[3] = {9.0f, 9.0f, 9.0f};
  kiln_array arrays[2] = {vector_of(x, 3), vector_of(y, 3)};
  kiln_context *context = NULL;
  kiln_module *module = NULL;
  kiln_parse_desc desc;
  memset(&desc, 0, sizeof desc);
  desc.text.data = scale_text;
  desc.text.size = strlen(scale_text);
  kiln_result result = kiln_context_create(NULL, &context);
  if (result == KILN_OK) result = kiln_module_parse(context, &desc, &module);
  if (result == KILN_OK) result = kiln_host_run(context, kiln_module_kernel(module, 0), NULL, arrays, 2);
  if (result != KILN_OK) print_diagnostics(context);
  kiln_module_destroy(module);
  kiln_context_destroy(context);
  printf("kiln %s: %s, y = %g %g %g\n", kiln_version(), kiln_result_name(result), (double)y[0], (double)y[1],
         (double)y[2]);
  int own = str_equal() == 1 && arena_alloc() == 2 && mem_alloc() == 3 && volkInitialize() == 4;
  return result == KILN_OK && y[0] == 2.0f && y[1] == -4.0f && y[2] == 1.0f && own ? 0 : 1;
}
