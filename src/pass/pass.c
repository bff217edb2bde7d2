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

pass_target pass_device_target(const kiln_profile *profile, kiln_units units) {
  return (pass_target){.kind = P_SPIRV,
                       .lanes = profile->subgroup_size,
                       .shared_memory = profile->shared_memory,
                       .workgroup = profile->max_workgroup_size,
                       .polls = profile->polls < PASS_POLLS_MOST ? profile->polls : PASS_POLLS_MOST,
                       .units = units,
                       .in_turn = profile->serial_subgroups || profile->one_subgroup};
}

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

/* Refused is what devices have no way to run; why its units did not become one is said beside it. */
static bool refuse(const pass_ctx *c, loc at, const char *what, const char *why) {
  const kiln_place note = loc_place(c->kernel->units_at, c->kernel->units);
  const diag_extra extra = {.notes = &note, .note_count = c->kernel->units.size > 0};
  return diag_report_with(c->diags, DIAG_no_way_to_run, at, &extra, what, why), false;
}

static bool refuse_op(void *user, ir_op *op) {
  const ir_op_info *info = ir_op_get(op->code);
  return !info->no_device || refuse(user, op->loc, info->text, info->no_device);
}

/* Devices run one unit: what is left of others behind the last pass that makes one of many, a pass for devices, is
 * refused. */
static bool can_run(pass_ctx *c, pass_id after) {
  if (after != PASS_phase_roles) return true;
  if (!ir_walk(c->kernel->body, refuse_op, c)) return false;
  if (c->kernel->team_count == 0) return true;
  const ir_team *team = &c->kernel->teams[0];
  return refuse(c, team->loc, ir_team_name(team->level), ir_op_get(IR_arrive)->no_device);
}

kiln_result pass_run(ir_kernel *kernel, const pass_target *target, diag_sink *diags, pass_id last, pass_dump_fn dump,
                     void *user) {
  pass_ctx c = {kernel, target, diags};
  size_t errors = diag_sink_errors(diags);
  bool checks = config_checks(1, diags);
  machine_kind kind;
  if (!machine_of_kernel(kernel, diags, &kind)) return KILN_ERROR_INVALID;
  for (uint32_t id = 0; id < PASS_COUNT && id <= (uint32_t)last; id++) {
    const uint32_t wanted = target->kind | (ir_is_crew(kernel) ? P_CREW : 0);
    if ((passes[id].targets & wanted) != wanted) continue;
    bool changed = passes[id].run(&c);
    if (diag_sink_errors(diags) > errors || (changed && checks && !check_after(&c, (pass_id)id)))
      return diag_sink_result(diags);
    if (dump) dump(user, (pass_id)id, kernel);
    if (!can_run(&c, (pass_id)id)) return KILN_ERROR_UNSUPPORTED;
  }
  return KILN_OK;
}
