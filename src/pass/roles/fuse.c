/* fuse_roles: the units of a launch become one. What they tell one another is known beforehand, so they are run here,
 * as far as that goes, and their pieces are put into an order in which nobody waits.
 *
 *   threads t: 2
 *   scratch s: f32[2, 8]                               scratch s: f32[2, 8]
 *   scratch full: barrier[2]
 *   scratch empty: barrier[2]
 *   for k in 0 .. 64 {                                 for k in 0 .. 64 {
 *     when t == 0 {
 *       when k > 1 { wait empty[k % 2] }
 *       s[k % 2, :] = x[k, :]                            s[k % 2, :] = x[k, :]
 *       arrive full[k % 2]                  becomes
 *     } else {
 *       wait full[k % 2]
 *       y[k, :] = exp(s[k % 2, :])                       y[k, :] = exp(s[k % 2, :])
 *       arrive empty[k % 2]
 *     }
 *   }                                                  }
 *
 * That order is one that the units could have had, so whatever they may not do in it is said here as the host would say
 * it: a deadlock, an arrival too many. Declined is what depends on data. */
#include "pass/roles/roles.h"

bool roles_decline(roles *r, loc at, const char *format, ...) {
  va_list args;
  if (r->reason.size > 0) return false;
  va_start(args, format);
  r->reason = str_formatv(r->arena, format, args);
  va_end(args);
  r->reason_at = at;
  return false;
}

static bool is_of_units(ir_code code) { return code == IR_scratch || code == IR_view; }

/* Barriers that nobody speaks of, the views of them first. */
static void erase_barriers(pass_ctx *c) {
  const pass_ops ops = pass_collect(c, is_of_units);
  for (size_t i = ops.count; i-- > 0;) {
    const ir_value *made = ops.data[i]->results[0];
    if (made->type.kind > IR_REF && made->uses == 0) ir_erase(ops.data[i]);
  }
}

bool pass_fuse_roles(pass_ctx *c) {
  ir_kernel *k = c->kernel;
  if (!ir_is_crew(k)) return false;
  roles r = {.c = c, .kernel = k, .arena = &k->module->arena};
  const bool fine = roles_make_units(&r) && roles_outline(&r) && roles_follow(&r) && roles_meet(&r) && roles_write(&r);
  k->units = fine ? STR("fused: what they tell one another is known beforehand, so they are one program") : r.reason;
  k->units_at = r.reason_at;
  if (fine) erase_barriers(c);
  return fine;
}
