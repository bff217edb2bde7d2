/* Expressions: operators by binding strength, literals, names, and the arithmetic of literals and sizes, which makes no
 * ops. */
#include <math.h>

#include "ir/text/parse.h"

/* ---- arithmetic of what is untyped ---- */

static bool dim_op(ir_code code, ir_dim_op *out) {
  switch (code) {
    case IR_add: return *out = IR_DIM_ADD, true;
    case IR_sub: return *out = IR_DIM_SUB, true;
    case IR_mul: return *out = IR_DIM_MUL, true;
    case IR_div: return *out = IR_DIM_DIV, true;
    case IR_rem: return *out = IR_DIM_MOD, true;
    default: return false;
  }
}

/* A size computed from sizes; a division of two integers truncates, one with a symbol must come out even at launch. */
static bool fold_sizes(parser *p, ir_code code, const operand *a, const operand *b, loc at, operand *out) {
  ir_dim_op op;
  ir_dim left = operand_dim(p, a), right = operand_dim(p, b);
  if (!left || !right || !dim_op(code, &op)) return false;
  if (a->kind == OPERAND_INT && b->kind == OPERAND_INT && (op == IR_DIM_DIV || op == IR_DIM_MOD)) {
    if (right->value == 0 || right->value == -1) return false;
    return *out = operand_int(at, op == IR_DIM_DIV ? left->value / right->value : left->value % right->value), true;
  }
  ir_dim d = ir_dim_make(p->module, op, left, right);
  if (d->depth > IR_MAX_DEPTH || (ir_dim_known(left) && ir_dim_known(right) && !ir_dim_known(d))) return false;
  return *out = operand_size(p, d, at), true;
}

static double as_float(const operand *o) {
  double magnitude = (double)o->magnitude;
  return o->kind == OPERAND_FLOAT ? o->number : o->negative ? -magnitude : magnitude;
}

static bool fold_floats(ir_code code, const operand *a, const operand *b, loc at, operand *out) {
  bool numbers =
      (a->kind == OPERAND_FLOAT || a->kind == OPERAND_INT) && (b->kind == OPERAND_FLOAT || b->kind == OPERAND_INT);
  double x = as_float(a), y = as_float(b), value;
  if (!numbers) return false;
  switch (code) {
    case IR_add: value = x + y; break;
    case IR_sub: value = x - y; break;
    case IR_mul: value = x * y; break;
    case IR_div: value = x / y; break;
    default: return false;
  }
  return *out = (operand){.kind = OPERAND_FLOAT, .loc = at, .number = value}, true;
}

static operand binary(parser *p, ir_code code, const operand *a, const operand *b, loc at) {
  operand folded;
  if (a->kind == OPERAND_NONE || b->kind == OPERAND_NONE) return operand_none();
  if (fold_sizes(p, code, a, b, at, &folded)) return folded;
  bool floats = a->kind == OPERAND_FLOAT || b->kind == OPERAND_FLOAT;
  if (floats && fold_floats(code, a, b, at, &folded)) return folded;
  return parse_map(p, code, (operand[]){*a, *b}, 2, at);
}

static operand negate(parser *p, operand o, loc at) {
  loc whole = at;
  if (o.loc.offset >= at.offset) whole.length = o.loc.offset + o.loc.length - at.offset;
  if (o.kind == OPERAND_INT) return o.negative = !o.negative && o.magnitude > 0, o.loc = whole, o;
  if (o.kind == OPERAND_FLOAT) return o.number = -o.number, o.loc = whole, o;
  if (o.kind == OPERAND_SIZE)
    return operand_size(p, ir_dim_make(p->module, IR_DIM_SUB, ir_dim_const(p->module, 0), o.dim), at);
  return o.kind == OPERAND_NONE ? o : parse_map(p, IR_neg, &o, 1, at);
}

static operand invert(parser *p, operand o, loc at) {
  if (o.kind == OPERAND_BOOL) return o.truth = !o.truth, o;
  return o.kind == OPERAND_NONE ? o : parse_map(p, IR_not, &o, 1, at);
}

/* ---- operands ---- */

static operand parse_number(parser *p) {
  const token *t = parse_take(p);
  operand o = {.kind = OPERAND_INT, .loc = parse_loc(p, t)};
  if (t->kind == TOKEN_FLOAT) {
    o.kind = OPERAND_FLOAT;
    o.number = lex_float(p->scratch, parse_text(p, t));
  } else if (!lex_int(parse_text(p, t), &o.magnitude)) {
    diag_report(p->diags, DIAG_literal_range, o.loc, STR_FMT(parse_text(p, t)), "64 bits");
    return operand_none();
  }
  return o;
}

static bool parse_constant_word(parser *p, operand *out) {
  static const struct {
    const char *word;
    operand operand;
  } words[] = {{"true", {.kind = OPERAND_BOOL, .truth = true}},
               {"false", {.kind = OPERAND_BOOL}},
               {"inf", {.kind = OPERAND_FLOAT, .number = INFINITY}},
               {"nan", {.kind = OPERAND_FLOAT, .number = NAN}}};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (!parse_is_word(p, words[i].word)) continue;
    *out = words[i].operand;
    out->loc = parse_loc(p, parse_take(p));
    return true;
  }
  return false;
}

static operand only_result(parser *p, const operand_list *results, loc at) {
  if (results->count == 1) return results->data[0];
  diag_report(p->diags, DIAG_result_count, at, (long long)results->count, 1LL);
  return operand_none();
}

bool parse_is_atomic(const parser *p) {
  return parse_word_then(p, "atomic", TOKEN_NAME) || parse_word_then(p, "swap", TOKEN_NAME);
}

static operand parse_word(parser *p) {
  const token *t = parse_peek(p, 0);
  const token *after = parse_peek(p, 1);
  ir_dtype dtype;
  operand o;
  operand_list results = {0};
  if (parse_constant_word(p, &o)) return o;
  if (parse_is_control(p))
    return parse_control(p, &results) ? only_result(p, &results, parse_loc(p, t)) : operand_none();
  if (str_is(parse_text(p, t), "view")) return parse_view(p);
  if (parse_is_query(p)) return parse_query(p);
  if (parse_is_atomic(p)) return str_is(parse_text(p, t), "swap") ? parse_swap(p) : parse_atomic(p);
  if (ir_dtype_find(parse_text(p, t), &dtype)) return parse_cast(p);
  if (after->kind == TOKEN_SIGN && after->sign == SIGN_PAREN) {
    func *f = parse_find_func(p, parse_text(p, t));
    bool ok = f ? parse_inline(p, f, &results) : parse_call(p, &results);
    return ok ? only_result(p, &results, parse_loc(p, t)) : operand_none();
  }
  const binding *found = scope_find(p, parse_text(p, t));
  if (!found && parse_reserved(parse_text(p, t))) return parse_expected(p, "an expression"), operand_none();
  if (!found) return parse_unknown_name(p, t), operand_none();
  o = found->operand;
  o.loc = parse_loc(p, parse_take(p));
  return o;
}

static operand parse_parens(parser *p) {
  parse_take(p);
  operand o = parse_expr(p);
  return o.kind != OPERAND_NONE && parse_expect(p, SIGN_PAREN_END) ? o : operand_none();
}

static operand parse_postfix(parser *p) {
  const token *t = parse_peek(p, 0);
  operand o;
  if (t->kind == TOKEN_INT || t->kind == TOKEN_FLOAT)
    o = parse_number(p);
  else if (t->kind == TOKEN_NAME)
    o = parse_word(p);
  else if (parse_is_sign(p, SIGN_PAREN))
    o = parse_parens(p);
  else
    return parse_expected(p, "an expression"), operand_none();
  while (o.kind != OPERAND_NONE && parse_is_sign(p, SIGN_BRACKET)) o = parse_indexed(p, &o);
  return o;
}

static operand parse_level(parser *p, uint32_t least);

/* Prefix signs are few or hostile: they are kept as token positions and applied from the inside out. */
static operand parse_unary(parser *p) {
  uint32_t start = p->at;
  while (parse_is_sign(p, SIGN_MINUS) || parse_is_sign(p, SIGN_NOT)) parse_take(p);
  uint32_t end = p->at;
  operand o = parse_postfix(p);
  while (end-- > start && o.kind != OPERAND_NONE) {
    const token *t = &p->tokens[end];
    o = t->sign == SIGN_MINUS ? negate(p, o, parse_loc(p, t)) : invert(p, o, parse_loc(p, t));
  }
  return o;
}

static operand parse_level(parser *p, uint32_t least) {
  operand left = parse_unary(p);
  while (left.kind != OPERAND_NONE) {
    const token *t = parse_peek(p, 0);
    const sign_info *sign = t->kind == TOKEN_SIGN && !t->assign ? lex_sign((token_sign)t->sign) : NULL;
    if (!sign || sign->level < least || sign->level == 0) break;
    parse_take(p);
    operand right = parse_level(p, sign->level + 1);
    left = binary(p, sign->op, &left, &right, parse_loc(p, t));
  }
  return left;
}

operand parse_expr(parser *p) {
  if (parse_stopped(p) || !parse_enter(p)) return operand_none();
  operand o = parse_level(p, 1);
  parse_leave(p);
  return o;
}

bool parse_exprs(parser *p, operand_list *out) {
  do {
    operand o = parse_expr(p);
    if (o.kind == OPERAND_NONE) return false;
    VEC_PUSH(p->scratch, out, o);
  } while (parse_accept(p, SIGN_COMMA));
  return true;
}
