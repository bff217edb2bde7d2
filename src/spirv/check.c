/* Validation and disassembly by SPIRV-Tools. Nothing is allocated from the arena while one of its objects is alive:
 * running out of memory there would leave by a jump and leak it. */
#include "spirv/check.h"

#include <spirv-tools/libspirv.h>
#include <string.h>

/* A copy in the arena, made after the tools' own text was moved to a block that `m` frees. */
static kiln_str keep(arena *a, char *block, size_t size) {
  kiln_str out = str_copy(a, (kiln_str){block, size});
  mem_free(a->mem, block, size + 1);
  return out;
}

static char *duplicate(mem m, const char *data, size_t size) {
  char *block = mem_alloc(m, size + 1);
  if (block) memcpy(block, data, size);
  return block;
}

/* Friendly names take a third of the time: they are for messages. */
static bool validate(spv_context context, spv_const_binary binary, bool names, spv_diagnostic *diagnostic) {
  spv_validator_options options = spvValidatorOptionsCreate();
  spvValidatorOptionsSetFriendlyNames(options, names);
  bool valid = spvValidateWithOptions(context, options, binary, diagnostic) == SPV_SUCCESS;
  spvValidatorOptionsDestroy(options);
  return valid;
}

bool spv_check(arena *a, const uint32_t *words, size_t count, kiln_str *message) {
  spv_context context = spvContextCreate(SPV_ENV_VULKAN_1_1);
  spv_const_binary_t binary = {words, count};
  spv_diagnostic diagnostic = NULL;
  bool valid = validate(context, &binary, false, NULL) || validate(context, &binary, true, &diagnostic);
  char *block = NULL;
  size_t size = 0;
  if (!valid && diagnostic && diagnostic->error) {
    size = strlen(diagnostic->error);
    block = duplicate(a->mem, diagnostic->error, size);
  }
  spvDiagnosticDestroy(diagnostic);
  spvContextDestroy(context);
  *message = block ? keep(a, block, size) : STR("no reason given");
  return valid;
}

kiln_str spv_disassemble(arena *a, const uint32_t *words, size_t count) {
  spv_context context = spvContextCreate(SPV_ENV_VULKAN_1_1);
  uint32_t options = SPV_BINARY_TO_TEXT_OPTION_INDENT | SPV_BINARY_TO_TEXT_OPTION_FRIENDLY_NAMES;
  spv_text listing = NULL;
  char *block = NULL;
  size_t size = 0;
  if (spvBinaryToText(context, words, count, options, &listing, NULL) == SPV_SUCCESS) {
    size = listing->length;
    block = duplicate(a->mem, listing->str, size);
  }
  spvTextDestroy(listing);
  spvContextDestroy(context);
  return block ? keep(a, block, size) : (kiln_str){0};
}
