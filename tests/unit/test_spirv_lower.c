/* Kernels compiled for every profile: valid modules, and the shape that the lowering promises. What they compute is
 * tested by tests/run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "fault_alloc.h"
#include "kiln/spirv.h"

static const char *const profiles[] = {"baseline",   "swiftshader", "lavapipe4", "lavapipe8",
                                       "lavapipe16", "gpu32",       "gpu64"};
#define PROFILE_COUNT (sizeof profiles / sizeof profiles[0])

typedef struct compiled {
  kiln_context *context;
  kiln_module *module;
  kiln_program *program;
  kiln_result result;
} compiled;

static compiled compile_for(const char *kernel, const kiln_profile *profile) {
  compiled c = {0};
  const kiln_compile_desc desc = {.validate = true, .profile = *profile};
  assert_int_equal(kiln_context_create(NULL, &c.context), KILN_OK);
  assert_int_equal(kiln_module_parse(c.context, &(kiln_parse_desc){.text = str_from(kernel)}, &c.module), KILN_OK);
  c.result = kiln_compile(c.context, kiln_module_kernel(c.module, 0), &desc, &c.program);
  return c;
}

static compiled compile(const char *kernel, const char *name) {
  kiln_profile profile;
  assert_int_equal(kiln_profile_find(str_from(name), &profile), KILN_OK);
  return compile_for(kernel, &profile);
}

static void finish(compiled *c) {
  kiln_program_destroy(c->program);
  kiln_module_destroy(c->module);
  kiln_context_destroy(c->context);
}

static size_t count(compiled *c, const char *word) {
  kiln_str listing = kiln_program_text(c->program);
  size_t size = strlen(word), found = 0;
  for (size_t i = 0; i + size <= listing.size; i++) found += memcmp(listing.data + i, word, size) == 0;
  return found;
}

static bool has(compiled *c, const char *word) { return count(c, word) > 0; }

/* Whole rows in registers: no shared memory, no barrier, several units to a workgroup. */
static void rows_need_no_barrier(void **unused) {
  (void)unused;
  for (size_t i = 0; i < PROFILE_COUNT; i++) {
    compiled c = compile(
        "kernel k(x: f32[64, 256]) -> (y: f32[64, 256]) {\n  grid i: 8 parallel\n  block x (8, 256) at (i, 0)\n"
        "  block y (8, 256) at (i, 0)\n  let v = x[...]\n  y[...] = v / sum(v, axis: 1, keep)\n}\n",
        profiles[i]);
    assert_int_equal(c.result, KILN_OK);
    const kiln_program_info *info = kiln_program_get(c.program);
    assert_int_equal(info->shared_memory, 0);
    assert_int_equal(info->binding_count, 2);
    assert_int_equal(info->bindings[0].size, 64 * 256 * 4);
    assert_true(info->bindings[1].written && !info->bindings[0].written);
    assert_int_equal(info->workgroup_size, info->units_per_workgroup * info->subgroup_size);
    assert_false(has(&c, "OpControlBarrier"));
    assert_true(has(&c, "OpGroupNonUniformFAdd"));
    finish(&c);
  }
}

/* A product keeps its sums in registers: the only stores are those of the result, all of whole vectors. */
static void products_stay_in_registers(void **unused) {
  (void)unused;
  for (size_t i = 0; i < PROFILE_COUNT; i++) {
    compiled c =
        compile("kernel k(a: f32[64, 64], b: f32[64, 64]) -> (c: f32[64, 64]) {\n  c[...] = dot(a[...], b[...])\n}\n",
                profiles[i]);
    assert_int_equal(c.result, KILN_OK);
    assert_false(has(&c, "Workgroup__arr"));
    assert_false(has(&c, "Function\n"));
    finish(&c);
  }
}

/* A tile that one lane computes and another needs goes through memory, with one unit to a workgroup. */
static void exchange_takes_a_barrier(void **unused) {
  (void)unused;
  compiled c = compile(
      "kernel k(x: f32[32, 32]) -> (y: f32[32, 32]) {\n  scratch s: f32[32, 32] in smem\n  s[...] = x[...]\n"
      "  for i in 0 .. 2 { s[...] = transpose(s[...]) + 1.0 }\n  y[...] = s[...]\n}\n",
      "lavapipe8");
  assert_int_equal(c.result, KILN_OK);
  assert_true(has(&c, "OpControlBarrier"));
  assert_int_equal(kiln_program_get(c.program)->units_per_workgroup, 1);
  finish(&c);
}

/* A tile in registers that is wanted in other lanes gets there by shuffles; the same order in memory needs none. */
static void conversions_stay_in_registers(void **unused) {
  (void)unused;
  static const struct {
    const char *value;
    bool moves;
  } rows[] = {{"transpose(t)", true},
              {"reverse(t, axes: [0, 1])", true},
              {"reshape(reshape(t, shape: [4, 16]), shape: [8, 8])", false}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (size_t k = 2; k < 5; k++) {
      char kernel[256];
      snprintf(kernel, sizeof kernel,
               "kernel k(x: f32[8, 8]) -> (y: f32[8, 8]) {\n  y[...] = for i in 0 .. 9 with (t = x[...]) { yield %s + "
               "1.0 }\n}\n",
               rows[i].value);
      compiled c = compile(kernel, profiles[k]);
      assert_int_equal(c.result, KILN_OK);
      assert_false(has(&c, "OpControlBarrier"));
      assert_int_equal(has(&c, "OpGroupNonUniformShuffle"), rows[i].moves);
      finish(&c);
    }
}

/* Writes that may fall outside ask for spare words behind the array; edges are masked without branches. */
static void ragged_edges_ask_for_spare_words(void **unused) {
  (void)unused;
  compiled c = compile(
      "kernel k(x: f32[61]) -> (y: f32[61]) {\n  grid i: 2 parallel\n  block x (32) at (i)\n  block y (32) at (i)\n"
      "  y[...] = x[...] + 1.0\n}\n",
      "baseline");
  assert_int_equal(c.result, KILN_OK);
  const kiln_program_info *info = kiln_program_get(c.program);
  assert_int_equal(info->bindings[0].size, 256);
  assert_int_equal(info->bindings[1].size, 272);
  finish(&c);
}

/* Where masks cost and the grid is large, interior blocks have a copy of the body without them. */
static void interior_blocks_have_no_masks(void **unused) {
  (void)unused;
  static const struct {
    const char *size;
    bool two_copies;
  } rows[] = {{"f32[4096]", false}, {"f32[4095]", true}, {"f32[131]", false}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char kernel[256];
    snprintf(kernel, sizeof kernel,
             "kernel k(x: %s) -> (y: %s) {\n  grid i: %s parallel\n  block x (32) at (i)\n  block y (32) at (i)\n"
             "  y[...] = x[...] + 1.0\n}\n",
             rows[i].size, rows[i].size, i < 2 ? "128" : "5");
    compiled c = compile(kernel, "baseline");
    assert_int_equal(c.result, KILN_OK);
    assert_int_equal(has(&c, "OpCopyObject"), rows[i].two_copies);
    assert_int_equal(has(&c, "OpSelect "), i > 0);
    finish(&c);
  }
}

/* An elementary function is written once, whatever the types that are computed in f32, and called for every element. */
static void formulas_are_functions(void **unused) {
  (void)unused;
  compiled c = compile(
      "kernel k(x: f32[128], h: f16[128]) -> (y: f32[128], g: f16[128]) {\n  y[...] = exp(exp(x[...]))\n"
      "  g[...] = exp(h[...])\n}\n",
      "gpu32");
  assert_int_equal(c.result, KILN_OK);
  assert_int_equal(count(&c, "OpFunction "), 2);
  assert_int_equal(count(&c, "OpFunctionCall "), 3 * 4);
  assert_int_equal(count(&c, " NoContraction"), count(&c, "OpFMul ") + count(&c, "OpFAdd ") + count(&c, "OpFSub "));
  finish(&c);
}

/* Formulas of f64 work on its bits: a device with f64 alone has none. */
static void formulas_need_whole_numbers(void **unused) {
  (void)unused;
  compiled c = {0};
  kiln_compile_desc desc = {.validate = true};
  const char *kernel = "kernel k(x: f64[8]) -> (y: f64[8]) {\n  y[...] = exp(x[...])\n}\n";
  assert_int_equal(kiln_context_create(NULL, &c.context), KILN_OK);
  assert_int_equal(kiln_profile_find(STR("gpu32"), &desc.profile), KILN_OK);
  assert_int_equal(kiln_module_parse(c.context, &(kiln_parse_desc){.text = str_from(kernel)}, &c.module), KILN_OK);
  for (int i = 0; i < 2; i++) {
    desc.profile.f64 = true;
    desc.profile.i64 = i;
    c.result = kiln_compile(c.context, kiln_module_kernel(c.module, 0), &desc, &c.program);
    assert_int_equal(c.result, i ? KILN_OK : KILN_ERROR_UNSUPPORTED);
  }
  finish(&c);
}

/* A wrong kernel, a limit and what a device cannot do are told apart, whichever stage finds it. */
static void refusals_say_what_they_are(void **unused) {
  (void)unused;
  static const struct {
    const char *kernel;
    kiln_result result;
    const char *name;
  } rows[] = {
      {"kernel k(x: f64[8]) -> (y: f64[8]) {\n  y[...] = x[...] + x[...]\n}\n", KILN_ERROR_UNSUPPORTED,
       "spirv_no_64_bit"},
      {"kernel k(x: f32[8], a: f32[8], b: f32[8], c: f32[8]) -> (y: f32[8]) {\n  y[...] = x[...]\n}\n",
       KILN_ERROR_LIMIT, "spirv_too_many_params"},
      {"kernel k(x: f32[8]) -> (y: f32[8]) {\n  grid i: 70000 parallel, j: 70000 parallel\n  block y (1) at (i)\n"
       "  y[...] = x[0 : 1]\n}\n",
       KILN_ERROR_LIMIT, "spirv_grid_limit"},
      {"kernel k(x: f32[8]) -> (y: f32[8]) {\n  scratch s: f32[16384, 8192] in gmem\n  s[0, 0 : 8] = x[...]\n"
       "  y[...] = s[0, i32(x[0]) : 8]\n}\n",
       KILN_ERROR_LIMIT, "spirv_scratch_limit"},
      {"kernel k(x: f32[8]) -> (y: f32[8]) {\n  scratch s: f32[8] in vmem\n  scratch t: f32[8] in acc\n  s[3] = x[0]\n"
       "  t[3] = x[1]\n  y[...] = s[...] + t[...]\n}\n",
       KILN_ERROR_INVALID, "space_of_other_machine"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    compiled c = compile(rows[i].kernel, "baseline");
    assert_int_equal(c.result, rows[i].result);
    assert_string_equal(kiln_diag_get(c.context, 0)->name, rows[i].name);
    finish(&c);
  }
}

/* 1,024 calls of a formula in a row. */
static const char long_code[] =
    "func two(v) { return exp(exp(v) - max(v)) }\nfunc eight(v) { return two(two(two(two(v)))) }\n"
    "kernel k(x: f32[8, 16]) -> (y: f32[8, 16]) {\n  y[...] = eight(eight(eight(eight(x[...]))))\n}\n";

/* Only where a compiler can hold so many values and no more. */
static void long_code_comes_in_pieces(void **unused) {
  (void)unused;
  kiln_profile profile = {.max_values = 1 << 15};
  compiled c = compile_for(long_code, &profile);
  assert_int_equal(c.result, KILN_OK);
  assert_in_range(count(&c, "OpLoopMerge"), 5, 20);
  finish(&c);
  c = compile_for(long_code, &(kiln_profile){0});
  assert_false(has(&c, "OpLoopMerge"));
  finish(&c);
}

/* Pieces are eighths of what may be held; the tile alone has 32 values a lane, and each round all of them anew. */
static void what_a_compiler_cannot_hold_is_refused(void **unused) {
  (void)unused;
  static const struct {
    uint32_t most;
    bool fits;
  } rows[] = {{64, false}, {1024, false}, {8192, true}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    compiled c = compile_for(long_code, &(kiln_profile){.max_values = rows[i].most});
    assert_int_equal(c.result, rows[i].fits ? KILN_OK : KILN_ERROR_LIMIT);
    if (!rows[i].fits) assert_string_equal(kiln_diag_get(c.context, 0)->name, "spirv_too_many_values");
    finish(&c);
  }
}

static void every_allocation_may_fail(void **unused) {
  (void)unused;
  static const char kernel[] =
      "kernel k(x: f32[9]) -> (y: f32[9]) {\n  scratch s: f32[9]\n  s[0 : 3] = exp(x[0 : 3])\n"
      "  for i in 0 .. 3 { s[...] = s[...] + 1.0 }\n  y[...] = s[...] / sum(s[...])\n}\n";
  fault_alloc fault;
  FAULT_SWEEP(fault) {
    compiled c = {0};
    kiln_context_desc desc = {.alloc = fault_alloc_hook, .alloc_user = &fault};
    kiln_result result = kiln_context_create(&desc, &c.context);
    if (!result) result = kiln_module_parse(c.context, &(kiln_parse_desc){.text = str_from(kernel)}, &c.module);
    if (!result) result = kiln_compile(c.context, kiln_module_kernel(c.module, 0), &(kiln_compile_desc){0}, &c.program);
    assert_int_equal(result, fault.calls < fault.fail_at ? KILN_OK : KILN_ERROR_MEMORY);
    finish(&c);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_need_no_barrier),          cmocka_unit_test(products_stay_in_registers),
      cmocka_unit_test(exchange_takes_a_barrier),      cmocka_unit_test(ragged_edges_ask_for_spare_words),
      cmocka_unit_test(conversions_stay_in_registers), cmocka_unit_test(interior_blocks_have_no_masks),
      cmocka_unit_test(formulas_are_functions),        cmocka_unit_test(formulas_need_whole_numbers),
      cmocka_unit_test(refusals_say_what_they_are),    cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(long_code_comes_in_pieces),     cmocka_unit_test(what_a_compiler_cannot_hold_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
