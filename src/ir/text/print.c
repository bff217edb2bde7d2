/* Kernels as text: heads here, ops in print_op.c. Printing what was parsed from a printed text gives the same text. */
#include "ir/text/print.h"
#include "ir/layout.h"

/* ---- index maps ---- */

/* Whether a value of an index map can be written in place: its op, and those below it, are used once and have an
 * expression. Counts the ops that this covers. */
static bool is_tree(const ir_value *v, uint32_t *covered) {
  const ir_op *op = v->def;
  if (!op || print_inline(v)) return true; /* an axis index, a prefetch parameter, a constant */
  bool plain = ir_op_get(op->code)->form == IR_FORM_MAP || op->code == IR_convert || op->code == IR_load;
  if (v->uses > 1 || !plain) return false;
  ++*covered;
  for (uint32_t i = 0; i < op->operand_count; i++) {
    if (!is_tree(op->operands[i], covered)) return false;
  }
  return true;
}

bool print_map_inline(const ir_region *region) {
  uint32_t covered = 0, lines = 0;
  for (const ir_op *op = region->first; op; op = op->next)
    lines += op->result_count > 0 && !print_inline(op->results[0]);
  for (uint32_t i = 0; i < region->last->operand_count; i++) {
    if (!is_tree(region->last->operands[i], &covered)) return false;
  }
  return covered == lines; /* none is left over */
}

static void print_map(printer *p, const ir_region *region) {
  if (!print_map_inline(region)) {
    text_add(p->text, STR("{\n"));
    p->indent++;
    print_ops(p, region);
    p->indent--;
    text_add(p->text, STR("  }"));
    return;
  }
  text_char(p->text, '(');
  for (uint32_t i = 0; i < region->last->operand_count; i++) {
    const ir_value *v = region->last->operands[i];
    if (i) text_add(p->text, STR(", "));
    if (v->def && !print_inline(v))
      print_expression(p, v->def);
    else
      print_weak(p, v);
  }
  text_char(p->text, ')');
}

/* ---- heads ---- */

static void print_param(printer *p, const ir_param *param) {
  text_format(p->text, "%.*s: ", STR_FMT(param->name));
  ir_type_print(p->text, &param->ref->type);
  if (param->layout.rank) text_char(p->text, ' ');
  if (param->layout.rank) ir_layout_print(p->text, &param->layout);
  if (param->ref->type.space != IR_SPACE_GMEM) text_format(p->text, " in %s", ir_space_name(param->ref->type.space));
  if (param->prefetch) text_add(p->text, STR(" prefetch"));
  if (param->direction == KILN_INOUT) text_add(p->text, STR(" inout"));
  if (param->filled) text_add(p->text, STR(" filled"));
  if (param->alias >= 0) text_format(p->text, " alias %.*s", STR_FMT(p->kernel->params[param->alias].name));
}

static void print_params(printer *p, bool outputs) {
  bool first = true;
  text_char(p->text, '(');
  for (uint32_t i = 0; i < p->kernel->param_count; i++) {
    const ir_param *param = &p->kernel->params[i];
    if ((param->direction == KILN_OUT) != outputs) continue;
    if (!first) text_add(p->text, STR(", "));
    print_param(p, param);
    first = false;
  }
  text_char(p->text, ')');
}

static void print_grid(printer *p) {
  const ir_kernel *k = p->kernel;
  for (uint32_t i = 0; i < k->axis_count; i++) {
    text_format(p->text, "%s%.*s: ", i ? ", " : "  grid ", STR_FMT(k->axes[i].name));
    if (k->axes[i].bound)
      text_add(p->text, p->names[k->axes[i].bound->id]);
    else
      ir_dim_print(p->text, k->axes[i].extent);
    if (k->axes[i].parallel) text_add(p->text, STR(" parallel"));
  }
  if (k->axis_count > 0) text_char(p->text, '\n');
}

static void print_block_header(printer *p, const ir_block *block) {
  text_format(p->text, "  block %.*s (", STR_FMT(p->kernel->params[block->param].name));
  for (uint32_t i = 0; i < block->size.rank; i++) {
    if (i) text_add(p->text, STR(", "));
    if (block->element >> i & 1) text_add(p->text, STR("element "));
    if (block->squeezed >> i & 1)
      text_char(p->text, '_');
    else
      ir_dim_print(p->text, block->size.dims[i]);
  }
  text_add(p->text, STR(") at "));
  print_map(p, block->map);
  text_char(p->text, '\n');
}

void ir_print_kernel(text *t, const ir_kernel *k) {
  printer p = {.text = t, .kernel = k, .names = print_names(t->arena, k), .indent = 1};
  text_add(t, k->comment);
  text_format(t, "kernel %.*s", STR_FMT(k->name));
  print_params(&p, false);
  text_add(t, STR(" -> "));
  print_params(&p, true);
  text_add(t, STR(" {\n"));
  if (k->machine != IR_MACHINE_ANY) text_format(t, "  machine %s\n", ir_machine_name(k->machine));
  print_grid(&p);
  print_teams(&p);
  for (uint32_t i = 0; i < k->block_count; i++) print_block_header(&p, &k->blocks[i]);
  if ((k->machine != IR_MACHINE_ANY || k->axis_count + k->team_count + k->block_count > 0) && k->body->first)
    text_char(t, '\n');
  print_ops(&p, k->body);
  text_add(t, STR("}\n"));
}

void ir_print_module(text *t, const ir_module *m) {
  for (uint32_t i = 0; i < m->kernel_count; i++) {
    if (i) text_char(t, '\n');
    ir_print_kernel(t, m->kernels[i]);
  }
}
