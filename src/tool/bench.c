/* See bench.h. */
#include "tool/bench.h"

#include <stdio.h>

#include "base/thread.h"

kiln_result bench_best(bench_run once, void *user, double seconds, double *ms) {
  const uint64_t start = clock_ns();
  *ms = 0;
  for (uint32_t runs = 0; runs < 3 || (double)(clock_ns() - start) < seconds * 1e9; runs++) {
    double taken;
    kiln_result result = once(user, &taken);
    if (result) return result;
    if (!runs || taken < *ms) *ms = taken;
  }
  return KILN_OK;
}

#ifdef KILN_VULKAN
typedef struct repeated {
  kiln_launch *launch;
  uint32_t repeat;
} repeated;

/* By the device's clock where it has one. */
static kiln_result run_repeated(void *user, double *ms) {
  const repeated *self = user;
  const uint64_t start = clock_ns();
  double ns;
  kiln_result result = kiln_launch_run(self->launch, self->repeat, &ns);
  *ms = (ns > 0 ? ns : (double)(clock_ns() - start) / self->repeat) / 1e6;
  return result;
}

kiln_result bench_launch(kiln_launch *launch, double seconds, double *ms) {
  repeated self = {.launch = launch, .repeat = 1};
  kiln_result result = run_repeated(&self, ms); /* the driver compiles at the first one */
  if (!result) result = run_repeated(&self, ms);
  if (result) return result;
  double wanted = seconds * 1e3 / 8 / (*ms > 0.001 ? *ms : 0.001);
  self.repeat = wanted < 1 ? 1 : wanted > 1000 ? 1000 : (uint32_t)wanted;
  return bench_best(run_repeated, &self, seconds, ms);
}
#endif

void bench_print_header(bool csv) {
  printf(csv ? "workload,device,ms,rate,unit,ok\n" : "%-22s %-30s %12s %12s %-8s %s\n", "workload", "device", "ms",
         "rate", "unit", "checked");
}

void bench_print(const workload *w, const char *device, const bench_result *result, bool csv) {
  if (result->skipped) {
    printf(csv ? "# %s on %s skipped: %s\n" : "%s on %s skipped: %s\n", w->name, device, result->skipped);
    return;
  }
  double rate = (w->work > 0 ? w->work : 1) / (result->ms / 1e3);
  if (csv)
    printf("%s,%s,%.5g,%.5g,%s,%s\n", w->name, device, result->ms, rate, w->unit, result->right ? "yes" : "no");
  else
    printf("%-22s %-30.30s %12.5g %12.5g %-8s %s (error %.2g)\n", w->name, device, result->ms, rate, w->unit,
           result->right ? "right" : "WRONG", result->error);
  fflush(stdout);
}
