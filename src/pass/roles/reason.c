/* Why the units of a kernel stay what they are: each way that is tried adds its reason, which the kernel then says. */
#include "pass/roles/phase.h"
#include "pass/roles/roles.h"

static bool add_reason(ir_kernel *k, loc at, kiln_str why) {
  k->units = str_format(&k->module->arena, "%.*s%s%.*s", STR_FMT(k->units), k->units.size ? "; " : "", STR_FMT(why));
  k->units_at = at;
  return false;
}

bool roles_decline(roles *r, loc at, const char *format, ...) {
  va_list args;
  if (r->declined) return false;
  r->declined = true;
  va_start(args, format);
  const kiln_str why = str_formatv(r->arena, format, args);
  va_end(args);
  return add_reason(r->kernel, at, why);
}

bool phase_decline(const phasing *p, loc at, const char *why) {
  const char *way = p->spins ? "wait for one another" : "take turns";
  return add_reason(p->c->kernel, at, str_format(p->arena, "roles cannot %s: %s", way, why));
}
