/* What a build without the Vulkan half says instead. */
#include "tool/device.h"

static kiln_result refuse(tool *t) {
  diag_report(t->context->diags, DIAG_no_vulkan, (loc){0});
  return KILN_ERROR_UNSUPPORTED;
}

size_t device_list(tool *t, const kiln_device_info **out) {
  *out = NULL;
  t->mild = true;
  refuse(t);
  t->mild = false;
  kiln_diag_clear(t->context); /* said already, and no error of the command's */
  return 0;
}

kiln_result device_execute(job *j, kiln_str select, const run_wish *wish, kiln_array *arrays, kiln_str *name,
                           double *ms) {
  (void)select, (void)wish, (void)arrays, (void)name, (void)ms;
  return refuse(j->tool);
}

kiln_result device_run_kernel(tool *t, kiln_str select, const kiln_kernel *kernel, const kiln_array *arrays,
                              size_t count) {
  (void)select, (void)kernel, (void)arrays, (void)count;
  return refuse(t);
}

kiln_result device_profile(tool *t, const char *written, kiln_profile *out) {
  (void)written, (void)out;
  return refuse(t);
}

kiln_result device_compile(tool *t, const subject *s, const kiln_profile *profile, kiln_program **out) {
  (void)s, (void)profile;
  *out = NULL;
  return refuse(t);
}

/* There is never a program to ask. */
const kiln_program_info *device_program_info(const kiln_program *program) {
  (void)program;
  return NULL;
}
kiln_str device_program_text(kiln_program *program) {
  (void)program;
  return (kiln_str){0};
}
void device_program_close(kiln_program *program) { (void)program; }
