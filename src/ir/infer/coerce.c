/* From what was written to typed tiles: untyped literals take the type of what they meet, sizes become i32, shapes
 * broadcast by NumPy's rules. Every such step is an explicit op in the IR. */
#include <math.h>
#include <string.h>

#include "ir/infer/infer.h"
#include "ir/text/parse.h"
#include "ir/text/print.h"

operand operand_none(void) { return (operand){.kind = OPERAND_NONE}; }

operand operand_value(ir_value *v, loc at) {
  return v ? (operand){.kind = OPERAND_VALUE, .value = v, .loc = at} : operand_none();
}

operand operand_int(loc at, int64_t value) {
  uint64_t magnitude = value < 0 ? UINT64_C(0) - (uint64_t)value : (uint64_t)value;
  return (operand){.kind = OPERAND_INT, .loc = at, .negative = value < 0, .magnitude = magnitude};
}

operand operand_size(parser *p, ir_dim d, loc at) {
  (void)p;
  if (!d) return operand_none();
  return ir_dim_known(d) ? operand_int(at, d->value) : (operand){.kind = OPERAND_SIZE, .dim = d, .loc = at};
}

static bool int_value(const operand *o, int64_t *out) {
  if (o->magnitude > (uint64_t)INT64_MAX + o->negative) return false;
  *out = o->negative ? (int64_t)(UINT64_C(0) - o->magnitude) : (int64_t)o->magnitude;
  return true;
}

ir_dim operand_dim(parser *p, const operand *o) {
  int64_t value;
  if (o->kind == OPERAND_SIZE) return o->dim;
  return o->kind == OPERAND_INT && int_value(o, &value) ? ir_dim_const(p->module, value) : NULL;
}

bool operand_is_untyped(const operand *o) {
  return o->kind == OPERAND_INT || o->kind == OPERAND_FLOAT || o->kind == OPERAND_BOOL;
}

bool operand_has_any(const operand_list *operands) {
  for (size_t i = 0; i < operands->count; i++)
    if (operands->data[i].kind == OPERAND_ANY) return true;
  return false;
}

/* ---- literals ---- */

static kiln_str literal_text(const parser *p, const operand *o) {
  if (o->kind == OPERAND_BOOL) return o->truth ? STR("true") : STR("false");
  if (o->kind == OPERAND_FLOAT) {
    text t = text_new(p->scratch);
    print_literal(&t, IR_F64, ir_bits_from_f64(IR_F64, o->number));
    return text_str(&t);
  }
  return str_format(p->scratch, "%s%llu", o->negative ? "-" : "", (unsigned long long)o->magnitude);
}

static bool int_bits(const operand *o, ir_dtype dtype, uint64_t *out) {
  const ir_dtype_info *info = ir_dtype_get(dtype);
  uint64_t most = info->bits == 64 ? UINT64_MAX : (UINT64_C(1) << info->bits) - 1;
  if (info->class == IR_CLASS_UINT && o->negative && o->magnitude > 0) return false;
  if (info->class == IR_CLASS_SINT) most = most / 2 + o->negative;
  if (o->magnitude > most) return false;
  return *out = ir_bits_from_i64(dtype, (int64_t)(o->negative ? UINT64_C(0) - o->magnitude : o->magnitude)), true;
}

/* Whether a type has room for a value that became `bits`: infinity and NaN only where they are meant, and no silent
 * clamping where there is neither. */
static bool float_holds(ir_dtype dtype, uint64_t bits, double value) {
  ir_float_format format = ir_dtype_get(dtype)->format;
  double held = ir_bits_to_f64(dtype, bits);
  if (isnan(value)) return isnan(held);
  if (format.specials == IR_SPECIALS_FINITE) return fabs(value) <= ir_bits_to_f64(dtype, ir_float_largest(format));
  return isinf(value) ? held == value : isfinite(held);
}

static bool float_bits(const operand *o, ir_dtype dtype, uint64_t *out) {
  double value = o->number;
  int64_t exact;
  if (o->kind == OPERAND_INT) value = o->negative ? -(double)o->magnitude : (double)o->magnitude;
  bool whole = o->kind == OPERAND_INT && int_value(o, &exact);
  *out = whole ? ir_bits_from_i64(dtype, exact) : ir_bits_from_f64(dtype, value);
  return float_holds(dtype, *out, value);
}

/* The literal as bits of a type; false after a diagnostic. */
static bool literal_bits(parser *p, const operand *o, ir_dtype dtype, uint64_t *out) {
  const ir_dtype_info *info = ir_dtype_get(dtype);
  bool is_bool = info->class == IR_CLASS_BOOL, is_float = info->class == IR_CLASS_FLOAT;
  bool right_kind = o->kind == OPERAND_BOOL ? is_bool : o->kind == OPERAND_FLOAT ? is_float : !is_bool;
  if (o->kind == OPERAND_BOOL && is_bool) return *out = o->truth, true;
  if (right_kind && (is_float ? float_bits(o, dtype, out) : int_bits(o, dtype, out))) return true;
  kiln_str shown = literal_text(p, o);
  if (right_kind)
    diag_report(p->diags, DIAG_literal_range, o->loc, STR_FMT(shown), info->name);
  else
    diag_report(p->diags, DIAG_literal_type, o->loc, STR_FMT(shown), info->name);
  return false;
}

static ir_dtype own_dtype(const operand *o) {
  return o->kind == OPERAND_FLOAT ? IR_F32 : o->kind == OPERAND_BOOL ? IR_BOOL : IR_I32;
}

ir_value *parse_constant(parser *p, const operand *o, ir_dtype dtype, const ir_shape *shape) {
  uint64_t bits;
  if (!literal_bits(p, o, dtype, &bits)) return NULL;
  p->b.loc = o->loc;
  return ir_full(&p->b, dtype, shape, bits);
}

/* ---- single operands ---- */

ir_value *parse_value(parser *p, const operand *o) {
  if (o->kind == OPERAND_NONE || o->kind == OPERAND_ANY) return NULL;
  if (operand_is_untyped(o)) return parse_constant(p, o, own_dtype(o), NULL);
  p->b.loc = o->loc;
  if (o->kind == OPERAND_SIZE) return ir_make1(&p->b, IR_size, NULL, 0, &(ir_attrs){.dim = o->dim});
  if (o->kind == OPERAND_TYPE) return diag_report(p->diags, DIAG_type_as_value, o->loc), NULL;
  if (o->value->type.kind == IR_TILE) return o->value;
  diag_report(p->diags, DIAG_ref_as_value, o->loc, STR_FMT(o->value->name), STR_FMT(o->value->name));
  return NULL;
}

static bool wrong_type(parser *p, const operand *o, const char *what, const ir_type *want, const ir_type *found) {
  kiln_str expected = ir_any_text(p->module, want), have = ir_any_text(p->module, found);
  const char *cast = ir_dtype_get(want->dtype)->name;
  kiln_str hint = str_format(p->scratch, "there is no implicit conversion: write the cast, %s(..)", cast);
  diag_report_with(p->diags, DIAG_value_type, o->loc,
                   &(diag_extra){.hint = want->dtype != found->dtype ? hint.data : NULL}, what, STR_FMT(expected),
                   STR_FMT(have));
  return false;
}

/* Where a type is asked for, OPERAND_ANY stands for a value of it. */
static ir_value *stand_in(parser *p, const ir_type *type) {
  return ir_full(&p->b, type->dtype, &type->shape, ir_bits_from_i64(type->dtype, 1));
}

ir_value *parse_fit(parser *p, const operand *o, const ir_type *type, const char *what) {
  ir_shape shape;
  if (o->kind == OPERAND_ANY) return stand_in(p, type);
  if (operand_is_untyped(o)) return parse_constant(p, o, type->dtype, &type->shape);
  ir_value *v = parse_value(p, o);
  if (!v) return NULL;
  bool fits = ir_shape_broadcast(&v->type.shape, &type->shape, &shape) && ir_shape_equal(&shape, &type->shape) != IR_NO;
  if (!fits || v->type.dtype != type->dtype) return wrong_type(p, o, what, type, &v->type), NULL;
  p->b.loc = o->loc;
  return ir_broadcast_to(&p->b, v, &type->shape);
}

ir_value *parse_exact(parser *p, const operand *o, const ir_type *type, const char *what) {
  if (o->kind == OPERAND_ANY) return stand_in(p, type);
  if (operand_is_untyped(o)) return parse_constant(p, o, type->dtype, &type->shape);
  ir_value *v = parse_value(p, o);
  if (!v) return NULL;
  bool same = v->type.dtype == type->dtype && ir_shape_equal(&v->type.shape, &type->shape) != IR_NO;
  return same || wrong_type(p, o, what, type, &v->type) ? v : NULL;
}

ir_value *parse_scalar(parser *p, const operand *o, ir_dtype dtype, const char *what) {
  ir_type type = ir_tile_type(dtype, NULL);
  return parse_exact(p, o, &type, what);
}

/* ---- elementwise ops ---- */

/* The element type that the untyped operands take: that of the first typed one, else the widest of the literals. */
static ir_dtype common_dtype(const operand *operands, uint32_t first, uint32_t count) {
  ir_dtype dtype = IR_BOOL;
  for (uint32_t i = first; i < count; i++) {
    if (operands[i].kind == OPERAND_VALUE) return operands[i].value->type.dtype;
  }
  for (uint32_t i = first; i < count; i++) {
    if (operands[i].kind == OPERAND_SIZE) return IR_I32;
    if (operands[i].kind == OPERAND_FLOAT) dtype = IR_F32;
    if (operands[i].kind == OPERAND_INT && dtype != IR_F32) dtype = IR_I32;
  }
  return dtype;
}

static bool common_shape(parser *p, ir_code code, const operand *operands, uint32_t count, loc at, ir_shape *out) {
  *out = (ir_shape){0};
  for (uint32_t i = 0; i < count; i++) {
    if (operands[i].kind != OPERAND_VALUE) continue;
    const ir_shape *shape = &operands[i].value->type.shape;
    if (ir_shape_broadcast(out, shape, out)) continue;
    kiln_str before = ir_shape_text(p->module, out), now = ir_shape_text(p->module, shape);
    kiln_str what = str_format(p->scratch, "operand %u", i + 1);
    ir_op op = {.code = code};
    diag_report(p->diags, DIAG_shape_mismatch, at, ir_op_label(&op), what.data, STR_FMT(now), "what comes before it",
                STR_FMT(before));
    return false;
  }
  return true;
}

enum { MAP_MOST = 3 };

operand parse_map(parser *p, ir_code code, const operand *operands, uint32_t count, loc at) {
  const ir_op_info *info = ir_op_get(code);
  uint32_t first = info->result == IR_RESULT_SELECT ? 1 : 0;
  ir_value *values[MAP_MOST];
  operand typed[MAP_MOST];
  ir_shape shape;
  if (count != (uint32_t)info->arity) {
    p->b.loc = at;
    ir_op op = {.code = code, .operand_count = count, .loc = at};
    return ir_need_count(&p->b, &op, (uint32_t)info->arity), operand_none();
  }
  for (uint32_t i = 0; i < count; i++) {
    if (operands[i].kind == OPERAND_ANY) return (operand){.kind = OPERAND_ANY, .loc = at};
    typed[i] = operands[i];
    if (!operand_is_untyped(&typed[i])) typed[i] = operand_value(parse_value(p, &operands[i]), operands[i].loc);
    if (typed[i].kind == OPERAND_NONE) return operand_none();
  }
  ir_dtype dtype = common_dtype(typed, first, count);
  if (!common_shape(p, code, typed, count, at, &shape)) return operand_none();
  for (uint32_t i = 0; i < count; i++) {
    if (typed[i].kind == OPERAND_VALUE) {
      p->b.loc = at;
      values[i] = ir_broadcast_to(&p->b, typed[i].value, &shape);
    } else {
      values[i] = parse_constant(p, &typed[i], i < first ? IR_BOOL : dtype, &shape);
    }
    if (!values[i]) return operand_none();
  }
  p->b.loc = at;
  return operand_value(ir_make1(&p->b, code, values, count, NULL), at);
}
