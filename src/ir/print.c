/* IR to text, one op a line, in the grammar that the parser reads: print(parse(x)) is a fixed point.
 *
 * Constants and sizes without a name of their own have no line: they stand where they are used, as a bare literal where
 * the parser would give it the same type, else with their type. Names are the user's; those that clash get a number,
 * the nameless ones are t0, t1, .. */
#include "ir/ir.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct printer {
  text *out;
  const ir_kernel *kernel;
  map taken;          /* names in use */
  kiln_str *names;    /* by value id */
  uint32_t temporary; /* next t */
  uint32_t depth;
} printer;

static void print_region(printer *p, const ir_region *region);

/* ---- names ---- */

static bool has_line(const ir_value *v) {
  return !v->def || v->name.size || (v->def->code != IR_full && v->def->code != IR_size);
}

static void take_name(printer *p, const ir_value *v) {
  if (!v->name.size || p->names[v->id].size) return;
  kiln_str name = v->name;
  for (uint32_t n = 2; map_has(&p->taken, name); n++) name = str_format(p->out->arena, "%.*s_%u", STR_FMT(v->name), n);
  map_put(&p->taken, name, p);
  p->names[v->id] = name;
}

static void make_name(printer *p, const ir_value *v) {
  if (p->names[v->id].size || !has_line(v)) return;
  kiln_str name;
  do name = str_format(p->out->arena, "t%u", p->temporary++);
  while (map_has(&p->taken, name));
  p->names[v->id] = name;
}

typedef struct naming {
  printer *p;
  void (*name)(printer *p, const ir_value *v);
} naming;

static bool name_op(void *user, ir_op *op) {
  naming *n = user;
  for (uint32_t i = 0; i < op->result_count; i++) n->name(n->p, op->results[i]);
  uint32_t first = op->code == IR_while; /* its condition takes the body's names: see print_while */
  for (uint32_t r = first; r < op->region_count; r++)
    for (uint32_t i = 0; i < op->regions[r]->arg_count; i++) n->name(n->p, op->regions[r]->args[i]);
  return true;
}

static void name_everything(printer *p) {
  const ir_kernel *k = p->kernel;
  p->names = ARENA_ARRAY(p->out->arena, kiln_str, k->value_count);
  for (uint32_t i = 0; i < k->symbol_count; i++) map_put(&p->taken, k->symbols[i], p);
  for (uint32_t i = 0; i < k->param_count; i++) take_name(p, k->params[i].ref);
  for (uint32_t i = 0; i < k->axis_count; i++) take_name(p, k->axes[i].index);
  for (uint32_t i = 0; i < k->block_count; i++)
    p->names[k->blocks[i].ref->id] = p->names[k->params[k->blocks[i].param].ref->id];
  ir_walk(k->body, name_op, &(naming){p, take_name});
  ir_walk(k->body, name_op, &(naming){p, make_name});
}

/* ---- literals ---- */

/* The shortest decimal that reads back as the same bits. */
static void print_float(text *t, ir_dtype dtype, uint64_t bits) {
  double value = ir_bits_to_f64(dtype, bits);
  char digits[40];
  if (isnan(value)) {
    text_add(t, STR("nan"));
    return;
  }
  if (isinf(value)) {
    text_add(t, value < 0 ? STR("-inf") : STR("inf"));
    return;
  }
  for (int precision = 1; precision <= 17; precision++) {
    snprintf(digits, sizeof digits, "%.*g", precision, value);
    if (ir_bits_from_f64(dtype, strtod(digits, NULL)) == bits) break;
  }
  text_add(t, str_from(digits));
  if (!strpbrk(digits, ".e")) text_add(t, STR(".0"));
}

static void print_literal(text *t, ir_dtype dtype, uint64_t bits) {
  ir_class class = ir_dtype_get(dtype)->class;
  if (class == IR_CLASS_BOOL)
    text_add(t, bits & 1 ? STR("true") : STR("false"));
  else if (class == IR_CLASS_FLOAT)
    print_float(t, dtype, bits);
  else if (class == IR_CLASS_UINT)
    text_format(t, "%" PRIu64, bits);
  else
    text_format(t, "%" PRId64, ir_bits_to_i64(dtype, bits));
}

static void print_constant(text *t, const ir_op *op) {
  const ir_type *type = &op->results[0]->type;
  bool scalar = type->shape.rank == 0;
  text_format(t, "%s(", scalar ? ir_dtype_get(type->dtype)->name : "full");
  print_literal(t, type->dtype, op->attrs->bits);
  if (!scalar) {
    text_add(t, STR(", "));
    ir_type_print(t, type);
  }
  text_char(t, ')');
}

/* ---- operands ---- */

static bool is_inline(const ir_value *v) { return !has_line(v); }

static void print_size(text *t, const ir_op *op) {
  text_add(t, STR("size("));
  ir_dim_print(t, op->attrs->dim);
  text_char(t, ')');
}

static void print_expression(printer *p, const ir_op *op);

static void print_value(printer *p, const ir_value *v) {
  kiln_str name = p->names[v->id];
  if (name.size) {
    text_add(p->out, name);
  } else if (v->def && v->def->code == IR_full) {
    print_constant(p->out, v->def);
  } else if (v->def && v->def->code == IR_size) {
    print_size(p->out, v->def);
  } else if (v->def) { /* an index map has no lines: its ops nest */
    text_char(p->out, '(');
    print_expression(p, v->def);
    text_char(p->out, ')');
  }
}

/* Where the parser expects this type and a bare literal takes it. */
static void print_weak(printer *p, const ir_value *v) {
  if (is_inline(v) && v->def->code == IR_full)
    print_literal(p->out, v->type.dtype, v->def->attrs->bits);
  else
    print_value(p, v);
}

/* A literal of a MAP op is weak when another operand that is no constant has its type. */
static bool has_anchor(const ir_op *op, const ir_value *literal) {
  for (uint32_t i = 0; i < op->operand_count; i++) {
    const ir_value *other = op->operands[i];
    if (is_inline(other) || other->type.dtype != literal->type.dtype) continue;
    if (ir_shape_equal(&other->type.shape, &literal->type.shape) == IR_YES) return true;
  }
  return false;
}

static void print_map_operand(printer *p, const ir_op *op, uint32_t i) {
  const ir_value *v = op->operands[i];
  bool condition = op->code == IR_select && i == 0;
  if (!condition && has_anchor(op, v))
    print_weak(p, v);
  else
    print_value(p, v);
}

/* ---- attributes ---- */

static void print_list(text *t, const char *name, const ir_list *list) {
  text_format(t, ", %s: [", name);
  for (uint32_t i = 0; i < list->count; i++) text_format(t, "%s%" PRId64, i ? ", " : "", list->at[i]);
  text_char(t, ']');
}

static void print_shape(text *t, const ir_shape *shape) {
  text_add(t, STR(", shape: ["));
  for (uint32_t i = 0; i < shape->rank; i++) {
    if (i) text_add(t, STR(", "));
    ir_dim_print(t, shape->dims[i]);
  }
  text_char(t, ']');
}

static void print_dot(text *t, const ir_attrs *a) {
  print_list(t, "lhs_contract", &a->lhs_contract);
  print_list(t, "rhs_contract", &a->rhs_contract);
  if (a->lhs_batch.count) print_list(t, "lhs_batch", &a->lhs_batch);
  if (a->rhs_batch.count) print_list(t, "rhs_batch", &a->rhs_batch);
}

static void print_reduce(text *t, const ir_op *op) {
  const ir_list *axes = &op->attrs->axes;
  if (axes->count == 1)
    text_format(t, ", axis: %" PRId64, axes->at[0]);
  else
    print_list(t, "axis", axes);
  if (op->attrs->keep) text_add(t, STR(", keep"));
}

static void print_attrs(text *t, const ir_op *op) {
  const ir_attrs *a = op->attrs;
  uint32_t has = ir_op_get(op->code)->attrs;
  if (ir_op_get(op->code)->form == IR_FORM_REDUCE) {
    print_reduce(t, op);
    return;
  }
  if (has & A_AXIS) text_format(t, ", axis: %" PRId64, a->axis);
  if (has & A_SHAPE && op->code != IR_iota) print_shape(t, &a->shape);
  if (has & A_AXES) print_list(t, "axes", &a->axes);
  if (has & A_START) print_list(t, "start", &a->start);
  if (has & A_SIZE) print_list(t, "size", &a->size);
  if (has & A_STRIDE) print_list(t, "stride", &a->stride);
  if (has & A_LOW) print_list(t, "low", &a->low);
  if (has & A_HIGH) print_list(t, "high", &a->high);
  if (has & A_INTERIOR) print_list(t, "interior", &a->interior);
  if (has & A_DOT) print_dot(t, a);
  if (has & A_TYPE && op->code != IR_iota) text_format(t, ", type: %s", ir_dtype_get(a->type)->name);
  if (has & A_REVERSE && a->reverse) text_add(t, STR(", reverse"));
}

/* ---- x[..] ---- */

static bool is_whole(const ir_op *op, uint32_t i) {
  const ir_index *index = &op->attrs->index[i];
  if (index->point || index->operand >= 0 || index->stride != 1 || index->start->op != IR_DIM_CONST ||
      index->start->value)
    return false;
  return ir_dim_equal(index->size, op->operands[0]->type.shape.dims[i]) == IR_YES;
}

static void print_start(printer *p, const ir_op *op, const ir_index *index) {
  if (index->operand >= 0)
    print_weak(p, op->operands[index->operand]);
  else
    ir_dim_print(p->out, index->start);
}

static void print_index(printer *p, const ir_op *op, uint32_t i) {
  const ir_index *index = &op->attrs->index[i];
  if (is_whole(op, i)) {
    text_char(p->out, ':');
    return;
  }
  print_start(p, op, index);
  if (index->point) return;
  text_add(p->out, STR(" : "));
  ir_dim_print(p->out, index->size);
  if (index->stride != 1) text_format(p->out, " : %" PRId64, index->stride);
}

static void print_place(printer *p, const ir_op *op) {
  const ir_attrs *a = op->attrs;
  bool whole = true;
  uint32_t extra = op->operand_count - (a->masked ? 1u : 0u) - (a->other ? 1u : 0u);
  for (uint32_t i = 0; i < a->index_count; i++) whole &= is_whole(op, i);
  print_value(p, op->operands[0]);
  text_char(p->out, '[');
  if (whole) text_add(p->out, STR("..."));
  for (uint32_t i = 0; i < a->index_count && !whole; i++) {
    if (i) text_add(p->out, STR(", "));
    print_index(p, op, i);
  }
  if (a->masked) {
    text_add(p->out, STR(", mask: "));
    print_value(p, op->operands[extra]);
  }
  if (a->other) {
    text_add(p->out, STR(", other: "));
    print_value(p, op->operands[op->operand_count - 1]);
  }
  text_char(p->out, ']');
}

/* ---- ops ---- */

static void print_call(printer *p, const ir_op *op) {
  const ir_op_info *info = ir_op_get(op->code);
  text_format(p->out, "%s(", info->text);
  for (uint32_t i = 0; i < op->operand_count; i++) {
    if (i) text_add(p->out, STR(", "));
    if (info->form == IR_FORM_MAP)
      print_map_operand(p, op, i);
    else
      print_value(p, op->operands[i]);
  }
  if (op->code == IR_iota) ir_type_print(p->out, &op->results[0]->type);
  if (op->attrs) print_attrs(p->out, op);
  text_char(p->out, ')');
}

static void print_map(printer *p, const ir_op *op) {
  const char *infix = ir_op_get(op->code)->infix;
  if (!*infix) {
    print_call(p, op);
  } else if (op->operand_count == 1) {
    text_add(p->out, str_from(infix));
    print_map_operand(p, op, 0);
  } else {
    print_map_operand(p, op, 0);
    text_format(p->out, " %s ", infix);
    print_map_operand(p, op, 1);
  }
}

static void print_expression(printer *p, const ir_op *op) {
  switch (op->code) {
    case IR_full: print_constant(p->out, op); break;
    case IR_size: print_size(p->out, op); break;
    case IR_convert:
      text_format(p->out, "%s(", ir_dtype_get(op->attrs->type)->name);
      print_value(p, op->operands[0]);
      text_char(p->out, ')');
      break;
    case IR_load: print_place(p, op); break;
    case IR_view:
      text_add(p->out, STR("view "));
      print_place(p, op);
      if (op->attrs->edge) text_add(p->out, STR(" edge"));
      break;
    default:
      if (ir_op_get(op->code)->form == IR_FORM_MAP)
        print_map(p, op);
      else
        print_call(p, op);
  }
}

static void start_line(printer *p) {
  for (uint32_t i = 0; i < p->depth; i++) text_add(p->out, STR("  "));
}

static void print_braces(printer *p, const ir_region *region) {
  text_add(p->out, STR("{\n"));
  p->depth++;
  print_region(p, region);
  p->depth--;
  start_line(p);
  text_char(p->out, '}');
}

static void print_with(printer *p, const ir_op *op, const ir_region *region, uint32_t first_init, uint32_t first_arg) {
  if (!op->result_count) return;
  text_add(p->out, STR(" with ("));
  for (uint32_t i = 0; i < op->result_count; i++) {
    text_format(p->out, "%s%.*s = ", i ? ", " : "", STR_FMT(p->names[region->args[first_arg + i]->id]));
    print_value(p, op->operands[first_init + i]);
  }
  text_char(p->out, ')');
}

static bool is_one(const ir_value *v) {
  return is_inline(v) && v->def->code == IR_full && ir_bits_to_i64(v->type.dtype, v->def->attrs->bits) == 1;
}

static void print_for(printer *p, const ir_op *op) {
  text_format(p->out, "for %.*s in ", STR_FMT(p->names[op->regions[0]->args[0]->id]));
  print_weak(p, op->operands[0]);
  text_add(p->out, STR(" .. "));
  print_weak(p, op->operands[1]);
  if (!is_one(op->operands[2])) {
    text_add(p->out, STR(" step "));
    print_weak(p, op->operands[2]);
  }
  print_with(p, op, op->regions[0], 3, 1);
  text_char(p->out, ' ');
  print_braces(p, op->regions[0]);
}

/* The condition's names for the carried values are the body's: both regions are printed under them. */
static void print_while(printer *p, const ir_op *op) {
  for (uint32_t i = 0; i < op->result_count; i++)
    p->names[op->regions[0]->args[i]->id] = p->names[op->regions[1]->args[i]->id];
  text_add(p->out, STR("while "));
  print_braces(p, op->regions[0]);
  print_with(p, op, op->regions[1], 0, 0);
  text_char(p->out, ' ');
  print_braces(p, op->regions[1]);
}

static void print_when(printer *p, const ir_op *op) {
  text_add(p->out, STR("when "));
  print_value(p, op->operands[0]);
  text_char(p->out, ' ');
  print_braces(p, op->regions[0]);
  if (!op->regions[1]->first) return;
  text_add(p->out, STR(" else "));
  print_braces(p, op->regions[1]);
}

static void print_switch(printer *p, const ir_op *op) {
  text_add(p->out, STR("switch "));
  print_value(p, op->operands[0]);
  text_add(p->out, STR(" {\n"));
  p->depth++;
  for (uint32_t i = 0; i < op->region_count; i++) {
    start_line(p);
    text_format(p->out, "case %u ", i);
    print_braces(p, op->regions[i]);
    text_char(p->out, '\n');
  }
  p->depth--;
  start_line(p);
  text_char(p->out, '}');
}

static void print_control(printer *p, const ir_op *op) {
  switch (op->code) {
    case IR_for: print_for(p, op); break;
    case IR_while: print_while(p, op); break;
    case IR_when: print_when(p, op); break;
    default: print_switch(p, op); break;
  }
}

static void print_let(printer *p, const ir_op *op) {
  if (!op->result_count) return;
  text_add(p->out, op->result_count > 1 ? STR("let (") : STR("let "));
  for (uint32_t i = 0; i < op->result_count; i++)
    text_format(p->out, "%s%.*s", i ? ", " : "", STR_FMT(p->names[op->results[i]->id]));
  text_add(p->out, op->result_count > 1 ? STR(") = ") : STR(" = "));
}

static void print_scratch(printer *p, const ir_op *op) {
  const ir_type *type = &op->results[0]->type;
  text_format(p->out, "scratch %.*s: ", STR_FMT(p->names[op->results[0]->id]));
  ir_type_print(p->out, type);
  text_format(p->out, " in %s", ir_space_name(type->space));
}

static void print_yield(printer *p, const ir_op *op) {
  text_add(p->out, STR("yield "));
  for (uint32_t i = 0; i < op->operand_count; i++) {
    if (i) text_add(p->out, STR(", "));
    print_value(p, op->operands[i]);
  }
}

static void print_op(printer *p, const ir_op *op) {
  if (op->result_count == 1 && is_inline(op->results[0])) return;
  if (op->code == IR_yield && !op->operand_count) return;
  start_line(p);
  if (op->code == IR_store) {
    print_place(p, op);
    text_add(p->out, STR(" = "));
    print_value(p, op->operands[1]);
  } else if (op->code == IR_scratch) {
    print_scratch(p, op);
  } else if (op->code == IR_yield) {
    print_yield(p, op);
  } else {
    print_let(p, op);
    if (op->region_count)
      print_control(p, op);
    else
      print_expression(p, op);
  }
  text_char(p->out, '\n');
}

static void print_region(printer *p, const ir_region *region) {
  for (const ir_op *op = region->first; op; op = op->next) print_op(p, op);
}

/* ---- kernels ---- */

static void print_param(text *t, const ir_kernel *k, const ir_param *param) {
  text_format(t, "%.*s: ", STR_FMT(param->name));
  ir_type_print(t, &param->ref->type);
  if (param->ref->type.space != IR_SPACE_GMEM) text_format(t, " in %s", ir_space_name(param->ref->type.space));
  if (param->prefetch) text_add(t, STR(" prefetch"));
  if (param->direction == KILN_INOUT) text_add(t, STR(" inout"));
  if (param->alias >= 0) text_format(t, " alias %.*s", STR_FMT(k->params[param->alias].name));
}

static void print_params(text *t, const ir_kernel *k, bool outputs) {
  const char *separator = "";
  text_char(t, '(');
  for (uint32_t i = 0; i < k->param_count; i++) {
    if ((k->params[i].direction == KILN_OUT) != outputs) continue;
    text_add(t, str_from(separator));
    print_param(t, k, &k->params[i]);
    separator = ", ";
  }
  text_char(t, ')');
}

static void print_grid(printer *p) {
  if (!p->kernel->axis_count) return;
  text_add(p->out, STR("  grid "));
  for (uint32_t i = 0; i < p->kernel->axis_count; i++) {
    const ir_axis *axis = &p->kernel->axes[i];
    text_format(p->out, "%s%.*s: ", i ? ", " : "", STR_FMT(p->names[axis->index->id]));
    ir_dim_print(p->out, axis->extent);
    if (axis->parallel) text_add(p->out, STR(" parallel"));
  }
  text_char(p->out, '\n');
}

static void print_block(printer *p, const ir_block *block) {
  text_format(p->out, "  block %.*s (", STR_FMT(p->kernel->params[block->param].name));
  for (uint32_t i = 0; i < block->size.rank; i++) {
    if (i) text_add(p->out, STR(", "));
    if (block->squeezed >> i & 1)
      text_char(p->out, '_');
    else
      ir_dim_print(p->out, block->size.dims[i]);
  }
  text_add(p->out, STR(") at ("));
  const ir_op *yield = block->map->last;
  for (uint32_t i = 0; i < yield->operand_count; i++) {
    const ir_value *v = yield->operands[i];
    if (i) text_add(p->out, STR(", "));
    if (v->def && v->def->parent == block->map && v->def->code != IR_full)
      print_expression(p, v->def);
    else
      print_weak(p, v);
  }
  text_add(p->out, STR(")\n"));
}

static void print_comment(text *t, kiln_str comment) {
  if (!comment.size) return;
  text_add(t, comment);
  if (comment.data[comment.size - 1] != '\n') text_char(t, '\n');
}

void ir_print_kernel(text *t, const ir_kernel *k) {
  printer p = {.out = t, .kernel = k, .taken = map_new(t->arena), .depth = 1};
  name_everything(&p);
  print_comment(t, k->comment);
  text_format(t, "kernel %.*s", STR_FMT(k->name));
  print_params(t, k, false);
  text_add(t, STR(" -> "));
  print_params(t, k, true);
  text_add(t, STR(" {\n"));
  print_grid(&p);
  for (uint32_t i = 0; i < k->block_count; i++) print_block(&p, &k->blocks[i]);
  print_region(&p, k->body);
  text_add(t, STR("}\n"));
}

void ir_print_module(text *t, const ir_module *m) {
  for (uint32_t i = 0; i < m->kernel_count; i++) {
    if (i) text_char(t, '\n');
    ir_print_kernel(t, m->kernels[i]);
  }
}
