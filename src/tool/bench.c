/* See bench.h. */
#include "tool/bench.h"

#include <stdio.h>
#include <time.h>

#include "base/thread.h"

kiln_result bench_turns(bench_turn *turns, size_t count, double seconds) {
  const uint64_t start = clock_ns();
  for (uint32_t runs = 0; runs < 3 || (double)(clock_ns() - start) < seconds * 1e9; runs++) {
    for (size_t i = 0; i < count; i++) {
      double taken;
      kiln_result result = turns[i].run(&turns[i], &taken);
      if (result) return result;
      if (turns[i].best == 0 || taken < turns[i].best) turns[i].best = taken;
    }
  }
  return KILN_OK;
}

#ifdef KILN_VULKAN
static double processor_ns(void) { return (double)clock() * (1e9 / CLOCKS_PER_SEC); }

/* By the device's clock where it has one. */
static kiln_result run_launch(const bench_turn *self, double *ms) {
  const uint64_t start = clock_ns();
  const double spent = processor_ns();
  double ns;
  kiln_result result = kiln_launch_run(self->user, self->repeat, &ns);
  if (self->processor) ns = (processor_ns() - spent) / self->repeat;
  *ms = (ns > 0 ? ns : (double)(clock_ns() - start) / self->repeat) / 1e6;
  return result;
}

kiln_result bench_launch_turn(kiln_launch *launch, double seconds, bench_turn *out) {
  *out = (bench_turn){.run = run_launch, .user = launch, .repeat = 1};
  double ms;
  kiln_result result = run_launch(out, &ms);
  double wanted = seconds * 1e3 / (ms > 0.001 ? ms : 0.001);
  out->repeat = wanted < 1 ? 1 : wanted > 1000 ? 1000 : (uint32_t)wanted;
  return result;
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
