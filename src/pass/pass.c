/* The runner: the rows of passes.def, one after the other. */
#include "pass/pass.h"

#include "base/config.h"
#include "model/machine.h"

typedef struct pass_info {
  const char *name, *doc;
  uint32_t targets;
  bool (*run)(pass_ctx *c);
} pass_info;

static const pass_info passes[PASS_COUNT] = {
#define PASS(id, function, targets, doc) [PASS_##id] = {#id, doc, targets, function},
#include "pass/passes.def"
#undef PASS
};

const char *pass_name(pass_id id) { return passes[id].name; }
const char *pass_doc(pass_id id) { return passes[id].doc; }

bool pass_find(kiln_str name, pass_id *out) {
  for (uint32_t id = 0; id < PASS_COUNT; id++)
    if (str_is(name, passes[id].name)) return *out = (pass_id)id, true;
  return false;
}

/* A wrong kernel after a pass is our mistake: name the pass beside what the verifier says. */
static bool check_after(const pass_ctx *c, pass_id id) {
  if (ir_verify(c->kernel, c->diags) && ir_verify_types(c->kernel, c->diags)) return true;
  diag_report(c->diags, DIAG_broken_by_pass, c->kernel->loc, pass_name(id), STR_FMT(c->kernel->name));
  return false;
}

/* What the target has no way to run is refused before anything is done. */
static bool refuse_op(void *user, ir_op *op) {
  const pass_ctx *c = user;
  const bool host = c->target->kind == P_HOST;
  const ir_op_info *info = ir_op_get(op->code);
  const char *why = host ? info->no_host : info->no_device;
  if (why) diag_report(c->diags, DIAG_no_way_to_run, op->loc, host ? "the host" : "devices", info->text, why);
  return !why;
}

/* Teams run where their units can tell one another anything. */
static bool can_run(pass_ctx *c) {
  const bool host = c->target->kind == P_HOST;
  const ir_op_info *arrive = ir_op_get(IR_arrive);
  const char *why = host ? arrive->no_host : arrive->no_device;
  if (c->kernel->team_count == 0 || !why) return ir_walk(c->kernel->body, refuse_op, c);
  const ir_team *team = &c->kernel->teams[0];
  diag_report(c->diags, DIAG_no_way_to_run, team->loc, host ? "the host" : "devices", ir_team_name(team->level), why);
  return false;
}

kiln_result pass_run(ir_kernel *kernel, const pass_target *target, diag_sink *diags, pass_id last, pass_dump_fn dump,
                     void *user) {
  pass_ctx c = {kernel, target, diags};
  size_t errors = diag_sink_errors(diags);
  bool checks = config_checks(1, diags);
  machine_kind kind;
  if (!machine_of_kernel(kernel, diags, &kind)) return KILN_ERROR_INVALID;
  if (!can_run(&c)) return KILN_ERROR_UNSUPPORTED;
  const uint32_t wanted = target->kind | (ir_is_crew(kernel) ? P_CREW : 0);
  for (uint32_t id = 0; id < PASS_COUNT && id <= (uint32_t)last; id++) {
    if ((passes[id].targets & wanted) != wanted) continue;
    bool changed = passes[id].run(&c);
    if (diag_sink_errors(diags) > errors || (changed && checks && !check_after(&c, (pass_id)id)))
      return diag_sink_result(diags);
    if (dump) dump(user, (pass_id)id, kernel);
  }
  return KILN_OK;
}
