/* Running passes on a bound copy of a kernel. */
#include "tool/pipeline.h"

#include <string.h>

#include "tool/device.h"

kiln_result pipeline_target(tool *t, pass_target *out, kiln_profile *profile) {
  const char *written = args_value(t, "--for");
  kiln_profile own;
  if (!profile) profile = &own;
  *out = (pass_target){.kind = P_HOST};
  if (!written || strcmp(written, "host") == 0) return KILN_OK;
  kiln_result result = device_profile(t, written, profile);
  if (result != KILN_OK) return result;
  kiln_units units;
  if (!units_options(t, &units, profile)) return KILN_ERROR_INVALID;
  *out = pass_device_target(profile, units);
  return KILN_OK;
}

kiln_result pipeline_run(tool *t, const subject *s, const pass_target *target, pass_id last, pass_dump_fn dump,
                         void *user, ir_module **out) {
  kiln_result result = subject_bind(t, s, out);
  if (result != KILN_OK) return result;
  (*out)->arena.guard = t->arena.guard; /* out of memory ends the command, whatever arena it happens in */
  return pass_run((*out)->kernels[0], target, t->context->diags, last, dump, user);
}
