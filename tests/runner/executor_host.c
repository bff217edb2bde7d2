/* Runs a launch on the host executor. */
#include "ktest.h"

static kiln_result run_host(const executor *e, const launch *l, bool check) {
  (void)e;
  kiln_host_desc desc = {.sizes = l->sizes,
                         .size_count = l->size_count,
                         .check = check,
                         .seed = l->seed,
                         .resident = l->resident,
                         .step_limit = 100000000};
  return kiln_host_run(l->context, l->kernel, &desc, l->arrays, l->param_count);
}

const executor executor_host = {
    .name = {"host", 4}, .checks = true, .f64 = true, .i64 = true, .i64_atomics = true, .run = run_host};
