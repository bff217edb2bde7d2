/* The machine that a kernel is written for, and whether it keeps to the machine's spaces. */
#include "model/machine.h"

typedef struct chooser {
  machine_kind kind;
  diag_sink *diags; /* NULL: only asks */
  bool fits;
} chooser;

/* "a gpu has gmem, smem, .." */
static kiln_str spaces_text(arena *a, machine_kind kind) {
  text t = text_new(a);
  text_format(&t, "a %s has", machine_name(kind));
  const char *between = " ";
  for (uint32_t space = 0; space < SPACE_COUNT; space++) {
    if (space_info_of((space_id)space)->machine != kind) continue;
    text_format(&t, "%s%s", between, space_name((space_id)space));
    between = ", ";
  }
  text_char(&t, '\0');
  return text_str(&t);
}

static void check_ref(chooser *c, ir_module *m, const ir_value *ref, loc at) {
  space_id space;
  if (machine_space(c->kind, ref->type.space, &space)) return;
  c->fits = false;
  if (!c->diags) return;
  diag_extra extra = {.hint = spaces_text(&m->arena, c->kind).data};
  diag_report_with(c->diags, DIAG_space_of_other_machine, at, &extra, STR_FMT(ref->name),
                   ir_space_name(ref->type.space), machine_name(c->kind));
}

typedef struct scratch_walk {
  chooser *chooser;
  ir_module *module;
} scratch_walk;

static bool check_scratch(void *user, ir_op *op) {
  scratch_walk *w = user;
  if (op->code == IR_scratch) check_ref(w->chooser, w->module, op->results[0], op->loc);
  return true;
}

static bool keeps_to(const ir_kernel *k, machine_kind kind, diag_sink *diags) {
  chooser c = {kind, diags, true};
  for (uint32_t i = 0; i < k->param_count; i++) check_ref(&c, k->module, k->params[i].ref, k->params[i].loc);
  ir_walk(k->body, check_scratch, &(scratch_walk){&c, k->module});
  return c.fits;
}

bool machine_of_kernel(const ir_kernel *k, diag_sink *diags, machine_kind *out) {
  *out = (machine_kind)0;
  for (uint32_t kind = 0; kind < MACHINE_KINDS; kind++) {
    bool said = machine_info_of((machine_kind)kind)->named == k->machine;
    if (!said && (k->machine != IR_MACHINE_ANY || !keeps_to(k, (machine_kind)kind, NULL))) continue;
    *out = (machine_kind)kind;
    break;
  }
  return keeps_to(k, *out, diags);
}
