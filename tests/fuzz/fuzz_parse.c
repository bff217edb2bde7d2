/* libFuzzer over kernel texts: what is accepted prints to a text that parses to the same text, and binds or says why
 * not; what is refused says why. */
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "fuzz.h"
#include "ir/ir.h"

static void expect(bool condition) {
  if (!condition) abort();
}

static kiln_module *parse(kiln_context *context, kiln_str words) {
  kiln_module *module = NULL;
  kiln_parse_desc desc = {.text = words};
  kiln_result result = kiln_module_parse(context, &desc, &module);
  expect((result == KILN_OK) == (kiln_diag_count(context) == 0));
  for (size_t i = 0; i < kiln_diag_count(context); i++) kiln_diag_render(context, kiln_diag_get(context, i));
  return module;
}

static void bind(kiln_context *context, const kiln_kernel *kernel) {
  kiln_size sizes[IR_MAX_SYMBOLS];
  ir_module *bound = NULL;
  for (uint32_t i = 0; i < kernel->symbol_count; i++) sizes[i] = (kiln_size){kernel->symbols[i], 64};
  kiln_result result = ir_bind(context, kernel, sizes, kernel->symbol_count, NULL, 0, &bound);
  expect(result == KILN_OK || kiln_diag_count(context) > 0);
  ir_module_destroy(bound);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  kiln_context *context;
  expect(kiln_context_create(NULL, &context) == KILN_OK);
  kiln_module *module = parse(context, (kiln_str){(const char *)data, size});
  if (module) {
    kiln_str printed = kiln_module_text(module);
    kiln_module *again = parse(context, printed);
    expect(again && str_equal(printed, kiln_module_text(again)));
    kiln_module_destroy(again);
    for (size_t i = 0; i < kiln_module_kernel_count(module); i++) bind(context, kiln_module_kernel(module, i));
  }
  kiln_module_destroy(module);
  kiln_context_destroy(context);
  return 0;
}
