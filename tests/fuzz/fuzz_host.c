/* libFuzzer over the language and the host executor: whatever parses and binds must run, fast and checked, without a
 * crash, within its limits of steps and memory. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "ir/ir.h"
#include "kiln/host.h"

enum { PARAMS_MOST = 16, SYMBOLS_MOST = 16, BYTES_MOST = 1 << 16, STEPS_MOST = 2000, MEMORY_MOST = 1 << 18 };

/* Sizes that divide into each other, and odd ones. */
static const int64_t size_choices[] = {8, 16, 4, 5, 1, 7, 0, 3};

static bool shape_of(const ir_kernel *k, const ir_type *type, const int64_t *values, kiln_array *out) {
  *out = (kiln_array){.dtype = (kiln_dtype)type->dtype, .rank = type->shape.rank, .size = ir_dtype_bytes(type->dtype)};
  for (uint32_t d = 0; d < out->rank; d++) {
    if (!ir_dim_eval(type->shape.dims[d], k, values, &out->dims[d]) || out->dims[d] < 0 || out->dims[d] > BYTES_MOST)
      return false;
    out->size *= (size_t)out->dims[d];
    if (out->size > BYTES_MOST) return false;
  }
  return true;
}

typedef struct arrays {
  kiln_array at[PARAMS_MOST];
  uint32_t count;
} arrays;

static bool make_arrays(const ir_kernel *k, const int64_t *values, arrays *out) {
  out->count = k->param_count;
  for (uint32_t p = 0; p < k->param_count; p++) {
    if (!shape_of(k, &k->params[p].ref->type, values, &out->at[p])) return false;
    uint8_t *data = out->at[p].data = calloc(out->at[p].size + 1, 1);
    for (size_t i = 0; i < out->at[p].size; i++)
      data[i] = (uint8_t)(out->at[p].dtype == KILN_BOOL ? i % 3 == 0 : i % 4 ? 0 : i * 7);
  }
  return true;
}

static void free_arrays(arrays *a) {
  for (uint32_t p = 0; p < PARAMS_MOST; p++) free(a->at[p].data);
}

/* One unit after another, and numbers that have no rounding: then no pass, no fused loop and no check may change them.
 */
static bool is_exact(const ir_kernel *k) {
  for (uint32_t p = 0; p < k->param_count; p++)
    if (ir_dtype_get(k->params[p].ref->type.dtype)->class == IR_CLASS_FLOAT) return false;
  for (uint32_t a = 0; a < k->axis_count; a++)
    if (k->axes[a].parallel) return false;
  return true;
}

static kiln_result run_once(kiln_context *context, const kiln_kernel *k, const kiln_host_desc *desc, const arrays *a) {
  kiln_result result = kiln_host_run(context, k, desc, a->at, a->count);
  if (result != KILN_OK && kiln_diag_count(context) == 0) abort();
  kiln_diag_clear(context);
  return result;
}

static void run_kernel(kiln_context *context, const kiln_kernel *k) {
  arrays fast = {0}, checked = {0};
  kiln_size sizes[SYMBOLS_MOST];
  int64_t values[SYMBOLS_MOST];
  if (k->param_count > PARAMS_MOST || k->symbol_count > SYMBOLS_MOST) return;
  for (uint32_t s = 0; s < k->symbol_count; s++)
    sizes[s] = (kiln_size){k->symbols[s], values[s] = size_choices[((uint8_t)k->symbols[s].data[0] + s) % 8]};
  if (make_arrays(k, values, &fast) && make_arrays(k, values, &checked)) {
    kiln_host_desc desc = {
        .sizes = sizes, .size_count = k->symbol_count, .step_limit = STEPS_MOST, .memory_limit = MEMORY_MOST};
    bool good = run_once(context, k, &desc, &fast) == KILN_OK;
    desc.check = true, desc.seed = 1;
    good = run_once(context, k, &desc, &checked) == KILN_OK && good;
    for (uint32_t p = 0; good && is_exact(k) && p < k->param_count; p++)
      if (memcmp(fast.at[p].data, checked.at[p].data, fast.at[p].size) != 0) abort();
  }
  free_arrays(&fast);
  free_arrays(&checked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  kiln_context *context;
  kiln_module *module = NULL;
  if (kiln_context_create(&(kiln_context_desc){.threads = 2}, &context) != KILN_OK) return 0;
  kiln_parse_desc desc = {.text = {(const char *)data, size}};
  if (kiln_module_parse(context, &desc, &module) == KILN_OK) {
    kiln_diag_clear(context);
    for (size_t k = 0; k < kiln_module_kernel_count(module); k++) run_kernel(context, kiln_module_kernel(module, k));
  }
  kiln_module_destroy(module);
  kiln_context_destroy(context);
  return 0;
}
