/* ktest [--on host|vulkan|PROFILE] [--seeds N] [--update] [-v] FILE.ktest...: runs kernel tests, or compiles them for a
 * profile; prints failures and skips with their reasons, and ends with the line `N passed, N failed, N skipped`. The
 * format is described in ktest.h. */
#include "ktest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct runner {
  executor executor;
  bool update, verbose;
  uint64_t seeds; /* of kernels whose units order themselves */
  unsigned passed, failed, skipped;
} runner;

typedef enum outcome { PASSED, FAILED, REFUSED } outcome;

/* One test file being run: everything it makes lives in its arena and context. */
typedef struct session {
  runner *runner;
  test_file file;
  kiln_context *context;
  kiln_module *module;
} session;

/* ---- reporting ---- */

static void report_pass(session *s, uint32_t line) {
  s->runner->passed++;
  if (s->runner->verbose) printf("ok   %.*s:%u\n", STR_FMT(s->file.path), line);
}

static void report_failure(session *s, uint32_t line, kiln_str why) {
  s->runner->failed++;
  printf("FAIL %.*s:%u on %.*s: %.*s\n", STR_FMT(s->file.path), line, STR_FMT(s->runner->executor.name), STR_FMT(why));
}

static void report_skip(session *s, uint32_t line, kiln_str why) {
  s->runner->skipped++;
  printf("SKIP %.*s:%u on %.*s: %.*s\n", STR_FMT(s->file.path), line, STR_FMT(s->runner->executor.name), STR_FMT(why));
}

/* ---- running a case ---- */

static kiln_str join(session *s, const char *what) {
  kiln_str said = context_text(s->file.arena, s->context);
  return str_format(s->file.arena, "%s\n%.*s", what, STR_FMT(said));
}

static bool said(const kiln_context *context, kiln_str name) {
  for (size_t i = 0; i < kiln_diag_count(context); i++)
    if (str_is(name, kiln_diag_get(context, i)->name)) return true;
  return false;
}

/* Another run with that seed and without checks gives the same bits. */
static outcome run_again(session *s, const launch *before, const launch *plain, uint64_t seed, kiln_str *why) {
  const executor *e = &s->runner->executor;
  launch again = launch_copy(before);
  again.seed = seed;
  kiln_diag_clear(s->context);
  const kiln_result result = e->run(e, &again, false);
  *why = result == KILN_OK ? compare_outputs(&again, plain, 0) : join(s, "a run with another seed failed");
  return why->size ? FAILED : PASSED;
}

/* A run on the host with every check on: the fault that the case asks for, or none and the same bits. */
static outcome run_seed(session *s, const test_case *c, const launch *before, const launch *plain, uint64_t seed,
                        kiln_str *why) {
  const executor *e = &s->runner->executor;
  launch checked = launch_copy(before);
  checked.seed = seed;
  kiln_diag_clear(s->context);
  kiln_result result = e->run(e, &checked, true);
  if (c->fault) {
    if (result == KILN_ERROR_FAULT && said(s->context, c->fault->rest)) return PASSED;
    *why = join(s, "the checked run did not report the expected fault");
    return FAILED;
  }
  *why = result == KILN_OK ? compare_outputs(&checked, plain, 0) : join(s, "the checked run failed");
  return why->size ? FAILED : PASSED;
}

static outcome run_checked(session *s, const test_case *c, const launch *before, const launch *plain, kiln_str *why) {
  const uint64_t seeds = ir_is_crew(before->kernel) ? s->runner->seeds : 1;
  outcome out = PASSED;
  for (uint64_t seed = 0; seed < seeds && out == PASSED; seed++) {
    out = run_seed(s, c, before, plain, seed, why);
    if (out == PASSED && seed > 0 && !c->fault) out = run_again(s, before, plain, seed, why);
  }
  return out;
}

static outcome run_against_host(session *s, const test_case *c, const launch *before, const launch *plain,
                                kiln_str *why) {
  uint64_t ulp;
  kiln_str rest;
  launch host = launch_copy(before);
  if (!parse_ulp(str_format(s->file.arena, " %.*s", STR_FMT(c->same->rest)), &rest, &ulp))
    *why = STR("[same host] ends in `within N ulp`");
  else if (executor_host.run(&executor_host, &host, false) != KILN_OK)
    *why = join(s, "the host failed");
  else
    *why = compare_outputs(plain, &host, ulp);
  return why->size ? FAILED : PASSED;
}

static outcome run_launch(session *s, const test_case *c, const launch *before, kiln_str *why) {
  const executor *e = &s->runner->executor;
  launch plain = launch_copy(before);
  kiln_diag_clear(s->context);
  kiln_result result = e->run(e, &plain, false);
  /* Some faults are found in every run, as a deadlock is. */
  if (result == KILN_ERROR_FAULT && c->fault) return run_checked(s, c, before, &plain, why);
  if (result != KILN_OK) {
    *why = join(s, kiln_result_name(result));
    return result == KILN_ERROR_UNSUPPORTED ? REFUSED : FAILED;
  }
  if (e->compiles_only) return PASSED;
  *why = compare_expected(before, &plain, c);
  if (why->size) return FAILED;
  if (e->checks) return run_checked(s, c, before, &plain, why);
  return c->same ? run_against_host(s, c, before, &plain, why) : PASSED;
}

static const kiln_kernel *find_kernel(session *s, const test_case *c) {
  return c->launch ? kiln_module_find(s->module, c->launch->rest) : kiln_module_kernel(s->module, 0);
}

static outcome try_case(session *s, const test_case *c, kiln_str *why) {
  launch before = {.arena = s->file.arena, .context = s->context, .kernel = find_kernel(s, c)};
  if (!before.kernel) {
    *why = STR("[launch]: no such kernel");
    return FAILED;
  }
  return launch_make(&before, c, why) ? run_launch(s, c, &before, why) : FAILED;
}

/* ---- what a case may not be able to do ---- */

static bool contains(kiln_str s, kiln_str part) {
  for (size_t i = 0; i + part.size <= s.size; i++)
    if (!memcmp(s.data + i, part.data, part.size)) return true;
  return false;
}

static bool names_executor(const executor *e, kiln_str who) {
  return contains(e->name, who) || (e->device && str_is(who, "vulkan"));
}

/* The limit that holds for this executor, or NULL. */
static const section *find_limit(const runner *r, const test_case *c, const char *word) {
  for (size_t i = 0; i < c->limits.count; i++) {
    const section *limit = &c->limits.data[i];
    kiln_str who, why;
    str_cut(limit->rest, ":", &who, &why);
    if (str_is(limit->word, word) && names_executor(&r->executor, who)) return limit;
  }
  return NULL;
}

static const char *missing_feature(const runner *r, const test_case *c) {
  for (size_t i = 0; i < c->limits.count; i++) {
    const section *limit = &c->limits.data[i];
    if (!str_is(limit->word, "needs")) continue;
    if (str_is(limit->rest, "f64") && !r->executor.f64) return "the device has no f64";
    if (str_is(limit->rest, "i64") && !r->executor.i64) return "the device has no i64";
    if (str_is(limit->rest, "i64 atomics") && !r->executor.i64_atomics) return "the device has no 64-bit atomics";
  }
  return NULL;
}

/* Sizes and data alone are there for a snapshot. */
static bool expects_something(const test_case *c) { return c->expects.count || c->same || c->fault; }

static void run_case(session *s, const test_case *c) {
  const runner *r = s->runner;
  const section *todo = find_limit(r, c, "todo"), *unsupported = find_limit(r, c, "unsupported");
  const char *missing = missing_feature(r, c);
  if (c->fault && !r->executor.checks && !c->expects.count) return; /* only the host has checkers */
  kiln_str why = STR("");
  outcome out = try_case(s, c, &why);
  if (todo)
    out == PASSED ? report_failure(s, c->line, STR("[todo] passes: remove it")) : report_skip(s, c->line, todo->rest);
  else if (unsupported || missing)
    out == REFUSED ? report_skip(s, c->line, missing ? str_from(missing) : unsupported->rest)
                   : report_failure(s, c->line, STR("should have been refused as unsupported"));
  else
    out == PASSED ? report_pass(s, c->line) : report_failure(s, c->line, why);
}

/* ---- texts ---- */

/* print(parse(print(kernel))) must be print(kernel). */
static void check_fixed_point(session *s) {
  kiln_str once = kiln_module_text(s->module);
  kiln_module *again = NULL;
  kiln_diag_clear(s->context);
  if (kiln_module_parse(s->context, &(kiln_parse_desc){.text = once, .name = STR("printed")}, &again) != KILN_OK)
    report_failure(s, 1, join(s, "the printed kernel does not parse"));
  else if (!str_equal(once, kiln_module_text(again)))
    report_failure(s, 1,
                   str_format(s->file.arena, "printing is no fixed point:\n%.*s\nthen\n%.*s", STR_FMT(once),
                              STR_FMT(kiln_module_text(again))));
  else
    report_pass(s, 1);
  kiln_module_destroy(again);
}

static void check_snapshot(session *s, const section *snapshot, text *updated, const char **copied) {
  kiln_str error = STR(""), found = snapshot_make(&s->file, s->context, snapshot, &error);
  if (error.size) {
    report_failure(s, snapshot->line, error);
  } else if (str_equal(str_trim(found), str_trim(snapshot->body))) {
    report_pass(s, snapshot->line);
  } else if (s->runner->update) {
    text_add(updated, (kiln_str){*copied, (size_t)(snapshot->body.data - *copied)});
    text_format(updated, "%.*s\n", STR_FMT(str_trim(found)));
    *copied = snapshot->body.data + snapshot->body.size;
    if (*copied < s->file.text.data + s->file.text.size) text_char(updated, '\n');
  } else {
    report_failure(s, snapshot->line,
                   str_format(s->file.arena, "the text is now (ktest --update accepts it)\n%.*s", STR_FMT(found)));
  }
}

static bool write_file(kiln_str path, kiln_str contents) {
  FILE *out = fopen(path.data, "wb");
  bool good = out && fwrite(contents.data, 1, contents.size, out) == contents.size;
  return out && fclose(out) == 0 && good;
}

static void check_snapshots(session *s) {
  text updated = text_new(s->file.arena);
  const char *copied = s->file.text.data;
  for (size_t i = 0; i < s->file.snapshots.count; i++) check_snapshot(s, &s->file.snapshots.data[i], &updated, &copied);
  if (copied == s->file.text.data) return;
  text_add(&updated, (kiln_str){copied, (size_t)(s->file.text.data + s->file.text.size - copied)});
  bool written = write_file(s->file.path, text_str(&updated));
  printf("%s %.*s\n", written ? "updated" : "cannot write", STR_FMT(s->file.path));
}

/* ---- files ---- */

static kiln_str read_file(arena *a, const char *path) {
  FILE *in = fopen(path, "rb");
  if (!in) return (kiln_str){0};
  text t = text_new(a);
  for (int c; (c = getc(in)) != EOF;) text_char(&t, (char)c);
  fclose(in);
  text_char(&t, '\0');
  return (kiln_str){t.data, t.size - 1};
}

static void run_parsed(session *s) {
  bool host = s->runner->executor.checks;
  kiln_parse_desc desc = {.text = s->file.kernel, .name = STR("kernel")};
  if (s->file.cases.count && kiln_module_parse(s->context, &desc, &s->module) != KILN_OK) {
    report_failure(s, 1, join(s, "the kernel does not parse"));
    return;
  }
  if (host && s->module) check_fixed_point(s);
  for (size_t i = 0; i < s->file.cases.count; i++)
    if (expects_something(&s->file.cases.data[i])) run_case(s, &s->file.cases.data[i]);
  if (host) check_snapshots(s);
  kiln_module_destroy(s->module);
}

static void run_file(runner *r, kiln_context *context, const char *path) {
  arena a;
  jmp_buf out;
  arena_init(&a, mem_default(), 0);
  if (!ARENA_GUARD(&a, out)) exit(4);
  session s = {.runner = r, .context = context};
  file_parse(&s.file, &a, str_from(path), read_file(&a, path));
  if (s.file.error.size)
    report_failure(&s, 1, s.file.error);
  else
    run_parsed(&s);
  arena_finish(&a);
}

/* ---- the command ---- */

static int usage(void) {
  fputs("usage: ktest [--on host|vulkan|PROFILE] [--seeds N] [--update] [-v] FILE.ktest...\n", stderr);
  return 2;
}

static int finish(const runner *r) {
  printf("%u passed, %u failed, %u skipped\n", r->passed, r->failed, r->skipped);
  return r->failed != 0;
}

/* Without a device every file is a skip. */
static int skip_all(runner *r, kiln_context *context, int count) {
  bool some = kiln_diag_count(context) != 0;
  kiln_str why = some ? kiln_diag_get(context, 0)->message : STR("this build has no Vulkan");
  printf("SKIP %d files: %.*s\n", count, STR_FMT(why));
  r->skipped = (unsigned)count;
  return finish(r);
}

static bool open_vulkan(runner *r, kiln_context *context) {
#ifdef KILN_VULKAN
  return executor_vulkan_open(context, &r->executor);
#else
  (void)r, (void)context;
  return false;
#endif
}

static bool open_profile(runner *r, const char *name) {
#ifdef KILN_VULKAN
  return executor_profile_open(str_from(name), &r->executor);
#else
  (void)r, (void)name;
  return false;
#endif
}

int main(int argc, char **argv) {
  runner r = {.executor = executor_host, .seeds = 6};
  kiln_context *context = NULL;
  const char *on = "host";
  int first = 1;
  for (; first < argc && argv[first][0] == '-'; first++) {
    if (!strcmp(argv[first], "--update"))
      r.update = true;
    else if (!strcmp(argv[first], "-v"))
      r.verbose = true;
    else if (!strcmp(argv[first], "--on") && first + 1 < argc)
      on = argv[++first];
    else if (!strcmp(argv[first], "--seeds") && first + 1 < argc)
      r.seeds = strtoull(argv[++first], NULL, 10);
    else
      return usage();
  }
  if (kiln_context_create(NULL, &context) != KILN_OK || first == argc) return usage();
  bool vulkan = !strcmp(on, "vulkan");
  if (!vulkan && strcmp(on, "host") && !open_profile(&r, on)) return usage();
  if (vulkan && !open_vulkan(&r, context)) return skip_all(&r, context, argc - first);
  for (int i = first; i < argc; i++) run_file(&r, context, argv[i]);
#ifdef KILN_VULKAN
  if (vulkan) executor_vulkan_close(&r.executor);
#endif
  kiln_context_destroy(context);
  return finish(&r);
}
