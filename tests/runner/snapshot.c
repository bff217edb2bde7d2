/* Whole-text snapshots: the printed kernel, the kernel after a pass, what the diagnostics say. */
#include "base/context.h"
#include "ktest.h"
#include "pass/plan/plan.h"

/* Passes for a device are shown for one with subgroups of 4 lanes and the least shared memory. */
static const pass_target host_target = {.kind = P_HOST};
static const pass_target device_target = {.kind = P_SPIRV, .lanes = 4, .shared_memory = 16384};

kiln_str context_text(arena *a, kiln_context *context) {
  text t = text_new(a);
  for (size_t i = 0; i < kiln_diag_count(context); i++)
    text_add(&t, kiln_diag_render(context, kiln_diag_get(context, i)));
  return text_str(&t);
}

static kiln_module *parse(test_file *file, kiln_context *context) {
  kiln_module *module = NULL;
  kiln_diag_clear(context);
  kiln_module_parse(context, &(kiln_parse_desc){.text = file->kernel, .name = STR("kernel")}, &module);
  return module;
}

/* The launch of the file's first case. */
static bool first_launch(test_file *file, kiln_context *context, const kiln_module *module, launch *l,
                         kiln_str *error) {
  static const test_case nothing;
  const test_case *c = file->cases.count ? &file->cases.data[0] : &nothing;
  *l = (launch){.arena = file->arena, .context = context};
  l->kernel = c->launch ? kiln_module_find(module, c->launch->rest) : kiln_module_kernel(module, 0);
  *error = STR("[launch]: no such kernel");
  return l->kernel && launch_make(l, c, error);
}

/* [passes after NAME] or [passes after NAME on device] */
static bool find_pass(kiln_str rest, pass_id *id, const pass_target **target) {
  kiln_str name, where;
  bool device = str_cut(rest, " on ", &name, &where);
  *target = device ? &device_target : &host_target;
  return str_cut(name, "after ", &where, &name) && pass_find(name, id);
}

static kiln_str print_after(test_file *file, const launch *l, pass_id id, const pass_target *target, kiln_str *error) {
  ir_module *bound = NULL;
  text t = text_new(file->arena);
  kiln_result result = ir_bind(l->context, l->kernel, l->sizes, l->size_count, l->arrays, l->param_count, &bound);
  if (result != KILN_OK || pass_run(bound->kernels[0], target, l->context->diags, id, NULL, NULL) != KILN_OK)
    *error = context_text(file->arena, l->context);
  else
    ir_print_kernel(&t, bound->kernels[0]);
  if (bound) ir_module_destroy(bound);
  return text_str(&t);
}

static kiln_str passes_text(test_file *file, kiln_context *context, kiln_module *module, const section *s,
                            kiln_str *error) {
  launch l;
  pass_id id;
  const pass_target *target;
  *error = STR("write [passes after NAME] or [passes after NAME on device]");
  if (!find_pass(s->rest, &id, &target) || !first_launch(file, context, module, &l, error)) return STR("");
  *error = STR("");
  return print_after(file, &l, id, target, error);
}

/* [plan]: what `kiln plan` prints for the host. */
static kiln_str plan_text(test_file *file, kiln_context *context, kiln_module *module, kiln_str *error) {
  launch l;
  if (!first_launch(file, context, module, &l, error)) return STR("");
  ir_module *bound = NULL;
  plan p;
  text t = text_new(file->arena);
  kiln_result result = ir_bind(context, l.kernel, l.sizes, l.size_count, l.arrays, l.param_count, &bound);
  bool ok = result == KILN_OK && plan_make(file->arena, bound->kernels[0], &host_target, context->diags, &p);
  if (ok) plan_print(&p, &t);
  *error = ok ? STR("") : context_text(file->arena, context);
  if (bound) ir_module_destroy(bound);
  return text_str(&t);
}

static kiln_str diagnostics_text(test_file *file, kiln_context *context, kiln_module *module, kiln_str *error) {
  launch l;
  if (module && first_launch(file, context, module, &l, error)) {
    *error = STR("");
    kiln_diag_clear(context);
    executor_host.run(&executor_host, &l, true);
  }
  return context_text(file->arena, context);
}

kiln_str snapshot_make(test_file *file, kiln_context *context, const section *s, kiln_str *error) {
  kiln_module *module = parse(file, context);
  kiln_str found = STR("");
  if (str_is(s->word, "diagnostics"))
    found = diagnostics_text(file, context, module, error);
  else if (!module)
    *error = context_text(file->arena, context);
  else if (str_is(s->word, "passes"))
    found = passes_text(file, context, module, s, error);
  else if (str_is(s->word, "plan"))
    found = plan_text(file, context, module, error);
  else
    found = str_copy(file->arena, kiln_module_text(module));
  kiln_module_destroy(module);
  return found;
}
