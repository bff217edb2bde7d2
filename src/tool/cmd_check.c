/* `kiln check`: every checker on, on the host, over several schedules. */
#include "tool/execute.h"
#include "tool/pictures.h"
#include "tool/report.h"

#define SCHEDULES_BY_DEFAULT 4

typedef struct check_wish {
  run_wish first; /* its seed is the first order's */
  uint64_t schedules;
  pictures drawn;
} check_wish;

/* Runs with the seeds seed, seed + 1, .. until one finds a fault; each on data as given. */
static kiln_result run_schedules(job *j, const check_wish *wish, outcome *o) {
  for (uint64_t i = 0; i < wish->schedules; i++) {
    run_wish one = wish->first;
    one.seed += i;
    kiln_array *arrays = job_copy_arrays(j);
    if (!arrays) return KILN_ERROR_MEMORY;
    o->result = execute_host(j, &one, arrays, o);
    job_free_arrays(j, arrays);
    if (o->result != KILN_OK) return o->result;
  }
  return KILN_OK;
}

static void print_verdict(tool *t, const job *j, exit_code code, const check_wish *wish) {
  if (code != EXIT_FINE && code != EXIT_FAULT) return;
  size_t faults = 0;
  for (size_t i = 0; i < kiln_diag_count(t->context); i++)
    faults += kiln_diag_get(t->context, i)->severity == KILN_FAULT;
  printf("%.*s: ", STR_FMT(j->subject.kernel->name));
  if (code == EXIT_FINE)
    printf("no fault found in %llu schedule%s (seeds from %llu)\n", (unsigned long long)wish->schedules,
           wish->schedules == 1 ? "" : "s", (unsigned long long)wish->first.seed);
  else
    printf("%zu fault%s found\n", faults, faults == 1 ? "" : "s");
}

static bool read_wish(tool *t, check_wish *wish) {
  wish->first.check = true;
  return execute_read_memory(t, &wish->first) && args_number(t, "--seed", 0, UINT64_MAX, 0, &wish->first.seed) &&
         args_number(t, "--schedules", 1, UINT32_MAX, SCHEDULES_BY_DEFAULT, &wish->schedules) &&
         args_choice(t, "--schedule", sched_orders, SCHED_ORDERS, &wish->first.order) &&
         args_choice(t, "--copies", sched_timings, SCHED_TIMINGS, &wish->first.timing);
}

static exit_code run(tool *t) {
  check_wish wish = {0};
  if (!read_wish(t, &wish)) return EXIT_USAGE;
  job j;
  outcome o = {.device = STR("host")};
  kiln_result result = job_open(t, MISSING_GENERATED, &j);
  if (result == KILN_OK) result = pictures_open(t, &wish.drawn);
  if (wish.drawn.wanted) wish.first.pictures = &wish.drawn;
  if (result == KILN_OK) result = run_schedules(&j, &wish, &o);
  pictures_close(&wish.drawn);
  exit_code code = exit_code_of(result);
  report r = {&j, o.device, code, o.ms, o.usage, NULL, 0};
  if (args_has(t, "--json"))
    report_json(&r);
  else
    print_verdict(t, &j, code, &wish);
  job_close(&j);
  return code;
}

static const option options[] = {
    KERNEL_OPTION,
    {"--schedules", 0, OPTION_VALUE, false, "N", "how many orders of units to try (default 4)"},
    {"--seed", 0, OPTION_VALUE, false, "N", "of the first order (default 0); a fault tells the seed that replays it"},
    {"--schedule", 0, OPTION_VALUE, false, "NAME", "the order of units, from the table below (default by-seed)"},
    {"--copies", 0, OPTION_VALUE, false, "NAME", "when copies move on, from the table below (default by-seed)"},
    SET_OPTION,
    MEMORY_OPTION,
    {"--trace", 0, OPTION_VALUE, false, "OUT.json", "what every unit did, in simulated time, for ui.perfetto.dev"},
    {"--svg", 0, OPTION_VALUE, false, "OUT.svg", "the same, drawn"},
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
        "found.\n--trace and --svg show the schedule that had a fault, or the first.\n\n"
        "Orders of units (--schedule):\n"
#define SCHED_ORDER(id, name, doc) "  " name ": " doc "\n"
#include "host/sched.def"
        "\nCopies and products in flight move on (--copies):\n"
#define SCHED_TIMING(id, name, doc) "  " name ": " doc "\n"
#include "host/sched.def"
    ,
    .run = run,
};
