/* Schedules of kernels: guides as texts, made short, and replayed; what decides how units order themselves. */
#include "unit.h"

#include <stdio.h>

#include "fault_alloc.h"
#include "host/schedule/guide.h"
#include "kiln/host.h"
#include "pass/roles/sync_data.h"

/* ---- guides ---- */

static void guides_are_read_as_they_are_printed(void **state) {
  (void)state;
  const char *const texts[] = {"-", "3", "3x2,4,3.1,L7x3,4294967", "0x100,1", "12.16777215"};
  UNIT_ARENA(a);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    guide g = {.mem = mem_default()};
    text printed = text_new(&a);
    assert_true(guide_parse(&g, str_from(texts[i])));
    guide_print(&g, &printed);
    assert_true(str_is(text_str(&printed), texts[i]));
    guide_free(&g);
  }
  arena_finish(&a);
}

static void other_texts_are_no_guides(void **state) {
  (void)state;
  const char *const texts[] = {"", "3,", ",3", "3x", "x3", "L", "3.x2", "3 4", "99999999999", "3x999999999", "L3.1"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    guide g = {.mem = mem_default()};
    assert_false(guide_parse(&g, str_from(texts[i])));
    guide_free(&g);
  }
}

/* What is looked for: two steps of unit 7, and one of unit 5 somewhere between. */
static bool has_between(void *user, const guide *g) {
  uint32_t *tries = user, state = 0;
  ++*tries;
  for (uint32_t i = 0; i < g->count; i++)
    state += (state != 1 && g->choices[i] == 7 && state < 3) || (state == 1 && g->choices[i] == 5);
  return state >= 3;
}

static void guides_become_as_short_as_can_be(void **state) {
  (void)state;
  guide g = {.mem = mem_default()};
  uint32_t tries = 0;
  assert_true(guide_parse(&g, STR("1x20,2,1x9,7,3x8,4,5,4,3x12,5,7,2x30,7,1")));
  assert_true(has_between(&tries, &g));
  assert_true(guide_shrink(&g, has_between, &tries, 500));
  const choice_who shortest[] = {7, 5, 7};
  assert_int_equal(g.count, 3);
  assert_memory_equal(g.choices, shortest, sizeof shortest);
  assert_true(tries < 200);
  assert_int_equal(guide_switches(&g), 2);
  guide_free(&g);
}

/* ---- kernels ---- */

static const char thieves[] =
    "kernel thieves(x: f32[3]) -> (y: f32[3]) {\n  machine gpu\n  threads t: 3\n  scratch n: semaphore\n  y[t] = x[t]\n"
    "  when t == 0 { signal n by 2 }\n  when t == 1 { wait n by 1 }\n  when t == 2 { wait n by 2 }\n}\n";

static void check_exploration(kiln_host_plan *plan, const kiln_array *arrays, const fault_alloc *fault) {
  kiln_exploration told;
  kiln_schedule again;
  kiln_result result = kiln_host_explore(plan, arrays, 2, 0, &told);
  assert_true(result == KILN_ERROR_FAULT || result == KILN_ERROR_MEMORY);
  if (fault->calls >= fault->fail_at) return;
  assert_true(told.complete && told.schedules == 2 && told.found_count == 2 && told.open == 0);
  assert_int_equal(told.either[0].line, 7);
  assert_int_equal(told.either[1].line, 8);
  assert_string_equal(told.found[0].fault, "deadlock");
  assert_true(told.found[0].step_count > 0 && told.found[0].switches <= 2);
  result = kiln_host_replay(plan, arrays, 2, told.found[0].choices, &again);
  assert_true(result == KILN_ERROR_FAULT || result == KILN_ERROR_MEMORY);
  if (fault->calls < fault->fail_at) assert_string_equal(again.fault, "deadlock");
}

/* All that is asked for may fail: then memory is out, and nothing leaks. */
static void schedules_are_explored(void **state) {
  (void)state;
  float x[3] = {0}, y[3];
  fault_alloc fault;
  const kiln_array arrays[] = {{KILN_F32, 1, {3}, x, sizeof x}, {KILN_F32, 1, {3}, y, sizeof y}};
  FAULT_SWEEP(fault) {
    kiln_context *context;
    kiln_module *module = NULL;
    kiln_host_plan *plan = NULL;
    const kiln_context_desc desc = {.alloc = fault_alloc_hook, .alloc_user = &fault, .threads = 1};
    const kiln_parse_desc parse = {.text = {thieves, sizeof thieves - 1}};
    const kiln_host_desc check = {.check = true};
    if (kiln_context_create(&desc, &context) != KILN_OK) continue;
    if (kiln_module_parse(context, &parse, &module) == KILN_OK &&
        kiln_host_prepare(context, kiln_module_kernel(module, 0), &check, arrays, 2, &plan) == KILN_OK)
      check_exploration(plan, arrays, &fault);
    kiln_host_plan_destroy(plan);
    kiln_module_destroy(module);
    kiln_context_destroy(context);
  }
}

/* The line of what depends on data; 0: nothing does. */
static uint32_t line_on_data(const char *body) {
  char written[1024];
  kiln_context *context;
  kiln_module *module;
  bool known;
  snprintf(written, sizeof written,
           "kernel k(x: i32[4]) -> (y: i32[4]) { machine gpu threads t: 2 scratch b: barrier[4] scratch n: semaphore "
           "y[...] = 0\n"
           "%s}\n",
           body);
  assert_int_equal(kiln_context_create(NULL, &context), KILN_OK);
  const kiln_parse_desc parse = {.text = str_from(written)};
  assert_int_equal(kiln_module_parse(context, &parse, &module), KILN_OK);
  const ir_op *found = pass_sync_on_data(kiln_module_kernel(module, 0), mem_default(), &known);
  assert_true(known);
  const uint32_t line = found ? loc_place(found->loc, (kiln_str){0}).line : 0;
  kiln_module_destroy(module);
  kiln_context_destroy(context);
  return line;
}

static void data_may_decide_how_units_order_themselves(void **state) {
  (void)state;
  const struct {
    const char *body;
    uint32_t line;
  } cases[] = {
      {"for k in 0 .. 4 { when t == 0 { arrive b[k] } when t == 1 { wait b[k] } }\ny[...] = x[...]", 0},
      {"let v = x[0]\nwhen v == 1 { y[0] = v }\narrive b[0]", 0},
      {"let v = x[0]\nwhen v == 1 { arrive b[0] }", 3},
      {"let v = x[0]\narrive b[v]", 3},
      {"for k in 0 .. x[1] {\nwait b[k]\n}", 2},
      {"let s = for k in 0 .. 4 with (s = 0) { yield s + x[k] }\nsignal n by s", 3},
      {"let s = for k in 0 .. 4 with (s = 0) { yield s + k }\nsignal n by s", 0},
      {"let c = count n\nlet e = when c > 0 { yield 1 } else { yield 2 }\nsignal n by e", 4},
      {"let _d = while !d with (d = false) {\nlet d2 = test b[0]\nyield d2\n}\ny[...] = x[...]", 2},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_int_equal(line_on_data(cases[i].body), cases[i].line);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(guides_are_read_as_they_are_printed),        cmocka_unit_test(other_texts_are_no_guides),
      cmocka_unit_test(guides_become_as_short_as_can_be),           cmocka_unit_test(schedules_are_explored),
      cmocka_unit_test(data_may_decide_how_units_order_themselves),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
