/* The arrays of launches: allocations of global memory whose bytes are the caller's. They are alive as long as the
 * plan, and at every launch lie where its arrays do. All units share the blocks; one thread makes and moves them. */
#include "host/host.h"

static alloc_result acquire(kiln_host_plan *plan, uint32_t p, const kiln_array *array) {
  const host_root *root = &plan->roots[p];
  const ir_param *param = &plan->kernel->params[p];
  const alloc_request request = {
      .key = key_take(&plan->machine, &plan->serials, host_program_unit(plan, 0), root->space),
      .name = root->name,
      .size = root->bytes,
      .dtype = root->dtype,
      .site = p,
      .bytes = array->data,
      .written = param->direction != KILN_OUT || param->alias >= 0 || param->filled,
  };
  return alloc_acquire(plan->heap, &request, &plan->block[p]);
}

static bool acquire_all(kiln_host_plan *plan, const kiln_array *arrays) {
  const alloc_heap_desc desc = {.shadow = plan->check};
  const uint32_t count = plan->kernel->param_count;
  if (!plan->block) plan->block = mem_calloc(plan->context->mem, count + 1, sizeof(alloc_block *));
  if (!plan->block) return false;
  plan->heap = alloc_heap_create(plan->context->mem, &plan->machine, &desc);
  plan->serials = (key_serials){0};
  for (uint32_t p = 0; plan->heap && p < count; p++) {
    if (acquire(plan, p, &arrays[p]) == ALLOC_OK) continue;
    alloc_heap_destroy(plan->heap);
    plan->heap = NULL;
  }
  return plan->heap != NULL;
}

bool host_params_place(kiln_host_plan *plan, const kiln_array *arrays) {
  if (!plan->heap) return acquire_all(plan, arrays);
  for (uint32_t p = 0; p < plan->kernel->param_count; p++) alloc_move(plan->block[p], arrays[p].data);
  return true;
}
