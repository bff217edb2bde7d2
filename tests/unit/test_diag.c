/* base/diag and base/context: places, collecting, rendering, results. */
#include "unit.h"

#include <string.h>

#include "base/context.h"
#include "base/thread.h"
#include "fault_alloc.h"

#define NAME "softmax.kiln"
#define TEXT "kernel f(\r\n\tlet \xc3\xa9 = 1 + ;\nend"
static const source file = {.name = {NAME, sizeof NAME - 1}, .text = {TEXT, sizeof TEXT - 1}};

static loc place_of(const char *needle) {
  const char *found = strstr(file.text.data, needle);
  assert_non_null(found);
  return (loc){&file, (uint32_t)(found - file.text.data), (uint32_t)strlen(needle)};
}

static void positions_count_from_one(void **state) {
  (void)state;
  uint32_t line, column;
  loc_position(place_of("kernel"), &line, &column);
  assert_true(line == 1 && column == 1);
  loc_position(place_of("let"), &line, &column);
  assert_true(line == 2 && column == 2);
  loc_position((loc){&file, (uint32_t)file.text.size, 0}, &line, &column); /* the end of the text */
  assert_true(line == 3 && column == 4);
  loc_position((loc){&file, (uint32_t)file.text.size + 1, 0}, &line, &column);
  assert_true(line == 0 && column == 0);
  loc_position((loc){0}, &line, &column);
  assert_true(line == 0 && column == 0);
}

static void line_text_has_no_line_end(void **state) {
  (void)state;
  kiln_place place = loc_place(place_of("f("), STR("here"));
  assert_true(str_is(place.line_text, "kernel f("));
  assert_true(str_is(place.label, "here"));
  assert_true(str_is(place.file, "softmax.kiln"));
}

static void assert_renders(kiln_context *context, const char *expected) {
  kiln_str shown = kiln_diag_render(context, kiln_diag_get(context, kiln_diag_count(context) - 1));
  assert_string_equal(shown.data, expected);
  assert_int_equal(shown.size, strlen(expected));
}

static void rendering_points_at_the_place(void **state) {
  (void)state;
  kiln_context *context;
  assert_int_equal(kiln_context_create(NULL, &context), KILN_OK);
  diag_report(context->diags, DIAG_expected_token, place_of("1 +"), "a name", "'1'");
  assert_renders(context,
                 "softmax.kiln:2:11: error[1002 expected_token]: expected a name, found '1'\n"
                 "    2 | \tlet \xc3\xa9 = 1 + ;\n"
                 "      | \t        ^~~\n");
  diag_report(context->diags, DIAG_unexpected_character, (loc){0}, "'\033[2J'");
  assert_renders(context,
                 "error[1001 unexpected_character]: unexpected character '?[2J'\n"
                 "  help: kernel text is ASCII outside comments, and comments begin with `//`\n");
  kiln_context_destroy(context);
}

static void rendering_shows_notes_unit_and_hint(void **state) {
  (void)state;
  kiln_context *context;
  assert_int_equal(kiln_context_create(NULL, &context), KILN_OK);
  kiln_place note = loc_place(place_of("end"), STR("opened here"));
  diag_extra extra = {&note, 1, STR("block 3 step (0, 2)"), 77, "close it"};
  diag_report_with(context->diags, DIAG_expected_token, place_of("f("), &extra, "')'", "the end");
  assert_renders(context,
                 "softmax.kiln:1:8: error[1002 expected_token]: expected ')', found the end\n"
                 "    1 | kernel f(\n"
                 "      |        ^~\n"
                 "  note: softmax.kiln:3:1: opened here\n"
                 "    3 | end\n"
                 "      | ^~~\n"
                 "  in: block 3 step (0, 2), seed 77\n"
                 "  help: close it\n");
  kiln_context_destroy(context);
}

static void underline_stops_at_the_line_end(void **state) {
  (void)state;
  kiln_context *context;
  assert_int_equal(kiln_context_create(NULL, &context), KILN_OK);
  loc at = place_of("end");
  at.length = 4000000000u;
  diag_report(context->diags, DIAG_expected_token, at, "x", "y");
  assert_renders(context,
                 "softmax.kiln:3:1: error[1002 expected_token]: expected x, found y\n"
                 "    3 | end\n"
                 "      | ^~~\n");
  kiln_context_destroy(context);
}

static void diagnostics_own_what_they_show(void **state) {
  (void)state;
  kiln_context *context;
  assert_int_equal(kiln_context_create(NULL, &context), KILN_OK);
  char name[] = "a.kiln", body[] = "text";
  source gone = {.name = {name, 6}, .text = {body, 4}};
  diag_report(context->diags, DIAG_expected_token, (loc){&gone, 0, 4}, body, name);
  memset(name, '#', 6);
  memset(body, '#', 4);
  assert_renders(context,
                 "a.kiln:1:1: error[1002 expected_token]: expected text, found a.kiln\n"
                 "    1 | text\n"
                 "      | ^~~~\n");
  kiln_context_destroy(context);
}

static void at_most_200_are_kept_and_all_are_counted(void **state) {
  (void)state;
  kiln_context *context;
  assert_int_equal(kiln_context_create(NULL, &context), KILN_OK);
  for (int i = 0; i < 250; i++) diag_report(context->diags, DIAG_out_of_memory, (loc){0});
  assert_int_equal(kiln_diag_count(context), 200);
  assert_int_equal(diag_sink_errors(context->diags), 250);
  assert_non_null(kiln_diag_get(context, 199));
  assert_null(kiln_diag_get(context, 200));
  diag_sink_rewind(context->diags, 10);
  assert_int_equal(kiln_diag_count(context), 10);
  assert_int_equal(diag_sink_errors(context->diags), 60); /* 50 were counted but not kept */
  kiln_diag_clear(context);
  assert_int_equal(kiln_diag_count(context), 0);
  assert_int_equal(diag_sink_errors(context->diags), 0);
  kiln_context_destroy(context);
}

static void count_calls(void *user, const kiln_diag *diag) {
  assert_string_equal(diag->name, "expected_token");
  ++*(int *)user; /* not atomic: the sink lets one call in at a time */
}

static void report_each(void *user, uint64_t begin, uint64_t end, uint32_t worker) {
  (void)worker;
  for (uint64_t i = begin; i < end; i++) diag_report(user, DIAG_expected_token, place_of("end"), "x", "y");
}

static void threads_report_together(void **state) {
  (void)state;
  int calls = 0;
  kiln_context_desc desc = {.diag = count_calls, .diag_user = &calls};
  kiln_context *context;
  assert_int_equal(kiln_context_create(&desc, &context), KILN_OK);
  pool *p = pool_create(context->mem, 4);
  pool_run(p, 150, 1, report_each, context->diags);
  pool_destroy(p);
  assert_int_equal(calls, 150);
  assert_int_equal(kiln_diag_count(context), 150);
  kiln_context_destroy(context);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  fault_alloc fault;
  FAULT_SWEEP(fault) {
    kiln_context_desc desc = {.alloc = fault_alloc_hook, .alloc_user = &fault};
    kiln_context *context;
    if (kiln_context_create(&desc, &context) == KILN_ERROR_MEMORY) {
      assert_null(context);
      continue;
    }
    for (int i = 0; i < 100; i++) diag_report(context->diags, DIAG_expected_token, place_of("end"), "x", "y");
    assert_int_equal(kiln_diag_count(context), 100);
    for (size_t i = 0; i < 100; i++) {
      const kiln_diag *diag = kiln_diag_get(context, i);
      assert_int_equal(diag->code, 1002);
      assert_true(str_is(diag->message, "expected x, found y") || str_is(diag->message, "expected_token"));
      assert_true(kiln_diag_render(context, diag).size > 0);
    }
    kiln_context_destroy(context);
  }
}

static void codes_ascend_and_every_result_has_a_name(void **state) {
  (void)state;
  for (diag_id id = 1; id < DIAG_COUNT; id++) assert_true(diag_code(id) > diag_code(id - 1));
  for (int i = KILN_OK; i <= KILN_ERROR_IO; i++) assert_string_not_equal(kiln_result_name((kiln_result)i), "unknown");
  assert_string_equal(kiln_result_name((kiln_result)999), "unknown");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(positions_count_from_one),
      cmocka_unit_test(line_text_has_no_line_end),
      cmocka_unit_test(rendering_points_at_the_place),
      cmocka_unit_test(rendering_shows_notes_unit_and_hint),
      cmocka_unit_test(underline_stops_at_the_line_end),
      cmocka_unit_test(diagnostics_own_what_they_show),
      cmocka_unit_test(at_most_200_are_kept_and_all_are_counted),
      cmocka_unit_test(threads_report_together),
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(codes_ascend_and_every_result_has_a_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
