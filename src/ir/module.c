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
  arena_init(&m->scratch, context->mem, arena_limit);
  if (!ARENA_GUARD(&m->arena, out)) return ir_module_destroy(m), NULL;
  m->dims = map_new(&m->arena);
  m->arena.guard = NULL;
  return m;
}

void ir_module_destroy(ir_module *m) {
  if (!m) return;
  mem owner = m->context->mem;
  arena_finish(&m->scratch);
  arena_finish(&m->arena);
  mem_free(owner, m, sizeof *m);
}

kiln_result ir_out_of_memory(kiln_context *context) {
  diag_report(context->diags, DIAG_out_of_memory, (loc){0});
  return KILN_ERROR_MEMORY;
}

const char *kiln_dtype_name(kiln_dtype dtype) {
  return (uint32_t)dtype < IR_DTYPE_COUNT ? ir_dtype_get((ir_dtype)dtype)->name : NULL;
}
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

/* The texts of dimensions are made here, once: afterwards a kernel is only read, from any thread. */
static void describe_params(ir_module *m, ir_kernel *k) {
  for (uint32_t i = 0; i < k->param_count; i++) {
    const ir_shape *shape = &k->params[i].ref->type.shape;
    for (uint32_t j = 0; j < shape->rank; j++) {
      if (!ir_dim_known(shape->dims[j])) k->params[i].dim_text[j] = ir_dim_text(m, shape->dims[j]);
    }
  }
}

static bool verify_all(ir_module *m) {
  bool ok = true;
  for (uint32_t i = 0; i < m->kernel_count; i++) {
    describe_params(m, m->kernels[i]);
    ok = ir_verify(m->kernels[i], m->context->diags) && ok;
  }
  return ok;
}

kiln_result kiln_module_parse(kiln_context *context, const kiln_parse_desc *desc, kiln_module **out) {
  jmp_buf guard;
  ir_module *m = NULL;
  *out = NULL;
  kiln_result result = ir_parse(context, desc->text, desc->name, &m);
  if (result != KILN_OK) return result;
  if (!ARENA_GUARD(&m->arena, guard)) return ir_module_destroy(m), ir_out_of_memory(context);
  bool ok = verify_all(m);
  m->arena.guard = NULL;
  if (ok) return *out = m, KILN_OK;
  ir_module_destroy(m);
  return KILN_ERROR_INVALID;
}

kiln_str kiln_module_text(kiln_module *module) {
  jmp_buf guard;
  if (module->printed.size > 0 || !ARENA_GUARD(&module->arena, guard)) return module->printed;
  text t = text_new(&module->arena);
  ir_print_module(&t, module);
  module->arena.guard = NULL;
  return module->printed = text_str(&t);
}

kiln_str kiln_kernel_name(const kiln_kernel *kernel) { return kernel->name; }
size_t kiln_kernel_param_count(const kiln_kernel *kernel) { return kernel->param_count; }

kiln_result kiln_kernel_param(const kiln_kernel *kernel, size_t index, kiln_param *out) {
  if (index >= kernel->param_count) return KILN_ERROR_INVALID;
  const ir_param *param = &kernel->params[index];
  const ir_type *type = &param->ref->type;
  *out = (kiln_param){.name = param->name,
                      .dtype = (kiln_dtype)type->dtype,
                      .direction = param->direction,
                      .rank = type->shape.rank,
                      .layout = param->layout};
  for (uint32_t i = 0; i < out->rank; i++) {
    ir_dim d = type->shape.dims[i];
    out->dims[i] = ir_dim_known(d) ? d->value : -1;
    out->dim_text[i] = param->dim_text[i];
  }
  return KILN_OK;
}
