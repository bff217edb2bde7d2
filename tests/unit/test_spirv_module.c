/* Modules written by hand through spirv/module.h validate, deduplicate and carry what was asked for. */
#include "unit.h"

#include <string.h>

#include "spirv/check.h"
#include "spirv/module.h"
#include "spirv/profile.h"

typedef struct fixture {
  spv_module module;
  spv_id data, index; /* the buffer, the invocation's index */
  spv_id function;
} fixture;

/* A compute shader up to its first instruction: a buffer of u32 and the local index. */
static fixture begin(arena *a) {
  fixture made = {0}, *f = &made;
  spv_module *m = &f->module;
  spv_module_init(m, a, true);
  spv_id u32 = spv_type_int(m, 32, false), none = spv_type_void(m);
  f->data = spv_variable(m, SpvStorageClassStorageBuffer, spv_type_buffer(m, u32, 4));
  spv_decorate(m, f->data, SpvDecorationDescriptorSet, SPV_LIST(0));
  spv_decorate(m, f->data, SpvDecorationBinding, SPV_LIST(0));
  spv_name(m, f->data, STR("data"));
  spv_id local = spv_variable(m, SpvStorageClassInput, u32);
  spv_decorate(m, local, SpvDecorationBuiltIn, SPV_LIST(SpvBuiltInLocalInvocationIndex));
  f->function = spv_function_begin(m, none, spv_type_function(m, none, NULL, 0));
  spv_entry(m, f->function, "main", &local, 1);
  spv_mode(m, f->function, SpvExecutionModeLocalSize, SPV_LIST(8, 1, 1));
  spv_function_enter(m);
  f->index = SPV(m, SpvOpLoad, u32, local);
  return made;
}

static spv_words finish(fixture *f) {
  spv_return(&f->module);
  spv_function_end(&f->module);
  return spv_module_finish(&f->module);
}

static spv_words finish_valid(arena *a, fixture *f) {
  spv_words words = finish(f);
  kiln_str message;
  if (!spv_check(a, words.data, words.count, &message)) fail_msg("%.*s", STR_FMT(message));
  return words;
}

static spv_id element(fixture *f, spv_id index) {
  spv_module *m = &f->module;
  spv_id pointer = spv_type_pointer(m, SpvStorageClassStorageBuffer, spv_type_int(m, 32, false));
  return SPV(m, SpvOpAccessChain, pointer, f->data, spv_const_u32(m, 0), index);
}

static void loops_and_branches(void **unused) {
  (void)unused;
  UNIT_ARENA(a);
  fixture f = begin(&a);
  spv_module *m = &f.module;
  spv_id u32 = spv_type_int(m, 32, false), f32 = spv_type_float(m, 32), boolean = spv_type_bool(m);
  spv_loop loop = spv_loop_begin(m);
  spv_id i = spv_loop_phi(m, &loop, u32, spv_const_u32(m, 0)), sum = spv_loop_phi(m, &loop, f32, spv_const_f32(m, 0));
  spv_loop_test(m, &loop, false);
  spv_loop_body(m, &loop, SPV(m, SpvOpULessThan, boolean, i, spv_const_u32(m, 10)));
  spv_if branch = spv_if_begin(m, SPV(m, SpvOpIEqual, boolean, i, f.index));
  spv_id more = SPV_GLSL(m, GLSLstd450Sqrt, f32, spv_const_f32(m, 2));
  spv_if_else(m, &branch);
  spv_if_end(m, &branch);
  spv_id add = spv_if_phi(m, &branch, f32, more, spv_const_f32(m, 1));
  const spv_id next[] = {SPV(m, SpvOpIAdd, u32, i, spv_const_u32(m, 1)), SPV(m, SpvOpFAdd, f32, sum, add)};
  spv_loop_end(m, &loop, next, 2, 0);
  SPV_DO(m, SpvOpStore, element(&f, f.index), SPV(m, SpvOpBitcast, u32, sum));
  spv_words words = finish_valid(&a, &f);
  kiln_str listing = spv_disassemble(&a, words.data, words.count);
  assert_non_null(strstr(str_copy(&a, listing).data, "%data = OpVariable"));
  arena_finish(&a);
}

static void one_id_for_equal_things(void **unused) {
  (void)unused;
  UNIT_ARENA(a);
  fixture f = begin(&a);
  spv_module *m = &f.module;
  spv_id u32 = spv_type_int(m, 32, false);
  assert_int_equal(spv_const_u32(m, 7), spv_const_u32(m, 7));
  assert_int_not_equal(spv_const_u32(m, 7), spv_const_i32(m, 7));
  assert_int_not_equal(spv_const_f32(m, 0.0f), spv_const_f32(m, -0.0f));
  assert_int_equal(spv_type_vector(m, u32, 4), spv_type_vector(m, u32, 4));
  assert_int_not_equal(spv_type_array(m, u32, 4, 4), spv_type_array(m, u32, 4, 16));
  assert_int_equal(spv_type_buffer(m, u32, 4), spv_type_buffer(m, u32, 4));
  spv_capability(m, SpvCapabilityGroupNonUniform);
  size_t before = m->sections[SPV_CAPABILITIES].count;
  spv_capability(m, SpvCapabilityGroupNonUniform);
  assert_int_equal(m->sections[SPV_CAPABILITIES].count, before);
  finish_valid(&a, &f);
  arena_finish(&a);
}

static void wrong_modules_are_told(void **unused) {
  (void)unused;
  UNIT_ARENA(a);
  fixture f = begin(&a);
  SPV_DO(&f.module, SpvOpStore, element(&f, f.index), spv_const_f32(&f.module, 1)); /* a float where a u32 belongs */
  spv_words words = finish(&f);
  kiln_str message = {0};
  assert_false(spv_check(&a, words.data, words.count, &message));
  assert_true(message.size > 10);
  assert_int_equal(spv_disassemble(&a, words.data, 3).size, 0);
  arena_finish(&a);
}

static void profiles_are_found(void **unused) {
  (void)unused;
  kiln_profile profile;
  assert_int_equal(kiln_profile_find(STR("lavapipe16"), &profile), KILN_OK);
  assert_int_equal(profile.subgroup_size, 16);
  assert_int_equal(kiln_profile_find(STR("lavapipe32"), &profile), KILN_ERROR_INVALID);
  profile = spv_profile_resolve(&(kiln_profile){.subgroup_size = 32});
  assert_int_equal(profile.subgroup_size, 32);
  assert_int_equal(profile.max_workgroup_size, 128);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(loops_and_branches),
      cmocka_unit_test(one_id_for_equal_things),
      cmocka_unit_test(wrong_modules_are_told),
      cmocka_unit_test(profiles_are_found),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
