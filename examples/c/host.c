/* Parse a kernel and run it on the host: the least program there is. Build: cc host.c $(pkg-config --cflags --libs
 * kiln) */
#include <kiln/kiln.h>
#include <stdio.h>

static const char text[] =
    "kernel axpy(a: f32[], x: f32[N], y: f32[N]) -> (z: f32[N]) {\n"
    "  z[...] = a[] * x[...] + y[...]\n"
    "}\n";

int main(void) {
  float a = 3, x[4] = {1, 2, 3, 4}, y[4] = {10, 20, 30, 40}, z[4];
  const kiln_array arrays[] = {
      {.dtype = KILN_F32, .data = &a, .size = sizeof a},
      {.dtype = KILN_F32, .rank = 1, .dims = {4}, .data = x, .size = sizeof x},
      {.dtype = KILN_F32, .rank = 1, .dims = {4}, .data = y, .size = sizeof y},
      {.dtype = KILN_F32, .rank = 1, .dims = {4}, .data = z, .size = sizeof z},
  };
  kiln_context *context = NULL;
  kiln_module *module = NULL;
  kiln_result result = kiln_context_create(NULL, &context);
  if (result == KILN_OK)
    result = kiln_module_parse(context, &(kiln_parse_desc){.text = {text, sizeof text - 1}}, &module);
  if (result == KILN_OK) result = kiln_host_run(context, kiln_module_kernel(module, 0), NULL, arrays, 4);
  for (size_t i = 0; context && i < kiln_diag_count(context); i++) {
    kiln_str message = kiln_diag_render(context, kiln_diag_get(context, i));
    fprintf(stderr, "%.*s\n", (int)message.size, message.data);
  }
  if (result == KILN_OK) printf("%g %g %g %g\n", (double)z[0], (double)z[1], (double)z[2], (double)z[3]);
  kiln_module_destroy(module);
  kiln_context_destroy(context);
  return result == KILN_OK ? 0 : 1;
}
