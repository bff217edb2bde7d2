/* Preparing a kernel: bind its sizes, run the host's passes, flatten. */
#include <string.h>

#include "host/crew/crew.h"
#include "pass/pass.h"

static const uint64_t default_memory = UINT64_C(16) << 30;

static void apply_desc(kiln_host_plan *plan, const kiln_host_desc *desc) {
  static const kiln_host_desc none = {0};
  if (!desc) desc = &none;
  plan->check = desc->check;
  plan->seed = desc->seed;
  plan->order = desc->order;
  plan->timing = desc->timing;
  plan->longest_schedule = desc->longest_schedule;
  plan->resident = desc->resident;
  plan->step_limit = desc->step_limit;
  plan->memory_limit = desc->memory_limit ? desc->memory_limit : default_memory;
  plan->progress = desc->progress;
  plan->progress_user = desc->progress_user;
  plan->print = desc->print;
  plan->print_user = desc->print_user;
}

static kiln_result out_of_memory(kiln_context *context) {
  diag_report(context->diags, DIAG_out_of_memory, (loc){0});
  return KILN_ERROR_MEMORY;
}

/* The passes have left the parallel axes. False when there are more points than can be counted. */
static bool read_grid(kiln_host_plan *plan) {
  plan->grid = step_grid_of(plan->kernel);
  return step_count(&plan->grid, &plan->points);
}

static kiln_result compile_guarded(kiln_host_plan *plan) {
  jmp_buf out;
  ir_kernel *kernel = plan->module->kernels[0];
  const pass_target target = {.kind = P_HOST, .check = plan->check};
  diag_sink *diags = plan->context->diags;
  plan->module->arena.guard = &out;
  if (!ARENA_GUARD(&plan->arena, out)) return KILN_ERROR_MEMORY;
  /* Checking looks at the accesses as they were written: other passes drop some and add some. */
  kiln_result result = pass_run(kernel, &target, diags, plan->check ? PASS_expand_ops : PASS_COUNT, NULL, NULL);
  if (result != KILN_OK) return result;
  plan->kernel = kernel;
  if (!machine_of_kernel(kernel, diags, &plan->kind)) return KILN_ERROR_INVALID;
  if (!read_grid(plan)) {
    diag_report(diags, DIAG_grid_limit, kernel->loc, STR_FMT(kernel->name));
    return KILN_ERROR_LIMIT;
  }
  plan->crew = ir_is_crew(kernel);
  if (plan->crew && !crew_machine(plan)) {
    diag_report(diags, DIAG_crew_machine, kernel->loc, STR_FMT(kernel->name), (unsigned)MACHINE_MAX_UNITS);
    return KILN_ERROR_UNSUPPORTED;
  }
  return host_flatten(plan) ? KILN_OK : KILN_ERROR_LIMIT;
}

static kiln_result compile(kiln_host_plan *plan, const ir_kernel *kernel, const kiln_host_desc *desc,
                           const kiln_array *arrays, size_t array_count) {
  kiln_result result = ir_bind(plan->context, kernel, desc ? desc->sizes : NULL, desc ? desc->size_count : 0, arrays,
                               array_count, &plan->module);
  if (result != KILN_OK) return result;
  result = compile_guarded(plan);
  plan->module->arena.guard = plan->arena.guard = NULL;
  return result == KILN_ERROR_MEMORY ? out_of_memory(plan->context) : result;
}

kiln_result kiln_host_prepare(kiln_context *context, const kiln_kernel *kernel, const kiln_host_desc *desc,
                              const kiln_array *arrays, size_t array_count, kiln_host_plan **out) {
  *out = NULL;
  kiln_host_plan *plan = mem_calloc(context->mem, 1, sizeof *plan);
  if (!plan) return out_of_memory(context);
  plan->context = context;
  arena_init(&plan->arena, context->mem, 0);
  arena_init(&plan->explored, context->mem, 0);
  apply_desc(plan, desc);
  kiln_result result = compile(plan, kernel, desc, arrays, array_count);
  if (result == KILN_OK)
    *out = plan;
  else
    kiln_host_plan_destroy(plan);
  return result;
}

void kiln_host_plan_destroy(kiln_host_plan *plan) {
  if (!plan) return;
  const mem m = plan->context->mem;
  if (plan->turns) mutex_destroy(plan->turns->lock);
  for (uint32_t w = 0; w < plan->worker_count; w++) host_unit_destroy(plan->workers[w]);
  mem_free(m, plan->team_strips, host_team_bytes(plan));
  alloc_heap_destroy(plan->heap);
  if (plan->block) mem_free(m, plan->block, (plan->kernel->param_count + 1) * sizeof(alloc_block *));
  mem_free(m, plan->workers, plan->worker_room * sizeof *plan->workers);
  if (plan->module) ir_module_destroy(plan->module);
  arena_finish(&plan->explored);
  arena_finish(&plan->arena);
  mem_free(m, plan, sizeof *plan);
}

kiln_result kiln_host_run(kiln_context *context, const kiln_kernel *kernel, const kiln_host_desc *desc,
                          const kiln_array *arrays, size_t array_count) {
  kiln_host_plan *plan;
  kiln_result result = kiln_host_prepare(context, kernel, desc, arrays, array_count, &plan);
  if (result != KILN_OK) return result;
  result = kiln_host_launch(plan, arrays, array_count);
  kiln_host_plan_destroy(plan);
  return result;
}
