/* NAME(operands, attributes): ops, casts, sizes. */
#include <string.h>

#include "ir/attrs.h"
#include "ir/infer/infer.h"
#include "ir/text/parse.h"

typedef struct call {
  const token *name;
  loc loc;
  operand_list operands, results; /* results: of ops that make_op makes */
  operand type;                   /* a type among the operands; NONE: absent */
  uint64_t given;                 /* bit per attr_id */
  ir_attrs attrs;
} call;

/* ---- attributes ---- */

static bool parse_int(parser *p, int64_t *out) {
  loc at = parse_here(p);
  ir_dim d = parse_dim(p);
  if (d && ir_dim_known(d)) return *out = d->value, true;
  if (d) diag_report(p->diags, DIAG_not_an_integer, at);
  return false;
}

bool parse_list(parser *p, ir_list *out, bool single) {
  *out = (ir_list){0};
  if (single && !parse_is_sign(p, SIGN_BRACKET)) return out->count = 1, parse_int(p, &out->at[0]);
  if (!parse_expect(p, SIGN_BRACKET)) return false;
  if (parse_accept(p, SIGN_BRACKET_END)) return true;
  do {
    loc at = parse_here(p);
    if (out->count == KILN_MAX_RANK) {
      diag_report(p->diags, DIAG_text_limit, at, "entries in a list", (unsigned long long)KILN_MAX_RANK + 1,
                  (unsigned long long)KILN_MAX_RANK);
      return false;
    }
    if (!parse_int(p, &out->at[out->count++])) return false;
  } while (parse_accept(p, SIGN_COMMA));
  return parse_expect(p, SIGN_BRACKET_END);
}

bool parse_attr_word(parser *p, uint32_t attr, uint32_t *out) {
  const attr_id id = (attr_id)attr;
  const token *t = parse_peek(p, 0);
  if (t->kind == TOKEN_NAME && ir_attr_word(id, parse_text(p, t), out)) return parse_take(p), true;
  kiln_str words = ir_attr_words(id, p->scratch);
  kiln_str expected = str_format(p->scratch, "one of %.*s", STR_FMT(words));
  return parse_expected(p, expected.data);
}

static bool parse_attr_value(parser *p, const attr_info *info, ir_attrs *attrs) {
  void *field = (char *)attrs + info->offset;
  ir_type type;
  switch (info->kind) {
    case ATTR_INT: return parse_int(p, field);
    case ATTR_LIST: return parse_list(p, field, false);
    case ATTR_AXES: return parse_list(p, field, true);
    case ATTR_SHAPE: return parse_expect(p, SIGN_BRACKET) && parse_dims(p, SIGN_BRACKET_END, field);
    case ATTR_FLAG: return *(bool *)field = true, true;
    case ATTR_WORD: return parse_attr_word(p, (uint32_t)(info - ir_attr_get((attr_id)0)), field);
    case ATTR_TYPE: break;
  }
  if (!parse_type(p, &type)) return false;
  return memcpy(field, &type.dtype, sizeof type.dtype), true;
}

static bool unknown_attribute(parser *p, ir_code code, const token *t) {
  kiln_str names[ATTR_COUNT];
  size_t count = 0;
  for (uint32_t i = 0; i < ATTR_COUNT; i++) {
    const char *name = ir_attr_name(code, (attr_id)i);
    if (name) names[count++] = str_from(name);
  }
  diag_report_with(p->diags, DIAG_unknown_attribute, parse_loc(p, t),
                   &(diag_extra){.hint = parse_guess(p, parse_text(p, t), names, count)}, ir_op_get(code)->text,
                   STR_FMT(parse_text(p, t)));
  return false;
}

/* One attribute, its name already read. */
static bool parse_attr(parser *p, ir_code code, call *c, const token *t, bool flag) {
  for (uint32_t i = 0; i < ATTR_COUNT; i++) {
    const char *name = ir_attr_name(code, (attr_id)i);
    if (!name || !str_is(parse_text(p, t), name) || flag != (ir_attr_get((attr_id)i)->kind == ATTR_FLAG)) continue;
    if (c->given >> i & 1) return diag_report(p->diags, DIAG_duplicate_attribute, parse_loc(p, t), name), false;
    c->given |= UINT64_C(1) << i;
    return parse_attr_value(p, ir_attr_get((attr_id)i), &c->attrs);
  }
  return unknown_attribute(p, code, t);
}

/* ---- operands ---- */

static bool at_attr(const parser *p) {
  const token *after = parse_peek(p, 1);
  return parse_peek(p, 0)->kind == TOKEN_NAME && after->kind == TOKEN_SIGN && after->sign == SIGN_COLON;
}

static bool at_flag(const parser *p) {
  const token *after = parse_peek(p, 1);
  bool last = after->kind == TOKEN_SIGN && (after->sign == SIGN_COMMA || after->sign == SIGN_PAREN_END);
  return last && (parse_is_word(p, "keep") || parse_is_word(p, "reverse"));
}

static bool at_type(const parser *p) {
  ir_dtype dtype;
  const token *t = parse_peek(p, 0), *after = parse_peek(p, 1);
  bool cast = after->kind == TOKEN_SIGN && after->sign == SIGN_PAREN;
  return t->kind == TOKEN_NAME && !cast && ir_dtype_find(parse_text(p, t), &dtype);
}

static bool parse_type_operand(parser *p, call *c) {
  loc at = parse_here(p);
  ir_type type;
  if (!parse_type(p, &type)) return false;
  c->type = (operand){.kind = OPERAND_TYPE, .loc = at, .type = arena_copy(p->scratch, &type, sizeof type)};
  return true;
}

/* `axis=1`, as in Python */
static bool parse_misspelt_attr(parser *p) {
  parse_take(p);
  return parse_expected(p, "`:` behind the name of an attribute");
}

static bool parse_operands(parser *p, call *c) {
  while (!parse_is_sign(p, SIGN_PAREN_END) && !at_attr(p) && !at_flag(p)) {
    const token *after = parse_peek(p, 1);
    if (parse_peek(p, 0)->kind == TOKEN_NAME && after->kind == TOKEN_SIGN && after->sign == SIGN_ASSIGN &&
        !after->assign)
      return parse_misspelt_attr(p);
    if (at_type(p) && c->type.kind == OPERAND_NONE) {
      if (!parse_type_operand(p, c)) return false;
    } else {
      operand o = parse_expr(p);
      if (o.kind == OPERAND_NONE) return false;
      VEC_PUSH(p->scratch, &c->operands, o);
    }
    if (!parse_accept(p, SIGN_COMMA)) return parse_is_sign(p, SIGN_PAREN_END) || parse_expected(p, "`,` or `)`");
  }
  return true;
}

static bool parse_attrs(parser *p, ir_code code, call *c) {
  while (!parse_is_sign(p, SIGN_PAREN_END)) {
    bool flag = at_flag(p);
    if (!flag && !at_attr(p)) return parse_expected(p, "an attribute, such as `axis: 0`");
    const token *t = parse_take(p);
    if (!flag) parse_take(p);
    if (!parse_attr(p, code, c, t, flag)) return false;
    if (!parse_accept(p, SIGN_COMMA)) return parse_expect(p, SIGN_PAREN_END);
  }
  return parse_expect(p, SIGN_PAREN_END);
}

/* ---- ops ---- */

static bool check_given(parser *p, ir_code code, const call *c) {
  for (uint32_t i = 0; i < ATTR_COUNT; i++) {
    const char *name = ir_attr_name(code, (attr_id)i);
    if (!name || c->given >> i & 1 || ir_attr_optional(code, (attr_id)i)) continue;
    diag_report(p->diags, DIAG_missing_attribute, c->loc, ir_op_get(code)->text, name);
    return false;
  }
  return true;
}

static operand any_at(loc at) { return (operand){.kind = OPERAND_ANY, .loc = at}; }

/* Ops of several results hand all of them on, too. */
static operand make_op(parser *p, ir_code code, call *c) {
  uint32_t count = (uint32_t)c->operands.count;
  ir_value **values = ARENA_ARRAY(p->scratch, ir_value *, c->operands.count + 1);
  int32_t arity = ir_op_get(code)->arity;
  if (arity >= 0 && count != (uint32_t)arity) {
    p->b.loc = c->loc;
    return ir_need_count(&p->b, &(ir_op){.code = code, .operand_count = count, .loc = c->loc}, (uint32_t)arity),
           operand_none();
  }
  const uint32_t result_count = ir_op_results(code, count);
  if (operand_has_any(&c->operands)) {
    for (uint32_t i = 0; i < result_count; i++) VEC_PUSH(p->scratch, &c->results, any_at(c->loc));
    return check_given(p, code, c) ? any_at(c->loc) : operand_none();
  }
  for (uint32_t i = 0; i < count; i++) {
    bool fills = (code == IR_pad && i == 1) || (code == IR_gather && i == 2);
    values[i] = fills ? parse_scalar(p, &c->operands.data[i], values[0]->type.dtype, "the padding")
                      : parse_value(p, &c->operands.data[i]);
    if (!values[i]) return operand_none();
  }
  if (!check_given(p, code, c)) return operand_none();
  ir_attrs_complete(code, &c->attrs, c->given, values, count);
  p->b.loc = c->loc;
  const ir_op *op = ir_make(&p->b, code, values, count, ir_op_get(code)->attrs ? &c->attrs : NULL);
  for (uint32_t i = 0; op && i < op->result_count; i++)
    VEC_PUSH(p->scratch, &c->results, operand_value(op->results[i], c->loc));
  return op ? c->results.data[0] : operand_none();
}

static operand make_full(parser *p, call *c) {
  operand none = operand_none();
  if (c->type.kind == OPERAND_NONE)
    return diag_report(p->diags, DIAG_missing_type, c->loc, "full(0.0, f32[8, 8])"), none;
  if (c->operands.count != 1)
    return ir_need_count(&p->b, &(ir_op){.code = IR_full, .operand_count = (uint32_t)c->operands.count, .loc = c->loc},
                         1),
           none;
  ir_value *v = parse_fit(p, &c->operands.data[0], c->type.type, "the value");
  return operand_value(v, c->loc);
}

static operand make_iota(parser *p, call *c) {
  if (c->type.kind == OPERAND_NONE)
    return diag_report(p->diags, DIAG_missing_type, c->loc, "iota(i32[8, 8], axis: 1)"), operand_none();
  c->attrs.type = c->type.type->dtype;
  c->attrs.shape = c->type.type->shape;
  c->given |= UINT64_C(1) << ATTR_ID_type | UINT64_C(1) << ATTR_ID_shape;
  return make_op(p, IR_iota, c);
}

/* min and max of sizes are sizes. */
static bool fold_size_call(parser *p, ir_code code, const call *c, operand *out) {
  const operand *at = c->operands.data;
  bool sizes = c->operands.count == 2 && (code == IR_max || code == IR_min) &&
               (at[0].kind == OPERAND_SIZE || at[1].kind == OPERAND_SIZE);
  ir_dim a = sizes ? operand_dim(p, &at[0]) : NULL, b = sizes ? operand_dim(p, &at[1]) : NULL;
  if (!a || !b) return false;
  *out = operand_size(p, ir_dim_make(p->module, code == IR_max ? IR_DIM_MAX : IR_DIM_MIN, a, b), c->loc);
  return true;
}

/* size(N / 2), and cdiv(N, 8) outside of types. */
static operand parse_size_call(parser *p) {
  loc at = parse_here(p);
  if (parse_is_word(p, "cdiv")) return operand_size(p, parse_dim_primary(p), at);
  parse_take(p);
  parse_take(p);
  ir_dim d = parse_dim(p);
  if (!d || !parse_expect(p, SIGN_PAREN_END)) return operand_none();
  p->b.loc = at;
  return operand_value(ir_make1(&p->b, IR_size, NULL, 0, &(ir_attrs){.dim = d}), at);
}

static operand call_op(parser *p, call *c) {
  ir_code code;
  operand folded;
  if (parse_is_word(p, "size") || parse_is_word(p, "cdiv")) return parse_size_call(p);
  if (!ir_op_find(parse_text(p, c->name), 1, &code)) return parse_unknown_call(p, c->name), operand_none();
  parse_take(p);
  parse_take(p);
  if (!parse_operands(p, c) || !ir_op_find(parse_text(p, c->name), (uint32_t)c->operands.count, &code) ||
      !parse_attrs(p, code, c))
    return operand_none();
  if (code == IR_full) return make_full(p, c);
  if (code == IR_iota) return make_iota(p, c);
  if (c->type.kind != OPERAND_NONE) return diag_report(p->diags, DIAG_type_as_value, c->type.loc), operand_none();
  if (fold_size_call(p, code, c, &folded)) return folded;
  if (ir_op_get(code)->form == IR_FORM_MAP)
    return parse_map(p, code, c->operands.data, (uint32_t)c->operands.count, c->loc);
  return make_op(p, code, c);
}

bool parse_call(parser *p, operand_list *results) {
  call c = {.name = parse_peek(p, 0), .loc = parse_here(p)};
  operand o = call_op(p, &c);
  if (o.kind == OPERAND_NONE) return false;
  *results = c.results;
  if (results->count == 0) VEC_PUSH(p->scratch, results, o);
  return true;
}

operand parse_cast(parser *p) {
  loc at = parse_here(p);
  ir_dtype dtype;
  ir_dtype_find(parse_text(p, parse_take(p)), &dtype);
  if (!parse_is_sign(p, SIGN_PAREN)) return diag_report(p->diags, DIAG_type_as_value, at), operand_none();
  parse_take(p);
  operand o = parse_expr(p);
  if (o.kind == OPERAND_NONE || !parse_expect(p, SIGN_PAREN_END)) return operand_none();
  if (operand_is_untyped(&o)) return operand_value(parse_constant(p, &o, dtype, NULL), at);
  if (o.kind == OPERAND_ANY) return o;
  ir_value *v = parse_value(p, &o);
  p->b.loc = at;
  return v ? operand_value(ir_convert(&p->b, v, dtype), at) : operand_none();
}
