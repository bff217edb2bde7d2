/* Compiles a launch for a profile and validates the module, for devices that are not here: nothing runs. */
#include "ktest.h"

static kiln_result compile(const executor *e, const launch *l, bool check) {
  (void)check;
  kiln_compile_desc desc = {.sizes = l->sizes, .size_count = l->size_count, .profile = e->profile, .validate = true};
  kiln_program *program = NULL;
  kiln_result result = kiln_compile(l->context, l->kernel, &desc, &program);
  kiln_program_destroy(program);
  return result;
}

bool executor_profile_open(kiln_str name, executor *out) {
  *out = (executor){.name = name, .compiles_only = true, .run = compile};
  if (kiln_profile_find(name, &out->profile) != KILN_OK) return false;
  out->f64 = out->profile.f64;
  out->i64 = out->profile.i64;
  out->i64_atomics = out->profile.i64_atomics;
  return true;
}
