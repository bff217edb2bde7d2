/* `kiln check`: every checker on, on the host, over several schedules. */
#include "tool/execute.h"
#include "tool/report.h"

#define SCHEDULES_BY_DEFAULT 4

/* Runs with the seeds seed, seed + 1, .. until one finds a fault; each on data as given. */
static kiln_result run_schedules(job *j, uint64_t seed, uint64_t schedules, outcome *o) {
  for (uint64_t i = 0; i < schedules; i++) {
    run_wish wish = {.check = true, .seed = seed + i};
    kiln_array *arrays = job_copy_arrays(j);
    if (!arrays) return KILN_ERROR_MEMORY;
    o->result = execute_host(j, &wish, arrays, o);
    job_free_arrays(j, arrays);
    if (o->result != KILN_OK) return o->result;
  }
  return KILN_OK;
}

static void print_verdict(tool *t, const job *j, exit_code code, uint64_t seed, uint64_t schedules) {
  if (code != EXIT_FINE && code != EXIT_FAULT) return;
  size_t faults = 0;
  for (size_t i = 0; i < kiln_diag_count(t->context); i++)
    faults += kiln_diag_get(t->context, i)->severity == KILN_FAULT;
  printf("%.*s: ", STR_FMT(j->subject.kernel->name));
  if (code == EXIT_FINE)
    printf("no fault found in %llu schedule%s (seeds from %llu)\n", (unsigned long long)schedules,
           schedules == 1 ? "" : "s", (unsigned long long)seed);
  else
    printf("%zu fault%s found\n", faults, faults == 1 ? "" : "s");
}

static exit_code run(tool *t) {
  uint64_t seed, schedules;
  if (!args_number(t, "--seed", 0, UINT64_MAX, 0, &seed)) return EXIT_USAGE;
  if (!args_number(t, "--schedules", 1, UINT32_MAX, SCHEDULES_BY_DEFAULT, &schedules)) return EXIT_USAGE;
  job j;
  outcome o = {.device = STR("host")};
  kiln_result result = job_open(t, MISSING_GENERATED, &j);
  if (result == KILN_OK) result = run_schedules(&j, seed, schedules, &o);
  exit_code code = exit_code_of(result);
  report r = {&j, o.device, code, o.ms, o.usage, NULL, 0};
  if (args_has(t, "--json"))
    report_json(&r);
  else
    print_verdict(t, &j, code, seed, schedules);
  job_close(&j);
  return code;
}

static const option options[] = {
    KERNEL_OPTION,
    {"--schedules", 0, OPTION_VALUE, false, "N", "how many orders of units to try (default 4)"},
    {"--seed", 0, OPTION_VALUE, false, "N", "of the first order (default 0); a fault tells the seed that replays it"},
    SET_OPTION,
    {"--json", 0, OPTION_FLAG, false, "", "print one JSON object"},
};

const command command_check = {
    .name = "check",
    .summary = "look for faults in a kernel, on the host",
    .operands = "FILE.kiln [NAME=DATA]...",
    .operand_least = 1,
    .operand_most = SIZE_MAX,
    OPTIONS(options),
    .details =
        "Parameters without data get random:0 (floats) or zeros (everything else). Exit code 3 tells that a fault was "
        "found.\n",
    .run = run,
};
