/* What the units of a machine tell one another, as text. */
#include "ir/attrs.h"
#include "ir/text/print.h"

static void put(printer *p, const char *words) { text_add(p->text, str_from(words)); }

static void put_operand(printer *p, const char *words, const ir_op *op, uint32_t operand) {
  put(p, words);
  print_weak(p, op->operands[operand]);
}

/* Axes of the cluster. */
static void print_across(printer *p, uint32_t across) {
  const ir_team_axes axes = ir_team_axes_of(p->kernel, IR_TEAM_CLUSTER);
  const char *before = " across ";
  for (uint32_t i = 0; i < axes.count; i++) {
    if (!(across >> i & 1)) continue;
    text_format(p->text, "%s%.*s", before, STR_FMT(axes.at[i].name));
    before = ", ";
  }
}

void print_teams(printer *p) {
  const ir_kernel *k = p->kernel;
  for (uint32_t i = 0; i < k->team_count; i++) {
    const ir_team *team = &k->teams[i];
    bool first = i == 0 || k->teams[i - 1].level != team->level;
    if (first) text_format(p->text, "%s  %s ", i ? "\n" : "", ir_team_name(team->level));
    text_format(p->text, "%s%.*s: ", first ? "" : ", ", STR_FMT(team->name));
    ir_dim_print(p->text, team->extent);
  }
  if (k->team_count > 0) put(p, "\n");
}

void print_sync_scratch(printer *p, const ir_op *op) {
  const ir_attrs *a = op->attrs;
  if (a->kind == IR_SEMAPHORE && a->space != IR_SPACE_SMEM) text_format(p->text, " in %s", ir_space_name(a->space));
  if (a->kind == IR_BARRIER && a->arrivals != 1) text_format(p->text, " arrivals %u", a->arrivals);
  if (a->tensor) put(p, " tensor");
  if (a->kind == IR_BARRIER && a->open) put(p, " open");
  print_across(p, a->across);
  if (a->leader) put(p, " leader");
}

static void print_copy(printer *p, const ir_op *op) {
  const ir_attrs *a = op->attrs;
  uint32_t next = 2;
  put_operand(p, "", op, 0);
  put_operand(p, " -> ", op, 1);
  if (a->arrives) put_operand(p, " arrive ", op, next++);
  if (a->combine) text_format(p->text, " by %s", ir_attr_word_text(ATTR_ID_atomic, a->combine));
  if (a->open) put(p, " open");
  print_across(p, a->across);
  if (a->way) text_format(p->text, " %s", ir_attr_word_text(ATTR_ID_way, a->way));
  if (a->guarded) put_operand(p, " when ", op, next);
}

static void print_mma(printer *p, const ir_op *op) {
  const ir_attrs *a = op->attrs;
  uint32_t next = 3;
  for (uint32_t i = 0; i < 3; i++) put_operand(p, i ? ", " : "", op, i);
  if (a->accumulates) put_operand(p, " accumulate ", op, next++);
  if (a->arrives) put_operand(p, " arrive ", op, next++);
  if (a->scaled) put_operand(p, " scale ", op, next++);
  if (a->scaled) put_operand(p, ", ", op, next++);
  if (a->sparse) put_operand(p, " sparse ", op, next);
  print_across(p, a->across);
}

static void print_what(printer *p, const ir_op *op) {
  put(p, ir_attr_word_text(ATTR_ID_what, op->attrs->what));
  if (op->operand_count > 0) put_operand(p, op->code == IR_commit ? " arrive " : " ", op, 0);
  print_across(p, op->attrs->across);
  if (op->attrs->sources) put(p, " sources");
}

static void print_signal(printer *p, const ir_op *op) {
  put_operand(p, "", op, 0);
  if (op->operand_count > 1) put_operand(p, " by ", op, 1);
  if (op->operand_count > 2) put_operand(p, " at ", op, 2);
  if (op->attrs->keep) put(p, " keep");
}

static void print_claim(printer *p, const ir_op *op) {
  put_operand(p, "", op, 0);
  put_operand(p, " arrive ", op, 1);
}

static void print_peer(printer *p, const ir_op *op) {
  for (uint32_t i = 0; i < op->operand_count; i++) put_operand(p, i == 0 ? "" : i == 1 ? " at " : ", ", op, i);
}

bool print_sync(printer *p, const ir_op *op) {
  if (!ir_is_of_units(op->code)) return false;
  text_format(p->text, "%s ", ir_op_get(op->code)->text);
  switch (op->code) {
    case IR_copy: print_copy(p, op); break;
    case IR_mma: print_mma(p, op); break;
    case IR_commit:
    case IR_await: print_what(p, op); break;
    case IR_claim: print_claim(p, op); break;
    case IR_peer: print_peer(p, op); break;
    default: print_signal(p, op);
  }
  return true;
}
