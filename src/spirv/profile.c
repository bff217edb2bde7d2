/* Named profiles, and the baseline that fills what a profile leaves open. */
#include "spirv/profile.h"

#include "base/str.h"

typedef struct named_profile {
  const char *name;
  kiln_profile profile;
} named_profile;

static const named_profile profiles[] = {
#define PROFILE(name, subgroup, workgroup, workgroups, shared, bindings, range, f64, i64, atomics, serial, lockstep, \
                polls, values)                                                                                       \
  {name,                                                                                                             \
   {subgroup, workgroup, workgroups, shared, bindings, range, f64, i64, atomics, serial, lockstep, false, false,     \
    polls, values}},
#include "spirv/profiles.def"
};

kiln_result kiln_profile_find(kiln_str name, kiln_profile *out) {
  for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++)
    if (str_is(name, profiles[i].name)) {
      *out = profiles[i].profile;
      return KILN_OK;
    }
  return KILN_ERROR_INVALID;
}

kiln_profile spv_profile_resolve(const kiln_profile *given) {
  kiln_profile profile = *given;
  const kiln_profile *base = &profiles[0].profile;
  if (!profile.subgroup_size) profile.subgroup_size = base->subgroup_size;
  if (!profile.max_workgroup_size) profile.max_workgroup_size = base->max_workgroup_size;
  if (!profile.max_workgroup_count) profile.max_workgroup_count = base->max_workgroup_count;
  if (!profile.shared_memory) profile.shared_memory = base->shared_memory;
  if (!profile.max_bindings) profile.max_bindings = base->max_bindings;
  if (!profile.max_buffer_range) profile.max_buffer_range = base->max_buffer_range;
  return profile;
}
