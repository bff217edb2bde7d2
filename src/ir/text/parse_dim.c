/* Types and sizes: `f32[8, cdiv(N, 2)]`. A size is computed from integers and symbolic sizes only; the names in
 * parameter types declare the symbols. */
#include "ir/text/parse.h"

static const struct {
  ir_dim_op op;
  uint32_t level;
} signs[SIGN_COUNT] = {
    [SIGN_PLUS] = {IR_DIM_ADD, 1},  [SIGN_MINUS] = {IR_DIM_SUB, 1},   [SIGN_STAR] = {IR_DIM_MUL, 2},
    [SIGN_SLASH] = {IR_DIM_DIV, 2}, [SIGN_PERCENT] = {IR_DIM_MOD, 2},
};

static ir_dim parse_level(parser *p, uint32_t least);

static bool call_op(kiln_str name, ir_dim_op *op) {
  if (str_is(name, "cdiv"))
    *op = IR_DIM_CDIV;
  else if (str_is(name, "min"))
    *op = IR_DIM_MIN;
  else if (str_is(name, "max"))
    *op = IR_DIM_MAX;
  else
    return false;
  return true;
}

static ir_dim make(parser *p, ir_dim_op op, ir_dim a, ir_dim b, loc at) {
  ir_dim d = ir_dim_make(p->module, op, a, b);
  bool constant = ir_dim_known(a) && ir_dim_known(b);
  if (constant && !ir_dim_known(d))
    return diag_report(p->diags, DIAG_bad_size, at, STR_FMT(ir_dim_text(p->module, d))), NULL;
  if (d->depth <= IR_MAX_DEPTH) return d;
  diag_report(p->diags, DIAG_text_limit, at, "levels in a size", (unsigned long long)d->depth,
              (unsigned long long)IR_MAX_DEPTH);
  return NULL;
}

static ir_dim parse_dim_call(parser *p, ir_dim_op op) {
  loc at = parse_loc(p, parse_take(p));
  parse_take(p);
  ir_dim a = parse_dim(p);
  if (!a || !parse_expect(p, SIGN_COMMA)) return NULL;
  ir_dim b = parse_dim(p);
  return b && parse_expect(p, SIGN_PAREN_END) ? make(p, op, a, b, at) : NULL;
}

static ir_dim declare(parser *p, const token *t) {
  kiln_str name = parse_text(p, t);
  if (p->symbols.count == IR_MAX_SYMBOLS) {
    diag_report(p->diags, DIAG_text_limit, parse_loc(p, t), "symbolic sizes", (unsigned long long)p->symbols.count + 1,
                (unsigned long long)IR_MAX_SYMBOLS);
    return NULL;
  }
  ir_dim d = ir_dim_symbol(p->module, name);
  if (!scope_add(p, name, parse_loc(p, t), (operand){.kind = OPERAND_SIZE, .dim = d, .loc = parse_loc(p, t)}))
    return NULL;
  VEC_PUSH(p->arena, &p->symbols, d->symbol);
  return d;
}

static ir_dim parse_dim_name(parser *p) {
  ir_dim_op op;
  const token *t = parse_peek(p, 0);
  bool call = parse_peek(p, 1)->kind == TOKEN_SIGN && parse_peek(p, 1)->sign == SIGN_PAREN;
  if (call && call_op(parse_text(p, t), &op)) return parse_dim_call(p, op);
  const binding *found = scope_find(p, parse_text(p, t));
  if (p->declares && !found) return (t = parse_name(p, "a size")) ? declare(p, t) : NULL;
  if (!found) return parse_unknown_name(p, t), NULL;
  if (found->operand.kind == OPERAND_NONE || found->operand.kind == OPERAND_ANY) return NULL;
  ir_dim d = operand_dim(p, &found->operand);
  if (d) return parse_take(p), d;
  diag_report(p->diags, DIAG_not_a_size, parse_loc(p, t), STR_FMT(found->name));
  return NULL;
}

static ir_dim parse_dim_int(parser *p) {
  uint64_t value;
  const token *t = parse_take(p);
  if (lex_int(parse_text(p, t), &value) && value <= INT64_MAX) return ir_dim_const(p->module, (int64_t)value);
  diag_report(p->diags, DIAG_literal_range, parse_loc(p, t), STR_FMT(parse_text(p, t)), "a size");
  return NULL;
}

ir_dim parse_dim_primary(parser *p) {
  const token *t = parse_peek(p, 0);
  if (t->kind == TOKEN_INT) return parse_dim_int(p);
  if (t->kind == TOKEN_NAME) return parse_dim_name(p);
  if (!parse_accept(p, SIGN_PAREN)) return parse_expected(p, "a size"), NULL;
  ir_dim d = parse_dim(p);
  return d && parse_expect(p, SIGN_PAREN_END) ? d : NULL;
}

static ir_dim parse_dim_unary(parser *p) {
  bool negative = false;
  loc at = parse_here(p);
  while (parse_accept(p, SIGN_MINUS)) negative = !negative;
  ir_dim d = parse_dim_primary(p);
  return d && negative ? make(p, IR_DIM_SUB, ir_dim_const(p->module, 0), d, at) : d;
}

static ir_dim parse_level(parser *p, uint32_t least) {
  ir_dim left = parse_dim_unary(p);
  while (left) {
    const token *t = parse_peek(p, 0);
    uint32_t level = t->kind == TOKEN_SIGN && !t->assign ? signs[t->sign].level : 0;
    if (level < least || level == 0) break;
    parse_take(p);
    ir_dim right = parse_level(p, level + 1);
    left = right ? make(p, signs[t->sign].op, left, right, parse_loc(p, t)) : NULL;
  }
  return left;
}

ir_dim parse_dim(parser *p) {
  if (!parse_enter(p)) return NULL;
  ir_dim d = parse_level(p, 1);
  parse_leave(p);
  return d;
}

bool parse_dims(parser *p, token_sign end, ir_shape *out) {
  *out = (ir_shape){0};
  if (parse_accept(p, end)) return true;
  do {
    loc at = parse_here(p);
    ir_dim d = parse_dim(p);
    if (!d) return false;
    if (out->rank == KILN_MAX_RANK) {
      diag_report(p->diags, DIAG_text_limit, at, "dimensions", (unsigned long long)out->rank + 1,
                  (unsigned long long)KILN_MAX_RANK);
      return false;
    }
    if (ir_dim_known(d) && d->value < 0)
      return diag_report(p->diags, DIAG_bad_size, at, STR_FMT(ir_dim_text(p->module, d))), false;
    out->dims[out->rank++] = d;
  } while (parse_accept(p, SIGN_COMMA));
  return parse_expect(p, end);
}

bool parse_type(parser *p, ir_type *out) {
  const token *t = parse_peek(p, 0);
  *out = (ir_type){.kind = IR_TILE};
  if (t->kind != TOKEN_NAME) return parse_expected(p, "a type");
  if (!ir_dtype_find(parse_text(p, t), &out->dtype)) {
    kiln_str names[IR_DTYPE_COUNT];
    for (uint32_t i = 0; i < IR_DTYPE_COUNT; i++) names[i] = str_from(ir_dtype_get((ir_dtype)i)->name);
    diag_report_with(p->diags, DIAG_unknown_type, parse_loc(p, t),
                     &(diag_extra){.hint = parse_guess(p, parse_text(p, t), names, IR_DTYPE_COUNT)},
                     STR_FMT(parse_text(p, t)));
    return false;
  }
  parse_take(p);
  return !parse_accept(p, SIGN_BRACKET) || parse_dims(p, SIGN_BRACKET_END, &out->shape);
}

bool parse_space(parser *p, ir_space *out) {
  if (!parse_accept_word(p, "in")) return true;
  const token *t = parse_peek(p, 0);
  if (t->kind != TOKEN_NAME) return parse_expected(p, "a memory space");
  if (ir_space_find(parse_text(p, t), out)) return parse_take(p), true;
  kiln_str names[IR_SPACE_COUNT];
  for (uint32_t i = 0; i < IR_SPACE_COUNT; i++) names[i] = str_from(ir_space_name((ir_space)i));
  diag_report_with(p->diags, DIAG_unknown_space, parse_loc(p, t),
                   &(diag_extra){.hint = parse_guess(p, parse_text(p, t), names, IR_SPACE_COUNT)},
                   STR_FMT(parse_text(p, t)));
  return false;
}
