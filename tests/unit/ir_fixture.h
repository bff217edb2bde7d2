/* An empty module with its arena guarded, for tests that build IR by hand. Include after unit.h. */
#ifndef KILN_TESTS_IR_FIXTURE_H
#define KILN_TESTS_IR_FIXTURE_H

#include "base/context.h"
#include "ir/ir.h"

typedef struct ir_fixture {
  kiln_context *context;
  ir_module *module;
  ir_kernel kernel;
  ir_builder b;
  jmp_buf out;
} ir_fixture;

static inline int ir_fixture_out(void **state) {
  ir_fixture *f = *state;
  ir_module_destroy(f->module);
  kiln_context_destroy(f->context);
  free(f);
  return 0;
}

static inline int ir_fixture_in(void **state) {
  ir_fixture *f = *state = calloc(1, sizeof *f);
  if (!f || kiln_context_create(NULL, &f->context) != KILN_OK) return -1;
  f->module = ir_module_create(f->context);
  if (!f->module || !ARENA_GUARD(&f->module->arena, f->out)) return -1;
  f->kernel.module = f->module;
  f->b = (ir_builder){.module = f->module, .kernel = &f->kernel, .diags = f->context->diags};
  f->b.region = f->kernel.body = ir_region_new(&f->b, NULL);
  return 0;
}

/* The name of the first diagnostic since the last call; "" when there is none. */
static inline const char *ir_fixture_said(ir_fixture *f) {
  const char *name = kiln_diag_count(f->context) ? kiln_diag_get(f->context, 0)->name : "";
  kiln_diag_clear(f->context);
  return name;
}

#endif
