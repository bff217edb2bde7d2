/* What `kiln plan` reports of a workgroup's memory is what the module declares, and scratch lies where pass
 * place_memory puts it: dead room is used again, and what does not fit goes to a slice of a buffer. */
#include "unit.h"

#include <spirv/unified1/spirv.h>

#include "base/context.h"
#include "kiln/spirv.h"
#include "pass/plan/plan.h"

static const char *const profiles[] = {"baseline", "swiftshader", "lavapipe4", "lavapipe16", "gpu32", "gpu64"};

typedef struct report {
  uint64_t declared;      /* bytes of the module's Workgroup variables */
  uint64_t shared, kept;  /* the plan's, and of these for tiles */
  uint64_t total, limit;  /* of the shared space: as if no room were used twice */
  uint64_t slice, buffer; /* of global memory: placed; in the module's binding for all workgroups */
} report;

/* The one Workgroup variable is an array of words. */
static uint64_t workgroup_bytes(const kiln_program_info *info) {
  enum { IDS = 1 << 16 };
  static uint32_t pointee[IDS], length[IDS], value[IDS];
  uint64_t bytes = 0;
  assert_true(info->words[3] <= IDS); /* the bound of ids */
  for (size_t at = 5; at < info->word_count; at += info->words[at] >> SpvWordCountShift) {
    const uint32_t *op = info->words + at;
    switch ((SpvOp)(op[0] & SpvOpCodeMask)) {
      case SpvOpTypePointer: pointee[op[1]] = op[3]; break;
      case SpvOpTypeArray: length[op[1]] = op[3]; break;
      case SpvOpConstant: value[op[2]] = op[3]; break;
      case SpvOpVariable:
        if (op[3] == SpvStorageClassWorkgroup) bytes += 4 * (uint64_t)value[length[pointee[op[1]]]];
        break;
      default: break;
    }
  }
  return bytes;
}

static void read_plan(kiln_context *context, const kiln_kernel *kernel, const kiln_profile *profile, report *out) {
  ir_module *bound;
  jmp_buf guard;
  plan p;
  pass_target target = {.kind = P_SPIRV, .lanes = profile->subgroup_size, .shared_memory = profile->shared_memory};
  assert_int_equal(ir_bind(context, kernel, NULL, 0, NULL, 0, &bound), KILN_OK);
  assert_true(ARENA_GUARD(&bound->arena, guard));
  assert_true(plan_make(&bound->arena, bound->kernels[0], &target, context->diags, &p));
  p.kept_bytes = out->kept;
  out->shared = plan_shared_bytes(&p);
  for (uint32_t i = 0; i < p.memory.report.use_count; i++) {
    const alloc_use *use = &p.memory.report.uses[i];
    if (use->space == machine_info_of(p.machine)->shared) out->total = use->total, out->limit = use->limit;
    if (use->space == machine_info_of(p.machine)->global && use->owner != 0) out->slice = use->peak;
  }
  ir_module_destroy(bound);
}

static report compile(const char *kernel, const char *name) {
  kiln_context *context;
  kiln_module *module;
  kiln_program *program;
  kiln_compile_desc desc = {.validate = true};
  assert_int_equal(kiln_context_create(NULL, &context), KILN_OK);
  assert_int_equal(kiln_profile_find(str_from(name), &desc.profile), KILN_OK);
  assert_int_equal(kiln_module_parse(context, &(kiln_parse_desc){.text = str_from(kernel)}, &module), KILN_OK);
  assert_int_equal(kiln_compile(context, kiln_module_kernel(module, 0), &desc, &program), KILN_OK);
  const kiln_program_info *info = kiln_program_get(program);
  report r = {.declared = workgroup_bytes(info), .kept = info->kept_memory};
  for (size_t i = 0; i < info->binding_count; i++)
    if (info->bindings[i].kind == KILN_BINDING_SCRATCH) r.buffer = info->bindings[i].size / info->max_workgroups;
  read_plan(context, kiln_module_kernel(module, 0), &desc.profile, &r);
  assert_int_equal(r.declared, info->shared_memory);
  assert_int_equal(r.declared, r.shared);
  assert_true(r.declared <= desc.profile.shared_memory);
  kiln_program_destroy(program);
  kiln_module_destroy(module);
  kiln_context_destroy(context);
  return r;
}

#define EACH_PROFILE(name) for (size_t i_ = 0; i_ < sizeof profiles / sizeof *profiles && (name = profiles[i_]); i_++)

static void dead_room_is_used_again(void **state) {
  (void)state;
  const char *name;
  EACH_PROFILE(name) {
    report r = compile(
        "kernel k(x: f32[8, 64]) -> (y: f32[8, 64]) {\n grid i: 8 parallel\n block x (1, 64) at (i, 0)\n"
        " block y (1, 64) at (i, 0)\n scratch a: f32[2, 64] in smem\n scratch b: f32[2, 64] in tmem\n"
        " scratch c: bf16[5] in acc\n a[0, :] = x[0, :]\n a[1, :] = a[0, :] * 2.0\n let m = max(a[...])\n"
        " c[0] = bf16(m)\n b[0, :] = x[0, :] + m\n b[1, :] = b[0, :] * f32(c[i32(m)])\n y[0, :] = b[0, :] + b[i32(m), "
        ":]\n}\n",
        name);
    assert_int_equal(r.declared - r.kept, (2 * 64 + 4 + 8 + 4) * 4);
    assert_int_equal(r.total, (2 * (2 * 64 + 4) + 8 + 4) * 4);
    assert_int_equal(r.slice, 0);
  }
}

static void the_spaces_of_a_tpu_are_one_workgroup(void **state) {
  (void)state;
  const char *name;
  EACH_PROFILE(name) {
    report r = compile(
        "kernel k(x: f32[8]) -> (y: f32[8]) {\n machine tpu\n scratch v: f32[8] in vmem\n scratch s: i32[2] in smem\n"
        " s[0] = 3\n v[0 : 4] = x[4 : 4]\n v[4 : 4] = x[0 : 4]\n y[...] = v[...] + v[s[i32(x[0])]]\n}\n",
        name);
    assert_int_equal(r.declared - r.kept, (8 + 4 + 4 + 4) * 4);
  }
}

static void what_does_not_fit_goes_to_a_buffer(void **state) {
  (void)state;
  const char *name;
  EACH_PROFILE(name) {
    report r = compile(
        "kernel k(x: f32[128, 128]) -> (y: f32[128, 128]) {\n scratch large: f32[128, 128] in smem\n"
        " scratch small: f32[128] in smem\n large[0 : 64, :] = x[64 : 64, :]\n large[64 : 64, :] = x[0 : 64, :]\n"
        " small[0 : 64] = large[0, 64 : 64]\n small[64 : 64] = large[1, 0 : 64]\n"
        " for i in 0 .. 128 { y[i, :] = large[:, i] + small[...] }\n}\n",
        name);
    bool fits = r.limit >= (128 * 128 + 4 + 128 + 4) * 4;
    assert_int_equal(r.slice, fits ? 0 : (128 * 128 + 4) * 4);
    assert_true(r.buffer >= r.slice);
    assert_int_equal(r.declared - r.kept, (128 + 4 + (fits ? 128 * 128 + 4 : 0)) * 4);
  }
}

static void kept_tiles_are_counted(void **state) {
  (void)state;
  report r = compile(
      "kernel k(x: f32[32, 32]) -> (y: f32[32, 32]) {\n scratch s: f32[32] in smem\n s[0 : 16] = x[0, 16 : 16]\n"
      " s[16 : 16] = x[1, 0 : 16]\n let v = for i in 0 .. 4 with (v = x[...]) { yield v + transpose(v) }\n"
      " y[...] = v + s[...]\n}\n",
      "lavapipe4");
  assert_true(r.kept > 0);
  assert_int_equal(r.declared - r.kept, (32 + 4) * 4);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(dead_room_is_used_again),
      cmocka_unit_test(the_spaces_of_a_tpu_are_one_workgroup),
      cmocka_unit_test(what_does_not_fit_goes_to_a_buffer),
      cmocka_unit_test(kept_tiles_are_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
