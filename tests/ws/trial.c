/* Kernels of units in many ways, thousands in one process: what random_protocols.py has its kernels run by.
 *
 * Standard input: for each kernel a line with the names of ways (below, ways[]), the text, and a line of one dot.
 * Standard output: for each kernel a line, with `WAY right`, `WAY refused REASON` or `WAY wrong WHY` and a tab for each
 * way. Inputs count from 0. What the host's crew makes of the kernel is what every way has to make of it, bit for bit.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "ir/log.h"
#include "kiln/kiln.h"
#include "pass/pass.h"
#include "tool/generate.h"

enum { POISON = 0xa5, COUNT = 8, SEEDS = 20, LINE_MOST = 4096, POLLS = 300000, OPS_MOST = 100000000 };

typedef struct trial {
  arena arena;
  kiln_context *context;
  kiln_device *device; /* opened when it is first asked for */
  const ir_kernel *kernel;
  kiln_array *expected; /* what the crew made */
} trial;

/* What came of one way. */
typedef enum verdict { RIGHT, REFUSED, WRONG } verdict;
typedef struct answer {
  verdict verdict;
  kiln_str why;
} answer;

static const answer right = {RIGHT, {"", 0}};

static answer wrong(kiln_str why) { return (answer){WRONG, why}; }

/* What was said first, and what its last note adds; what no way exists for is refused. */
static answer said(trial *t) {
  if (kiln_diag_count(t->context) == 0) return wrong(STR("failed without a word"));
  const kiln_diag *d = kiln_diag_get(t->context, 0);
  const kiln_str note = d->place_count > 1 ? d->places[d->place_count - 1].label : STR("");
  kiln_str why = str_format(&t->arena, "%s: %.*s; %.*s", d->name, STR_FMT(d->message), STR_FMT(note));
  return (answer){strcmp(d->name, "no_way_to_run") == 0 ? REFUSED : WRONG, why};
}

/* ---- arrays ---- */

static bool is_log(const ir_param *param) { return str_is(param->name, "log"); }

/* 0 to 7, over and over. */
static void fill_counting(const kiln_array *array) {
  const kiln_array few = {.dtype = array->dtype, .data = array->data, .size = COUNT * kiln_dtype_size(array->dtype)};
  uint8_t *bytes = array->data;
  if (array->size <= few.size) {
    generate(&(generator){.kind = GENERATE_IOTA}, array);
    return;
  }
  generate(&(generator){.kind = GENERATE_IOTA}, &few);
  for (size_t i = few.size; i < array->size; i++) bytes[i] = bytes[i - few.size];
}

/* What it holds before the kernel runs: an output what no kernel writes, but for those that begin with something. */
static void fill(const ir_param *param, const kiln_array *arrays, const kiln_array *array) {
  if (param->alias >= 0)
    memcpy(array->data, arrays[param->alias].data, array->size);
  else if (param->filled)
    ir_fill_array(param->ref->type.dtype, array->data, array->size / ir_dtype_bytes(param->ref->type.dtype));
  else if (param->direction != KILN_OUT && !is_log(param))
    fill_counting(array);
  else if (!is_log(param))
    memset(array->data, POISON, array->size);
}

/* An array for each parameter. A log is empty. */
static kiln_array *make_arrays(trial *t, const ir_kernel *kernel) {
  kiln_array *arrays = ARENA_ARRAY(&t->arena, kiln_array, kernel->param_count);
  for (uint32_t i = 0; i < kernel->param_count; i++) {
    kiln_param shape;
    kiln_kernel_param(kernel, i, &shape);
    arrays[i] = (kiln_array){.dtype = shape.dtype,
                             .rank = shape.rank,
                             .size = (size_t)ir_count(&kernel->params[i].ref->type) * kiln_dtype_size(shape.dtype)};
    memcpy(arrays[i].dims, shape.dims, sizeof shape.dims);
    arrays[i].data = arena_alloc(&t->arena, arrays[i].size);
    fill(&kernel->params[i], arrays, &arrays[i]);
  }
  return arrays;
}

static const kiln_array *array_of(const ir_kernel *kernel, const kiln_array *arrays, kiln_str name) {
  for (uint32_t i = 0; i < kernel->param_count; i++)
    if (str_equal(kernel->params[i].name, name)) return &arrays[i];
  return NULL;
}

/* The outputs of `kernel`, which stands for the trial's own, beside what is expected. */
static answer compare(trial *t, const ir_kernel *kernel, const kiln_array *arrays) {
  for (uint32_t i = 0; i < t->kernel->param_count; i++) {
    const ir_param *param = &t->kernel->params[i];
    if (param->direction == KILN_IN) continue;
    const kiln_array *found = array_of(kernel, arrays, param->name);
    if (!found || memcmp(found->data, t->expected[i].data, found->size) != 0)
      return wrong(str_format(&t->arena, "other bits in %.*s", STR_FMT(param->name)));
  }
  return right;
}

/* ---- on the host ---- */

static answer run_on_host(trial *t, const ir_kernel *kernel, const kiln_host_desc *desc, kiln_array **arrays) {
  *arrays = make_arrays(t, kernel);
  return kiln_host_run(t->context, kernel, desc, *arrays, kernel->param_count) == KILN_OK ? right : said(t);
}

static bool tells(const ir_kernel *kernel, const kiln_array *arrays) {
  const kiln_array *log = array_of(kernel, arrays, STR("log"));
  return log && *(const uint32_t *)log->data != 0;
}

/* A text on the way to a device that the host can run: behind which pass, and how. */
typedef struct stage {
  pass_id last;
  const char *profile;
  kiln_units units;
  kiln_order order;
  bool check;
} stage;

static const stage fused = {.last = PASS_fuse_roles, .profile = "lavapipe8", .units = KILN_UNITS_FUSED};
static const stage rounds = {.last = PASS_phase_roles, .profile = "lavapipe8", .units = KILN_UNITS_PHASED};
static const stage spun = {.last = PASS_spin_roles, .profile = "gpu32", .units = KILN_UNITS_SPUN};

/* The text as a module of its own; NULL after diagnostics. A spun one adds to its log. */
static kiln_module *text_at(trial *t, const stage *at) {
  kiln_profile profile;
  kiln_profile_find(str_from(at->profile), &profile);
  profile.polls = at->units == KILN_UNITS_SPUN ? POLLS : profile.polls;
  const pass_target target = pass_device_target(&profile, at->units);
  ir_module *bound = NULL;
  kiln_module *module = NULL;
  text printed = text_new(&t->arena);
  if (ir_bind(t->context, t->kernel, NULL, 0, t->expected, t->kernel->param_count, &bound) != KILN_OK) return NULL;
  bound->arena.guard = t->arena.guard;
  ir_kernel *kernel = bound->kernels[0];
  if (pass_run(kernel, &target, t->context->diags, at->last, NULL, NULL) == KILN_OK) {
    if (at->units == KILN_UNITS_SPUN && kernel->log) kernel->params[kernel->log->param].direction = KILN_INOUT;
    ir_print_kernel(&printed, kernel);
    kiln_module_parse(t->context, &(kiln_parse_desc){.text = text_str(&printed)}, &module);
  }
  ir_module_destroy(bound);
  return module;
}

/* `fault`: it has to tell of one, else of none. */
static answer run_text(trial *t, const stage *at, bool fault) {
  const kiln_host_desc desc = {.check = at->check, .order = at->order, .seed = 3, .step_limit = OPS_MOST};
  kiln_array *arrays;
  kiln_module *module = text_at(t, at);
  if (!module) return said(t);
  const ir_kernel *kernel = kiln_module_kernel(module, 0);
  answer a = run_on_host(t, kernel, &desc, &arrays);
  if (a.verdict == RIGHT && tells(kernel, arrays) != fault)
    a = wrong(fault ? STR("the fault is not told") : STR("a false alarm"));
  else if (a.verdict == RIGHT && !fault)
    a = compare(t, kernel, arrays);
  kiln_module_destroy(module);
  return a;
}

static bool is_not_tensor(void *user, ir_op *op) {
  (void)user;
  return op->code != IR_scratch || op->results[0]->type.space != IR_SPACE_TMEM;
}

/* Under the checkers, but where they would miss what went with all that is asynchronous: who awaited tensor memory, and
 * that copies may take along what nothing has written. */
static answer run_spun_in(trial *t, kiln_order order) {
  stage at = spun;
  at.order = order;
  at.check = ir_walk(t->kernel->body, is_not_tensor, NULL);
  answer a = run_text(t, &at, false);
  if (a.verdict != WRONG || !str_starts(a.why, STR("uninitialized_read"))) return a;
  at.check = false;
  kiln_diag_clear(t->context);
  return run_text(t, &at, false);
}

static answer run_fused(trial *t) { return run_text(t, &fused, false); }
static answer run_rounds(trial *t) { return run_text(t, &rounds, false); }
static answer run_spun(trial *t) { return run_spun_in(t, KILN_ORDER_RANDOM); }
static answer run_starved(trial *t) { return run_spun_in(t, KILN_ORDER_STARVE); }

/* Under the checkers: what has a fault of its own need not come out the same in every way. */
static answer run_checked(trial *t) {
  kiln_array *arrays;
  return run_on_host(t, t->kernel, &(kiln_host_desc){.check = true, .step_limit = OPS_MOST}, &arrays);
}

/* The crew in other orders, each second one under the checkers. */
static answer run_seeds(trial *t) {
  answer a = right;
  for (uint64_t seed = 1; seed <= SEEDS && a.verdict == RIGHT; seed++) {
    kiln_array *arrays;
    const kiln_host_desc desc = {.seed = seed, .check = seed % 2, .step_limit = OPS_MOST};
    a = run_on_host(t, t->kernel, &desc, &arrays);
    if (a.verdict == RIGHT) a = compare(t, t->kernel, arrays);
    if (a.verdict == WRONG) a.why = str_format(&t->arena, "seed %" PRIu64 ": %.*s", seed, STR_FMT(a.why));
  }
  return a;
}

/* Roles that spin, as SPIR-V for a device that is not here. */
static answer make_words(trial *t) {
  kiln_compile_desc desc = {.validate = true, .units = KILN_UNITS_SPUN};
  kiln_program *program = NULL;
  kiln_profile_find(STR("gpu32"), &desc.profile);
  const kiln_result result = kiln_compile(t->context, t->kernel, &desc, &program);
  kiln_program_destroy(program);
  return result == KILN_OK ? right : said(t);
}

/* ---- on the device ---- */

static kiln_result launch(trial *t, kiln_launch *launched, kiln_array *arrays) {
  kiln_result result = KILN_OK;
  double nanoseconds;
  const uint32_t count = t->kernel->param_count;
  for (uint32_t i = 0; i < count && result == KILN_OK; i++) result = kiln_launch_upload(launched, i, &arrays[i]);
  if (result == KILN_OK) result = kiln_launch_run(launched, 1, &nanoseconds);
  for (uint32_t i = 0; i < count && result == KILN_OK; i++)
    if (t->kernel->params[i].direction != KILN_IN) result = kiln_launch_download(launched, i, &arrays[i]);
  return result;
}

static kiln_result run_on_device(trial *t, kiln_units units, kiln_array *arrays) {
  kiln_program *program = NULL;
  kiln_launch *launched = NULL;
  kiln_result result = t->device ? KILN_OK : kiln_device_open(t->context, NULL, &t->device);
  if (result != KILN_OK) return result;
  const kiln_compile_desc desc = {.profile = kiln_device_get(t->device)->profile, .validate = true, .units = units};
  result = kiln_compile(t->context, t->kernel, &desc, &program);
  if (result == KILN_OK) result = kiln_launch_create(t->device, program, &launched);
  if (result == KILN_OK) result = launch(t, launched, arrays);
  kiln_launch_destroy(launched);
  kiln_program_destroy(program);
  return result;
}

static answer run_device(trial *t, kiln_units units) {
  kiln_array *arrays = make_arrays(t, t->kernel);
  return run_on_device(t, units, arrays) == KILN_OK ? compare(t, t->kernel, arrays) : said(t);
}

static answer run_device_fused(trial *t) { return run_device(t, KILN_UNITS_FUSED); }
static answer run_device_phased(trial *t) { return run_device(t, KILN_UNITS_PHASED); }

/* ---- kernels that are broken ---- */

/* Whether roles in rounds see a fault themselves, as TOLD of ways.py; a race is the host's to find. Deletions reach no
 * element that a barrier does not have, and the name alone would not tell that from one of memory. */
static bool is_told(const char *fault) {
  static const char *const told[] = {"deadlock", "divergent_barrier", "over_arrival", "semaphore_leak"};
  for (size_t i = 0; i < sizeof told / sizeof *told; i++)
    if (strcmp(fault, told[i]) == 0) return true;
  return false;
}

/* What the host's checkers say in one order, 0 the fair one; *told: nothing that rounds do not see as well. */
static answer check_in(trial *t, uint64_t seed, bool *told) {
  const kiln_order order = seed > 0 ? KILN_ORDER_RANDOM : KILN_ORDER_ROUND_ROBIN;
  const kiln_host_desc desc = {.check = true, .step_limit = OPS_MOST, .order = order, .seed = seed};
  kiln_array *arrays;
  kiln_diag_clear(t->context);
  answer a = run_on_host(t, t->kernel, &desc, &arrays);
  if (a.verdict == RIGHT) return wrong(STR("the host finds no fault"));
  *told = true;
  for (size_t i = 0; i < kiln_diag_count(t->context); i++) {
    const kiln_diag *d = kiln_diag_get(t->context, i);
    if (d->severity == KILN_ERROR) return said(t);
    *told = *told && (d->severity != KILN_FAULT || is_told(d->name));
  }
  return right;
}

/* The host must find a fault. What is a late wait in one order is a race in another: *told only where all say so. */
static answer find_fault(trial *t, bool *told) {
  answer a = check_in(t, 0, told);
  for (uint64_t seed = 1; seed <= SEEDS && a.verdict == RIGHT && *told; seed++) {
    bool also = true;
    check_in(t, seed, &also);
    *told = also;
  }
  kiln_diag_clear(t->context);
  return a;
}

static answer run_broken(trial *t) {
  bool told;
  answer a = find_fault(t, &told);
  if (a.verdict != RIGHT || !told) return a;
  return run_text(t, &rounds, true);
}

static answer run_broken_device(trial *t) {
  bool told;
  answer a = find_fault(t, &told);
  if (a.verdict != RIGHT || !told) return a;
  kiln_result result = run_on_device(t, KILN_UNITS_PHASED, make_arrays(t, t->kernel));
  if (result == KILN_OK) return wrong(STR("the device tells of no fault"));
  return result == KILN_ERROR_FAULT ? right : said(t);
}

/* ---- the conversation ---- */

static const struct way {
  const char *name;
  bool broken;
  answer (*run)(trial *t);
} ways[] = {{"checked", false, run_checked},
            {"seeds", false, run_seeds},
            {"fused", false, run_fused},
            {"rounds", false, run_rounds},
            {"spun", false, run_spun},
            {"starved", false, run_starved},
            {"words", false, make_words},
            {"device-fused", false, run_device_fused},
            {"device-phased", false, run_device_phased},
            {"broken", true, run_broken},
            {"broken-device", true, run_broken_device}};

static void reply(kiln_str way, answer a) {
  static const char *const words[] = {[RIGHT] = "right", [REFUSED] = "refused", [WRONG] = "wrong"};
  const char *end = memchr(a.why.data, '\n', a.why.size);
  const size_t size = end ? (size_t)(end - a.why.data) : a.why.size;
  printf("%.*s %s %.*s\t", STR_FMT(way), words[a.verdict], (int)size, a.why.data);
}

static answer run_way(trial *t, kiln_str name) {
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    if (!str_is(name, ways[i].name)) continue;
    kiln_diag_clear(t->context);
    if (t->expected || ways[i].broken) return ways[i].run(t);
    answer a = run_on_host(t, t->kernel, &(kiln_host_desc){.step_limit = OPS_MOST}, &t->expected);
    return a.verdict == RIGHT ? ways[i].run(t) : a;
  }
  return wrong(STR("there is no such way"));
}

/* Not strtok, of which drivers make use while a kernel runs. */
static bool next_word(kiln_str *rest, kiln_str *out) {
  const char *end = rest->size > 0 ? memchr(rest->data, ' ', rest->size) : NULL;
  *out = (kiln_str){rest->data, end ? (size_t)(end - rest->data) : rest->size};
  const size_t taken = out->size + (end != NULL);
  *rest = (kiln_str){rest->data + taken, rest->size - taken};
  return out->size > 0;
}

static void run_kernel(trial *t, kiln_str names, kiln_str written) {
  kiln_module *module = NULL;
  kiln_diag_clear(t->context);
  if (kiln_module_parse(t->context, &(kiln_parse_desc){.text = written}, &module) != KILN_OK)
    reply(STR("parse"), said(t));
  t->kernel = module ? kiln_module_kernel(module, 0) : NULL;
  t->expected = NULL;
  for (kiln_str name; module && next_word(&names, &name);) reply(name, run_way(t, name));
  kiln_module_destroy(module);
}

/* Reads one kernel and runs it; false at the end of the input. */
static bool next_kernel(trial *t) {
  char names[LINE_MOST], line[LINE_MOST];
  jmp_buf out;
  if (!fgets(names, sizeof names, stdin)) return false;
  arena_init(&t->arena, mem_default(), 0);
  if (!ARENA_GUARD(&t->arena, out)) return false;
  text kernel = text_new(&t->arena);
  while (fgets(line, sizeof line, stdin) && strcmp(line, ".\n") != 0) text_add(&kernel, str_from(line));
  run_kernel(t, (kiln_str){names, strcspn(names, "\n")}, text_str(&kernel));
  arena_finish(&t->arena);
  puts("");
  fflush(stdout);
  return true;
}

int main(void) {
  trial t = {0};
  if (kiln_context_create(&(kiln_context_desc){.threads = 1}, &t.context) != KILN_OK) return 1;
  while (next_kernel(&t)) continue;
  kiln_device_close(t.device);
  kiln_context_destroy(t.context);
  return 0;
}
