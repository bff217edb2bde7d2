/* Ops as text: `let a = b + c`, one a line. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/attrs.h"
#include "ir/layout.h"
#include "ir/text/print.h"

static void put(printer *p, const char *words) { text_add(p->text, str_from(words)); }

/* ---- literals ---- */

/* The shortest digits that read back as the same bits. Always with a point or an exponent, so that it reads back as a
 * float. */
static void print_float(text *t, ir_dtype dtype, uint64_t bits) {
  char digits[40];
  double value = ir_bits_to_f64(dtype, bits);
  if (isnan(value) || isinf(value)) {
    text_format(t, "%s%s", signbit(value) ? "-" : "", isnan(value) ? "nan" : "inf");
    return;
  }
  for (int precision = 1; precision <= 17; precision++) {
    snprintf(digits, sizeof digits, "%.*g", precision, value);
    if (ir_bits_from_f64(dtype, strtod(digits, NULL)) == bits) break;
  }
  for (char *c = digits; *c; c++) { /* the locale's point */
    if (!strchr("0123456789+-e", *c)) *c = '.';
  }
  text_add(t, str_from(digits));
  if (!strpbrk(digits, ".e")) text_add(t, STR(".0"));
}

void print_literal(text *t, ir_dtype dtype, uint64_t bits) {
  switch (ir_dtype_get(dtype)->class) {
    case IR_CLASS_BOOL: text_add(t, bits ? STR("true") : STR("false")); break;
    case IR_CLASS_FLOAT: print_float(t, dtype, bits); break;
    case IR_CLASS_UINT: text_format(t, "%" PRIu64, bits); break;
    case IR_CLASS_SINT: text_format(t, "%" PRId64, ir_bits_to_i64(dtype, bits)); break;
  }
}

/* ---- operands ---- */

bool print_inline(const ir_value *v) {
  return v->def && v->name.size == 0 && (v->def->code == IR_full || v->def->code == IR_size);
}

/* What has no name of its own stands where it is used: constants and sizes, and in an index map everything. */
void print_value(printer *p, const ir_value *v) {
  bool parens = v->def && ir_op_get(v->def->code)->infix[0] != '\0';
  if (p->names[v->id].size) {
    text_add(p->text, p->names[v->id]);
  } else if (v->def) {
    if (parens) put(p, "(");
    print_expression(p, v->def);
    if (parens) put(p, ")");
  }
}

void print_weak(printer *p, const ir_value *v) {
  if (print_inline(v) && v->def->code == IR_full)
    print_literal(p->text, v->type.dtype, v->def->attrs->bits);
  else
    print_value(p, v);
}

/* A bare literal of an elementwise op takes the type of another operand, and the shape of all: it may be written where
 * that gives back the type it has. */
static bool has_anchor(const ir_op *op, const ir_value *literal) {
  for (uint32_t i = op->code == IR_select; i < op->operand_count; i++) {
    const ir_value *other = op->operands[i];
    if (!print_inline(other) && ir_shape_equal(&other->type.shape, &literal->type.shape) == IR_YES) return true;
  }
  return false;
}

static void print_operand(printer *p, const ir_op *op, uint32_t i) {
  bool condition = op->code == IR_select && i == 0;
  bool elementwise = ir_op_get(op->code)->form == IR_FORM_MAP;
  if (elementwise && !condition && has_anchor(op, op->operands[i]))
    print_weak(p, op->operands[i]);
  else
    print_value(p, op->operands[i]);
}

/* ---- attributes ---- */

static void print_list(printer *p, const ir_list *list) {
  put(p, "[");
  for (uint32_t i = 0; i < list->count; i++) text_format(p->text, "%s%" PRId64, i ? ", " : "", list->at[i]);
  put(p, "]");
}

static void print_shape(printer *p, const ir_shape *shape) {
  put(p, "[");
  for (uint32_t i = 0; i < shape->rank; i++) {
    if (i) put(p, ", ");
    ir_dim_print(p->text, shape->dims[i]);
  }
  put(p, "]");
}

static void print_attr(printer *p, const char *name, const attr_info *info, const void *field) {
  const ir_list *list = field;
  text_format(p->text, ", %s", name);
  if (info->kind == ATTR_FLAG) return;
  put(p, ": ");
  switch (info->kind) {
    case ATTR_TYPE: put(p, ir_dtype_get(*(const ir_dtype *)field)->name); break;
    case ATTR_SHAPE: print_shape(p, field); break;
    case ATTR_WORD:
      put(p, ir_attr_word_text((attr_id)(info - ir_attr_get((attr_id)0)), *(const uint32_t *)field));
      break;
    case ATTR_INT: text_format(p->text, "%" PRId64, *(const int64_t *)field); break;
    default:
      if (info->kind == ATTR_AXES && list->count == 1)
        text_format(p->text, "%" PRId64, list->at[0]);
      else
        print_list(p, list);
  }
}

static bool is_default_axes(const ir_op *op, const ir_list *axes) {
  int64_t from = op->operands[0]->type.shape.rank;
  if (op->code != IR_broadcast) return from == 0 && op->code != IR_reverse;
  for (uint32_t i = 0; i < axes->count; i++) {
    if (axes->at[i] != (int64_t)op->attrs->shape.rank - from + i) return false;
  }
  return true;
}

/* What parsing would fill in by itself is not printed. */
static bool is_default(const ir_op *op, attr_id id, const void *field) {
  ir_attrs blank = {0};
  const attr_info *info = ir_attr_get(id);
  if (info->kind == ATTR_FLAG) return !*(const bool *)field;
  if (id == ATTR_ID_axes) return is_default_axes(op, field);
  if (info->kind == ATTR_WORD) return *(const uint32_t *)field == 0;
  if (id == ATTR_ID_stride || id == ATTR_ID_batch_dims || id == ATTR_ID_index_batch_dims)
    return ((const ir_list *)field)->count == 0;
  if (id == ATTR_ID_stride_axis) return op->attrs->stride.count == 0;
  if (id == ATTR_ID_keys) return op->attrs->keys == 1;
  if (id == ATTR_ID_interior) return memcmp(((const ir_list *)field)->at, blank.axes.at, sizeof blank.axes.at) == 0;
  if (op->code != IR_dot) return false;
  ir_attrs_complete(op->code, &blank, 0, op->operands, op->operand_count);
  if (id == ATTR_ID_type) return op->attrs->type == blank.type;
  return memcmp(&op->attrs->lhs_contract, &blank.lhs_contract, 4 * sizeof(ir_list)) == 0;
}

static void print_attrs(printer *p, const ir_op *op) {
  for (uint32_t i = 0; op->attrs && i < ATTR_COUNT; i++) {
    const char *name = ir_attr_name(op->code, (attr_id)i);
    const attr_info *info = ir_attr_get((attr_id)i);
    const void *field = (const char *)op->attrs + info->offset;
    if (name && !is_default(op, (attr_id)i, field)) print_attr(p, name, info, field);
  }
}

/* ---- places ---- */

static bool is_number(ir_dim d, int64_t value) { return d && ir_dim_known(d) && d->value == value; }

static bool is_whole(const ir_index *index, ir_dim d) {
  return !index->point && index->stride == 1 && is_number(index->start, 0) && ir_dim_equal(index->size, d) == IR_YES;
}

/* As an index part, `mask :` and `other :` would be attributes. */
static void print_start(printer *p, const ir_op *op, const ir_index *index) {
  if (index->operand < 0) {
    ir_dim_print(p->text, index->start);
    return;
  }
  const ir_value *v = op->operands[index->operand];
  bool hide = !index->point && (str_is(p->names[v->id], "mask") || str_is(p->names[v->id], "other"));
  if (hide) put(p, "(");
  if (v->type.shape.rank > 0)
    print_value(p, v);
  else
    print_weak(p, v);
  if (hide) put(p, ")");
}

static void print_index(printer *p, const ir_op *op, const ir_index *index, ir_dim d) {
  if (is_whole(index, d)) {
    put(p, ":");
    return;
  }
  print_start(p, op, index);
  if (index->point) return;
  put(p, " : ");
  ir_dim_print(p->text, index->size);
  if (index->stride != 1) text_format(p->text, " : %" PRId64, index->stride);
}

static void print_place(printer *p, const ir_op *op) {
  const ir_attrs *attrs = op->attrs;
  const ir_shape *shape = &op->operands[0]->type.shape;
  uint32_t whole = 0, next = op->operand_count - attrs->masked - attrs->other;
  print_value(p, op->operands[0]);
  for (uint32_t i = 0; i < attrs->index_count; i++) whole += is_whole(&attrs->index[i], shape->dims[i]);
  put(p, whole == attrs->index_count ? "[..." : "[");
  for (uint32_t i = 0; i < attrs->index_count && whole < attrs->index_count; i++) {
    if (i) put(p, ", ");
    print_index(p, op, &attrs->index[i], shape->dims[i]);
  }
  if (attrs->masked) put(p, ", mask: "), print_weak(p, op->operands[next++]);
  if (attrs->other && op->code == IR_load) put(p, ", other: "), print_weak(p, op->operands[next]);
  put(p, "]");
}

static void print_slice(printer *p, const ir_op *op) {
  const ir_attrs *a = op->attrs;
  const ir_shape *shape = &op->operands[0]->type.shape;
  print_value(p, op->operands[0]);
  put(p, "[");
  for (uint32_t i = 0; i < shape->rank; i++) {
    bool all =
        a->start.at[i] == 0 && a->stride.at[i] == 1 && (a->size.at[i] < 0 || is_number(shape->dims[i], a->size.at[i]));
    text_format(p->text, i ? ", " : "");
    if (!all) text_format(p->text, "%" PRId64, a->start.at[i]);
    put(p, all ? ":" : " :");
    if (!all && a->size.at[i] >= 0) text_format(p->text, " %" PRId64, a->size.at[i]);
    if (!all && a->stride.at[i] != 1) text_format(p->text, " : %" PRId64, a->stride.at[i]);
  }
  put(p, "]");
}

static bool is_literal(const ir_value *v) { return print_inline(v) && v->def->code == IR_full; }

/* Whether a dynamic_slice takes all of the dimension, from a start that is nothing but 0. */
static bool takes_all(const ir_op *op, uint32_t i) {
  const ir_value *start = op->operands[1 + i];
  const int64_t size = op->attrs->size.at[i];
  return is_literal(start) && start->def->attrs->bits == 0 &&
         (size < 0 || is_number(op->operands[0]->type.shape.dims[i], size));
}

/* Whether x[..] reads back as the same op: literal starts there make a slice. */
static bool reads_back(const ir_op *op) {
  bool computed = false;
  for (uint32_t i = 0; i + 1 < op->operand_count; i++) {
    if (!takes_all(op, i) && (is_literal(op->operands[1 + i]) || op->attrs->size.at[i] < 0)) return false;
    computed = computed || !takes_all(op, i);
  }
  return computed;
}

static void print_dynamic_slice(printer *p, const ir_op *op) {
  print_value(p, op->operands[0]);
  put(p, "[");
  for (uint32_t i = 0; i + 1 < op->operand_count; i++) {
    bool all = takes_all(op, i);
    if (i) put(p, ", ");
    if (!all) print_value(p, op->operands[1 + i]);
    put(p, all ? ":" : " : ");
    if (!all) text_format(p->text, "%" PRId64, op->attrs->size.at[i]);
  }
  put(p, "]");
}

/* ---- right-hand sides ---- */

static void print_call(printer *p, const ir_op *op) {
  text_format(p->text, "%s(", ir_op_get(op->code)->text);
  for (uint32_t i = 0; i < op->operand_count; i++) {
    if (i) put(p, ", ");
    print_operand(p, op, i);
  }
  print_attrs(p, op);
  put(p, ")");
}

static void print_full(printer *p, const ir_op *op) {
  ir_type type = ir_tile_type(op->attrs->type, &op->attrs->shape);
  bool scalar = type.shape.rank == 0;
  text_format(p->text, "%s(", scalar ? ir_dtype_get(type.dtype)->name : "full");
  print_literal(p->text, type.dtype, op->attrs->bits);
  if (!scalar) {
    put(p, ", ");
    ir_type_print(p->text, &type);
  }
  put(p, ")");
}

static void print_iota(printer *p, const ir_op *op) {
  ir_type type = ir_tile_type(op->attrs->type, &op->attrs->shape);
  put(p, "iota(");
  ir_type_print(p->text, &type);
  text_format(p->text, ", axis: %" PRId64 ")", op->attrs->axis);
}

static void print_infix(printer *p, const ir_op *op) {
  const char *sign = ir_op_get(op->code)->infix;
  if (op->operand_count == 1) {
    put(p, sign);
    print_value(p, op->operands[0]);
    return;
  }
  print_operand(p, op, 0);
  text_format(p->text, " %s ", sign);
  print_operand(p, op, 1);
}

static void print_size(printer *p, const ir_op *op) {
  put(p, "size(");
  ir_dim_print(p->text, op->attrs->dim);
  put(p, ")");
}

static void print_convert(printer *p, const ir_op *op) {
  text_format(p->text, "%s(", ir_dtype_get(op->attrs->type)->name);
  print_value(p, op->operands[0]);
  put(p, ")");
}

/* What is expected stands behind the place, in front of the value. */
static void print_atomic(printer *p, const ir_op *op) {
  const char *word = op->attrs->other ? "cas" : ir_attr_word_text(ATTR_ID_atomic, op->attrs->combine);
  put(p, "atomic ");
  if (op->attrs->order) text_format(p->text, "%s ", ir_attr_word_text(ATTR_ID_order, op->attrs->order));
  text_format(p->text, "%s ", word);
  print_place(p, op);
  put(p, " = ");
  if (op->attrs->other) print_weak(p, op->operands[op->operand_count - 1]), put(p, ", ");
  print_weak(p, op->operands[1]);
}

void print_expression(printer *p, const ir_op *op) {
  if (print_sync(p, op)) return;
  switch (op->code) {
    case IR_atomic: print_atomic(p, op); return;
    case IR_full: print_full(p, op); return;
    case IR_iota: print_iota(p, op); return;
    case IR_size: print_size(p, op); return;
    case IR_slice: print_slice(p, op); return;
    case IR_dynamic_slice:
      if (!reads_back(op)) break;
      print_dynamic_slice(p, op);
      return;
    case IR_convert: print_convert(p, op); return;
    case IR_load: print_place(p, op); return;
    case IR_view:
      put(p, "view ");
      print_place(p, op);
      if (op->attrs->edge) put(p, " edge");
      return;
    case IR_view_as:
      put(p, "view ");
      print_value(p, op->operands[0]);
      put(p, " as ");
      ir_type_print(p->text, &op->results[0]->type);
      return;
    case IR_permute:
      put(p, "view ");
      print_value(p, op->operands[0]);
      put(p, " permute ");
      print_list(p, &op->attrs->axes);
      return;
    default: break;
  }
  if (ir_op_get(op->code)->infix[0])
    print_infix(p, op);
  else
    print_call(p, op);
}

/* ---- statements ---- */

static void indent(printer *p) {
  for (uint32_t i = 0; i < p->indent; i++) put(p, "  ");
}

static void print_names_of(printer *p, ir_value *const *values, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    if (i) put(p, ", ");
    print_value(p, values[i]);
  }
}

static void print_let(printer *p, const ir_op *op) {
  if (op->result_count == 0 || (op->code == IR_atomic && op->results[0]->uses == 0)) return;
  put(p, op->result_count > 1 ? "let (" : "let ");
  print_names_of(p, op->results, op->result_count);
  put(p, op->result_count > 1 ? ") = " : " = ");
}

static void print_block(printer *p, const ir_region *r) {
  put(p, "{\n");
  p->indent++;
  print_ops(p, r);
  p->indent--;
  indent(p);
  put(p, "}");
}

static void print_with(printer *p, const ir_region *r, uint32_t first, ir_value *const *inits) {
  if (r->arg_count == first) return;
  put(p, "with (");
  for (uint32_t i = first; i < r->arg_count; i++) {
    if (i > first) put(p, ", ");
    print_value(p, r->args[i]);
    put(p, " = ");
    print_value(p, inits[i - first]);
  }
  put(p, ") ");
}

static bool is_one(const ir_value *v) { return print_inline(v) && v->def->code == IR_full && v->def->attrs->bits == 1; }

static void print_for(printer *p, const ir_op *op) {
  put(p, "for ");
  print_value(p, op->regions[0]->args[0]);
  put(p, " in ");
  print_weak(p, op->operands[0]);
  put(p, " .. ");
  print_weak(p, op->operands[1]);
  if (!is_one(op->operands[2])) {
    put(p, " step ");
    print_weak(p, op->operands[2]);
  }
  put(p, " ");
  if (op->attrs && op->attrs->roles) put(p, "roles ");
  print_with(p, op->regions[0], 1, op->operands + 3);
  print_block(p, op->regions[0]);
}

static void print_while(printer *p, const ir_op *op) {
  put(p, "while ");
  print_block(p, op->regions[0]);
  put(p, " ");
  print_with(p, op->regions[1], 0, op->operands);
  print_block(p, op->regions[1]);
}

static void print_when(printer *p, const ir_op *op) {
  put(p, "when ");
  print_value(p, op->operands[0]);
  put(p, " ");
  print_block(p, op->regions[0]);
  if (!op->regions[1]->first) return;
  put(p, " else ");
  print_block(p, op->regions[1]);
}

static void print_switch(printer *p, const ir_op *op) {
  put(p, "switch ");
  print_value(p, op->operands[0]);
  put(p, " {\n");
  p->indent++;
  for (uint32_t i = 0; i < op->region_count; i++) {
    indent(p);
    text_format(p->text, "case %u ", i);
    print_block(p, op->regions[i]);
    put(p, "\n");
  }
  p->indent--;
  indent(p);
  put(p, "}");
}

static void print_scope(printer *p, const ir_op *op) {
  put(p, "scope ");
  print_block(p, op->regions[0]);
}

static void print_warps(printer *p, const ir_op *op) {
  put(p, "warps ");
  print_value(p, op->regions[0]->args[0]);
  put(p, " ");
  print_block(p, op->regions[0]);
}

static void print_scratch(printer *p, const ir_op *op) {
  put(p, "scratch ");
  print_value(p, op->results[0]);
  put(p, ": ");
  ir_type_print(p->text, &op->results[0]->type);
  if (op->results[0]->type.kind != IR_REF) {
    print_sync_scratch(p, op);
    return;
  }
  if (op->attrs->layout.rank) put(p, " "), ir_layout_print(p->text, &op->attrs->layout);
  text_format(p->text, " in %s", ir_space_name(op->results[0]->type.space));
}

static void print_store(printer *p, const ir_op *op) {
  print_place(p, op);
  put(p, " = ");
  print_weak(p, op->operands[1]);
}

static void text_quoted(text *t, kiln_str s) {
  text_char(t, '"');
  for (size_t i = 0; i < s.size; i++) {
    char c = s.data[i];
    if (c == '"' || c == '\\') text_char(t, '\\');
    if (c == '\n')
      text_add(t, STR("\\n"));
    else
      text_char(t, c);
  }
  text_char(t, '"');
}

static void print_say(printer *p, const ir_op *op) {
  bool check = op->code == IR_check;
  put(p, check ? "check " : "print ");
  if (check) print_value(p, op->operands[0]), put(p, ", ");
  text_quoted(p->text, op->attrs->words);
  for (uint32_t i = 0; !check && i < op->operand_count; i++) {
    put(p, ", ");
    print_value(p, op->operands[i]);
  }
}

static void print_yield(printer *p, const ir_op *op) {
  put(p, "yield ");
  print_names_of(p, op->operands, op->operand_count);
}

static bool same_origin(const origin *a, const origin *b) {
  return a && a->line == b->line && a->column == b->column && str_equal(a->file, b->file);
}

/* `source "file":line:column`, where that is another place than before. */
static void print_origin(printer *p, const ir_op *op) {
  const origin *from = loc_origin(op->loc);
  if (!from || same_origin(p->from, from)) return;
  p->from = from;
  indent(p);
  put(p, "source ");
  text_quoted(p->text, from->file);
  text_format(p->text, ":%u:%u\n", from->line, from->column);
}

static void print_op(printer *p, const ir_op *op) {
  if (op->result_count == 1 && print_inline(op->results[0])) return;
  print_origin(p, op);
  indent(p);
  if (op->code != IR_scratch) print_let(p, op);
  switch (op->code) {
    case IR_for: print_for(p, op); break;
    case IR_while: print_while(p, op); break;
    case IR_when: print_when(p, op); break;
    case IR_switch: print_switch(p, op); break;
    case IR_scope: print_scope(p, op); break;
    case IR_warps: print_warps(p, op); break;
    case IR_scratch: print_scratch(p, op); break;
    case IR_store: print_store(p, op); break;
    case IR_print:
    case IR_check: print_say(p, op); break;
    case IR_yield: print_yield(p, op); break;
    default: print_expression(p, op);
  }
  put(p, "\n");
}

void print_ops(printer *p, const ir_region *r) {
  for (const ir_op *op = r->first; op; op = op->next) {
    if (op->code != IR_yield || op->operand_count > 0) print_op(p, op);
  }
}
