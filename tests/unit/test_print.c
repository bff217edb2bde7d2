/* Printing is a fixed point: what the printer writes parses to a kernel that prints the same, for every example and for
 * what is easy to get wrong. */
#define _GNU_SOURCE
#include "unit.h"

#include <dirent.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "ir/ir.h"

enum { MOST = 1 << 20 };

static kiln_context *context;

static int make_context(void **state) {
  (void)state;
  return kiln_context_create(NULL, &context) == KILN_OK ? 0 : -1;
}

static int drop_context(void **state) {
  (void)state;
  kiln_context_destroy(context);
  return 0;
}

static kiln_module *parse(kiln_str words) {
  kiln_module *module;
  kiln_result result = kiln_module_parse(context, &(kiln_parse_desc){.text = words}, &module);
  for (size_t i = 0; i < kiln_diag_count(context); i++) {
    kiln_str said = kiln_diag_render(context, kiln_diag_get(context, i));
    print_error("%.*s", STR_FMT(said));
  }
  assert_int_equal(result, KILN_OK);
  return module;
}

static void expect_fixed_point(kiln_str words) {
  kiln_module *first = parse(words), *second = parse(kiln_module_text(first));
  assert_true(str_equal(kiln_module_text(first), kiln_module_text(second)));
  kiln_module_destroy(first);
  kiln_module_destroy(second);
}

/* The body of a kernel as printed, between the head's line and the brace. */
static void expect_body(const char *body, const char *expected) {
  char words[2048];
  int size = snprintf(words, sizeof words, "kernel k(x: f32[8, N], i: i32 prefetch) -> (y: f32[8, N]) {\n%s}\n", body);
  kiln_module *module = parse((kiln_str){words, (size_t)size});
  kiln_str shown = kiln_module_text(module);
  snprintf(words, sizeof words, "%.*s", STR_FMT(shown));
  assert_string_equal(strchr(words, '\n') + 1, expected);
  kiln_module_destroy(module);
  expect_fixed_point((kiln_str){words, shown.size});
}

static int every_text(const char *folder) {
  char path[512], *buffer = malloc(MOST);
  int count = 0;
  snprintf(path, sizeof path, "%s/%s", KILN_SOURCE_DIR, folder);
  DIR *listing = opendir(path);
  assert_non_null(listing);
  for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
    size_t length = strlen(entry->d_name);
    if (length < 5 || strcmp(entry->d_name + length - 5, ".kiln") != 0) continue;
    snprintf(path, sizeof path, "%s/%s/%.200s", KILN_SOURCE_DIR, folder, entry->d_name);
    FILE *file = fopen(path, "rb");
    expect_fixed_point((kiln_str){buffer, fread(buffer, 1, MOST, file)});
    fclose(file);
    count++;
  }
  closedir(listing);
  free(buffer);
  return count;
}

static void examples_are_fixed_points(void **state) {
  (void)state;
  assert_in_range(every_text("examples"), 10, 1000);
  assert_in_range(every_text("tests/fuzz/corpus/parse"), 10, 10000);
}

static void names_stay_apart(void **state) {
  (void)state;
  expect_body(
      "when i[...] > 0 { let a = x[...] y[...] = a }\nlet a_1 = x[...]\nlet a = a_1 + 1.0\nlet t0 = a\ny[...] = t0 + "
      "a_1\n",
      "  let t0 = i[...]\n  let t1 = t0 > 0\n  when t1 {\n    let a = x[...]\n    y[...] = a\n  }\n  let a_1 = x[...]\n"
      "  let a_2 = a_1 + 1.0\n  let t2 = a_2 + a_1\n  y[...] = t2\n}\n");
}

static void literals_read_back(void **state) {
  (void)state;
  expect_body(
      "y[...] = x[...] * 0.1 + -0.0\ny[0, :] = inf\ny[1, :] = -nan\ny[2, :] = 1e30 + f32(16777216)\n",
      "  let t0 = x[...]\n  let t1 = t0 * 0.1\n  let t2 = t1 + -0.0\n  y[...] = t2\n  y[0, :] = inf\n  y[1, :] = -nan\n"
      "  let t3 = f32(1e+30) + f32(16777216.0)\n  let t4 = broadcast(t3, shape: [N])\n  y[2, :] = t4\n}\n");
}

static void awkward_index_parts(void **state) {
  (void)state;
  expect_body("let mask = i[...]\nlet other = mask + 1\ny[(mask) : 2, (other) : 3 : 2] = 0.0\ny[mask, other] = 1.0\n",
              "  let mask = i[...]\n  let other = mask + 1\n  y[(mask) : 2, (other) : 3 : 2] = 0.0\n  y[mask, other] = "
              "1.0\n}\n");
}

static void maps_in_several_steps(void **state) {
  (void)state;
  expect_fixed_point(
      STR("func f(a) { return a * a }\nfunc g(a) { return f(f(f(f(a)))) }\n"
          "kernel k(x: f32[8, 8], n: i32[8] prefetch) -> (y: f32[8, 8]) {\n"
          "  grid i: 2, j: 2\n  block x (4, 4) at (g(i), n[j + 1] / 2)\n  block y (4, _) at (i, 0)\n"
          "  y[...] = x[:, 0]\n}\n"));
}

static void the_machine_is_kept(void **state) {
  (void)state;
  expect_body("machine tpu\nscratch s: f32[8, N] in vmem\ns[...] = x[...]\ny[...] = s[...]\n",
              "  machine tpu\n\n  scratch s: f32[8, N] in vmem\n  let t0 = x[...]\n  s[...] = t0\n  let t1 = s[...]\n"
              "  y[...] = t1\n}\n");
}

static void scopes_with_and_without_results(void **state) {
  (void)state;
  expect_body(
      "let (a, b) = scope { scratch s: f32[8, N] s[...] = x[...] yield s[...], s[0, :] }\nscope { y[...] = a + b }\n",
      "  let (a, b) = scope {\n    scratch s: f32[8, N] in smem\n    let t0 = x[...]\n    s[...] = t0\n"
      "    let t1 = s[...]\n    let t2 = s[0, :]\n    yield t1, t2\n  }\n  scope {\n"
      "    let t3 = broadcast(b, shape: [8, N])\n    let t4 = a + t3\n    y[...] = t4\n  }\n}\n");
}

static void what_units_tell_each_other(void **state) {
  (void)state;
  expect_fixed_point(
      STR("kernel k(x: f32[2, M, 3]) -> (y: f32[2, M, 3]) {\n  machine gpu\n  grid g: M / 2 parallel\n"
          "  threads t: 2\n  devices v: 2\n  cluster c: 2, d: M\n"
          "  scratch s: f32[M, 3]\n  scratch full: barrier[2, 3] arrivals 2 tensor open\n  scratch all: barrier across "
          "c, d "
          "leader\n  scratch n: semaphore[4] in gmem\n  scratch acc: f32[3, 3] in acc\n  scratch one: barrier\n"
          "  arrive full[t, 0]\n  wait full[0, t]\n  wait n[t] by t + 1 keep\n  signal n[0] by 3 at 1 - v\n"
          "  let done = test all\n  let left = count n[3]\n  let far = peer s at 1 - c, 0\n"
          "  copy x[v, :, :] -> far arrive one across c split when done\n  copy s -> y[0, :, :] by max open\n"
          "  commit smem\n  commit copies\n  commit tmem\n  commit mma arrive one across d\n"
          "  await copies 1 sources\n  await loads left\n  await mma 0\n  await tmem\n"
          "  mma acc, s[0 : 3, :], s[0 : 3, :] accumulate done arrive one\n  mma acc, s[0 : 3, :] , far[0 : 3, :]\n"
          "  warps w { when w == 0 { arrive one } }\n}\n"));
}

/* A German embedder's decimal comma must neither be read nor written. */
static void the_locale_does_not_matter(void **state) {
  (void)state;
  const char *names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
  const char *found = NULL;
  for (size_t i = 0; i < sizeof names / sizeof *names && !found; i++) found = setlocale(LC_NUMERIC, names[i]);
  if (!found) {
    puts("SKIP the_locale_does_not_matter: no locale with a decimal comma is installed here");
    skip();
  }
  expect_body("y[...] = 1.25\n", "  y[...] = 1.25\n}\n");
  setlocale(LC_NUMERIC, "C");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(examples_are_fixed_points),
      cmocka_unit_test(names_stay_apart),
      cmocka_unit_test(scopes_with_and_without_results),
      cmocka_unit_test(literals_read_back),
      cmocka_unit_test(awkward_index_parts),
      cmocka_unit_test(maps_in_several_steps),
      cmocka_unit_test(the_machine_is_kept),
      cmocka_unit_test(what_units_tell_each_other),
      cmocka_unit_test(the_locale_does_not_matter),
  };
  return cmocka_run_group_tests(tests, make_context, drop_context);
}
