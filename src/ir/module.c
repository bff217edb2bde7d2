/* The public face of kernel texts (kiln/kernel.h), and the life of a module. */
#include "ir/ir.h"

#include "base/context.h"

static const size_t arena_limit = (size_t)4 << 30; /* a text of the largest size allowed stays far below */

ir_module *ir_module_create(kiln_context *context) {
  ir_module *m = mem_calloc(context->mem, 1, sizeof *m);
  jmp_buf out;
  if (!m) return NULL;
  m->context = context;
  arena_init(&m->arena, context->mem, arena_limit);
  if (!ARENA_GUARD(&m->arena, out)) return ir_module_destroy(m), NULL;
  m->dims = map_new(&m->arena);
  m->arena.guard = NULL;
  return m;
}

void ir_module_destroy(ir_module *m) {
  if (!m) return;
  mem owner = m->context->mem;
  arena_finish(&m->arena);
  mem_free(owner, m, sizeof *m);
}

const char *kiln_dtype_name(kiln_dtype dtype) { return ir_dtype_get((ir_dtype)dtype)->name; }
size_t kiln_dtype_size(kiln_dtype dtype) { return ir_dtype_bytes((ir_dtype)dtype); }

void kiln_module_destroy(kiln_module *module) { ir_module_destroy(module); }

size_t kiln_module_kernel_count(const kiln_module *module) { return module->kernel_count; }

const kiln_kernel *kiln_module_kernel(const kiln_module *module, size_t index) {
  return index < module->kernel_count ? module->kernels[index] : NULL;
}

const kiln_kernel *kiln_module_find(const kiln_module *module, kiln_str name) {
  for (uint32_t i = 0; i < module->kernel_count; i++) {
    if (str_equal(module->kernels[i]->name, name)) return module->kernels[i];
  }
  return NULL;
}

kiln_str kiln_kernel_name(const kiln_kernel *kernel) { return kernel->name; }
size_t kiln_kernel_param_count(const kiln_kernel *kernel) { return kernel->param_count; }

kiln_result kiln_kernel_param(const kiln_kernel *kernel, size_t index, kiln_param *out) {
  if (index >= kernel->param_count) return KILN_ERROR_INVALID;
  const ir_param *param = &kernel->params[index];
  const ir_type *type = &param->ref->type;
  *out = (kiln_param){
      .name = param->name, .dtype = (kiln_dtype)type->dtype, .direction = param->direction, .rank = type->shape.rank};
  for (uint32_t i = 0; i < out->rank; i++) {
    ir_dim d = type->shape.dims[i];
    out->dims[i] = ir_dim_known(d) ? d->value : -1;
    out->dim_text[i] = param->dim_text[i];
  }
  return KILN_OK;
}
