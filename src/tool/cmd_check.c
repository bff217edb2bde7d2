/* `kiln check`: every checker on, on the host, over several schedules. */
#include "tool/execute.h"
#include "tool/pictures.h"
#include "tool/replay.h"
#include "tool/report.h"

enum { SCHEDULES_BY_DEFAULT = 4, LIMIT_BY_DEFAULT = 10000, STATEMENT_MOST = 48 };

typedef struct check_wish {
  run_wish first; /* its seed is the first order's */
  uint64_t schedules;
  pictures drawn;
  uint64_t limit; /* of schedules that are explored; 0: none are */
  const char *choices;
  bool may_stop; /* behind the first, where that is enough */
  uint64_t last; /* seed that was run */
} check_wish;

/* Whether the first schedule stands for all: none of its steps could have come in another order. */
static kiln_result try_one(job *j, const check_wish *wish, outcome *o, kiln_exploration *explored) {
  kiln_array *arrays = job_copy_arrays(j);
  if (!arrays) return KILN_ERROR_MEMORY;
  kiln_result result = execute_explore(j, &wish->first, 1, arrays, o, explored);
  job_free_arrays(j, arrays);
  return result;
}

/* Runs with the seeds seed, seed + 1, .. until one finds a fault, each on data as given; or the first alone, where that
 * is enough. */
static kiln_result run_seeds(job *j, check_wish *wish, outcome *o, kiln_exploration *explored) {
  for (uint64_t i = 0; i < wish->schedules && !explored->complete; i++) {
    run_wish one = wish->first;
    one.seed += i;
    wish->last = one.seed;
    kiln_array *arrays = job_copy_arrays(j);
    if (!arrays) return KILN_ERROR_MEMORY;
    o->result = execute_host(j, &one, arrays, o);
    job_free_arrays(j, arrays);
    if (o->result == KILN_OK && i == 0 && wish->may_stop) o->result = try_one(j, wish, o, explored);
    if (o->result != KILN_OK) return o->result;
  }
  return KILN_OK;
}

static kiln_result run_wished(job *j, check_wish *wish, outcome *o, kiln_exploration *explored) {
  if (wish->limit > 0) return execute_explore(j, &wish->first, wish->limit, j->arrays, o, explored);
  if (!wish->choices) return run_seeds(j, wish, o, explored);
  const size_t before = kiln_diag_count(j->tool->context);
  kiln_result result = execute_replay(j, &wish->first, wish->choices, j->arrays, o, explored);
  if (result == KILN_ERROR_INVALID && kiln_diag_count(j->tool->context) == before)
    TOOL_REPORT(j->tool, DIAG_option_not_a_choice, NULL, j->tool->command->name, "--replay", wish->choices,
                "what a report gave, as in 3x2,4,3.1");
  return result;
}

/* ---- what is said ---- */

static const char *plural(uint64_t count) { return count == 1 ? "" : "s"; }

static void print_faults(tool *t, kiln_str kernel) {
  size_t faults = 0;
  for (size_t i = 0; i < kiln_diag_count(t->context); i++)
    faults += kiln_diag_get(t->context, i)->severity == KILN_FAULT;
  if (faults > 0) printf("%.*s: %zu fault%s found\n", STR_FMT(kernel), faults, plural(faults));
}

/* Steps of one unit in a row are one paragraph. */
static void print_schedule(tool *t, const kiln_schedule *s) {
  static const char *const titles[] = {">step", "who", ">line", "statement", "what it does"};
  table rows = TABLE_NEW(&t->arena, titles);
  for (size_t i = 0; i < s->step_count; i++) {
    const kiln_step *step = &s->steps[i];
    const bool again = i > 0 && str_equal(step->who, s->steps[i - 1].who);
    table_cell(&rows, "%zu", i + 1);
    table_cell(&rows, "%.*s", again ? 0 : (int)step->who.size, step->who.data);
    table_str(&rows, step->place.line ? str_format(&t->arena, "%u", step->place.line) : (kiln_str){0});
    const kiln_str words = step->place.label;
    table_cell(&rows, "%.*s", (int)(words.size < STATEMENT_MOST ? words.size : STATEMENT_MOST),
               words.data ? words.data : "");
    table_cell(&rows, "%.*s", STR_FMT(step->does));
  }
  printf("%s after %zu step%s, with %u switch%s of unit:\n", s->fault ? s->fault : "no fault", s->step_count,
         plural(s->step_count), s->switches, s->switches == 1 ? "" : "es");
  tool_print_table(&rows);
  printf("%.*s --replay %.*s replays it\n", STR_FMT(replay_command(t)), STR_FMT(s->choices));
}

static void print_explored(const kiln_exploration *e) {
  if (e->too_long)
    printf("not explored: a schedule has more than %u steps; --steps %u tries longer ones\n", e->longest,
           2 * e->longest);
  else if (!e->complete && e->open == 0)
    printf("its units do not order themselves: there is one schedule\n");
  else if (e->complete)
    printf("explored all %llu schedule%s\n", (unsigned long long)e->schedules, plural(e->schedules));
  else
    printf("explored %llu of at least %llu schedules; stopped at the limit\n", (unsigned long long)e->schedules,
           (unsigned long long)e->schedules + e->open);
}

/* Whether one schedule is enough, and if not why. */
static void print_enough(kiln_str kernel, const kiln_exploration *e) {
  const bool one = e->complete && e->schedules == 1;
  if (!one && e->either[0].line == 0) return;
  printf("%.*s: ", STR_FMT(kernel));
  if (!one)
    printf("one schedule is not enough: what lines %u and %u do may come in either order\n", e->either[0].line,
           e->either[1].line);
  else if (e->on_data.line > 0)
    printf("one schedule is enough for this data; in line %u data decides how units order themselves\n",
           e->on_data.line);
  else
    printf("one schedule is enough: synchronisation depends neither on timing nor on data\n");
}

static void print_no_fault(const check_wish *wish, const kiln_exploration *e) {
  const uint64_t schedules = e->complete ? 1 : wish->schedules;
  printf("no fault found in %llu schedule%s (seeds from %llu)\n", (unsigned long long)schedules, plural(schedules),
         (unsigned long long)wish->first.seed);
}

static void print_verdict(tool *t, const job *j, exit_code code, const check_wish *wish, const kiln_exploration *e) {
  const kiln_str kernel = j->subject.kernel ? j->subject.kernel->name : (kiln_str){0};
  if (code != EXIT_FINE && code != EXIT_FAULT) return;
  for (size_t i = 0; i < e->found_count; i++) print_schedule(t, &e->found[i]);
  print_enough(kernel, e);
  const bool by_seeds = wish->limit == 0 && !wish->choices;
  if (wish->limit > 0 || (by_seeds && code == EXIT_FINE)) printf("%.*s: ", STR_FMT(kernel));
  if (wish->limit > 0) print_explored(e);
  if (by_seeds && code == EXIT_FINE) print_no_fault(wish, e);
  print_faults(t, kernel);
  if (by_seeds && code == EXIT_FAULT && e->found_count == 0)
    printf("%.*s --seed %llu --schedules 1 replays it\n", STR_FMT(replay_command(t)), (unsigned long long)wish->last);
}

/* ---- the command ---- */

static const char *const timings[] = {
#define SCHED_TIMING(id, name, doc) [KILN_TIMING_##id] = name,
#include "host/schedule/sched.def"
};

static bool read_wish(tool *t, check_wish *wish) {
  wish->first.check = true;
  wish->choices = args_value(t, "--replay");
  wish->may_stop = !args_has(t, "--schedules") && !args_has(t, "--seed") && !args_has(t, "--schedule") &&
                   !args_has(t, "--copies") && !args_has(t, "--trace") && !args_has(t, "--svg");
  return execute_read_room(t, &wish->first) && args_number(t, "--seed", 0, UINT64_MAX, 0, &wish->first.seed) &&
         args_number(t, "--schedules", 1, UINT32_MAX, SCHEDULES_BY_DEFAULT, &wish->schedules) &&
         args_number(t, "--exhaustive", 1, UINT64_MAX, args_has(t, "--exhaustive") ? LIMIT_BY_DEFAULT : 0,
                     &wish->limit) &&
         args_number(t, "--steps", 1, INT32_MAX, 0, &wish->first.longest) && execute_read_order(t, &wish->first) &&
         args_choice(t, "--copies", timings, sizeof timings / sizeof *timings, &wish->first.timing);
}

static exit_code run(tool *t) {
  check_wish wish = {0};
  if (!read_wish(t, &wish)) return EXIT_USAGE;
  job j;
  outcome o = {.device = STR("host")};
  kiln_exploration explored = {0};
  kiln_result result = job_open(t, MISSING_GENERATED, &j);
  if (result == KILN_OK) result = pictures_open(t, &wish.drawn);
  if (wish.drawn.wanted) wish.first.pictures = &wish.drawn;
  if (result == KILN_OK) result = run_wished(&j, &wish, &o, &explored);
  pictures_close(&wish.drawn);
  exit_code code = exit_code_of(result);
  report r = {&j,      o.device, code, o.ms,
              o.usage, NULL,     0,    wish.limit > 0 || wish.choices || explored.schedules > 0 ? &explored : NULL};
  if (args_has(t, "--json"))
    report_json(&r);
  else
    print_verdict(t, &j, code, &wish, &explored);
  job_close(&j);
  return code;
}

static const option options[] = {
    KERNEL_OPTION,
    {"--schedules", 0, OPTION_VALUE, false, "N",
     "how many orders of units to try (default 4, or 1 where that is enough)"},
    {"--seed", 0, OPTION_VALUE, false, "N", "of the first order (default 0); a fault tells the seed that replays it"},
    SCHEDULE_OPTION,
    {"--copies", 0, OPTION_VALUE, false, "NAME", "when copies move on, from the table below (default by-seed)"},
    {"--exhaustive", 0, OPTION_MAYBE, false, "LIMIT", "all schedules, so many of them at most (10000)"},
    {"--steps", 0, OPTION_VALUE, false, "N", "most steps of a schedule that is explored (4096)"},
    {"--replay", 0, OPTION_VALUE, false, "CHOICES", "the schedule that a report of --exhaustive gives"},
    SET_OPTION,
    MEMORY_OPTION,
    RESIDENT_OPTION,
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
#include "host/schedule/sched.def"
        "\nCopies and products in flight move on (--copies):\n"
#define SCHED_TIMING(id, name, doc) "  " name ": " doc "\n"
#include "host/schedule/sched.def"
    ,
    .run = run,
};
