/* Statements, and going on after a mistake in one. */
#include "ir/text/parse.h"

/* ---- let ---- */

/* Gives a value the name it is first bound to. */
static void name_value(operand *o, kiln_str name) {
  if (o->kind == OPERAND_VALUE && o->value->name.size == 0 && o->value->def) o->value->name = name;
}

static bool bind(parser *p, const token *t, operand o) {
  name_value(&o, parse_text(p, t));
  return scope_add(p, parse_text(p, t), parse_loc(p, t), o) && o.kind != OPERAND_NONE;
}

static operand parse_annotated(parser *p) {
  ir_type type;
  if (!parse_type(p, &type) || !parse_expect(p, SIGN_ASSIGN)) return operand_none();
  operand o = parse_expr(p);
  if (o.kind == OPERAND_NONE) return o;
  return operand_value(parse_exact(p, &o, &type, "the value"), o.loc);
}

static bool parse_let_one(parser *p) {
  const token *t = parse_name(p, "a name");
  operand o = operand_none();
  if (!t) return false;
  if (parse_accept(p, SIGN_COLON))
    o = parse_annotated(p);
  else if (parse_expect(p, SIGN_ASSIGN))
    o = parse_expr(p);
  return bind(p, t, o);
}

/* What may have several results: control, or a call of a func. */
static bool parse_several(parser *p, operand_list *out) {
  const token *t = parse_peek(p, 0), *after = parse_peek(p, 1);
  bool call = t->kind == TOKEN_NAME && after->kind == TOKEN_SIGN && after->sign == SIGN_PAREN;
  func *f = call ? parse_find_func(p, parse_text(p, t)) : NULL;
  ir_code code;
  if (parse_is_control(p)) return parse_control(p, out);
  if (call && !f && ir_op_find(parse_text(p, t), 2, &code) && ir_op_results(code, 2) > 1) return parse_call(p, out);
  return f ? parse_inline(p, f, out) : parse_exprs(p, out);
}

static bool parse_let_tuple(parser *p) {
  VEC(const token *) names = {0};
  operand_list results = {0};
  do {
    const token *t = parse_name(p, "a name");
    if (!t) return false;
    VEC_PUSH(p->scratch, &names, t);
  } while (parse_accept(p, SIGN_COMMA));
  loc at = parse_here(p);
  bool ok = parse_expect(p, SIGN_PAREN_END) && parse_expect(p, SIGN_ASSIGN) &&
            (at = parse_here(p), parse_several(p, &results));
  if (ok && results.count != names.count) {
    diag_report(p->diags, DIAG_result_count, at, (long long)results.count, (long long)names.count);
    ok = false;
  }
  for (size_t i = 0; i < names.count; i++) {
    bool bound = bind(p, names.data[i], ok ? results.data[i] : operand_none());
    ok = ok && bound;
  }
  return ok;
}

/* ---- scratch ---- */

static bool parse_scratch(parser *p) {
  ir_type type;
  operand o = operand_none();
  parse_take(p);
  const token *t = parse_name(p, "a name");
  if (!t) return false;
  ir_attrs attrs = {.space = IR_SPACE_SMEM, .offset = -1};
  bool ok = parse_expect(p, SIGN_COLON);
  if (ok && parse_sync_type(p, &attrs)) {
    ok = parse_sync_scratch(p, &attrs);
  } else if (ok &&
             (ok = parse_type(p, &type) && parse_layout(p, &type, &attrs.layout) && parse_space(p, &attrs.space))) {
    attrs.type = type.dtype;
    attrs.shape = type.shape;
  }
  if (ok) {
    p->b.loc = parse_loc(p, t);
    o = operand_value(ir_make1(&p->b, IR_scratch, NULL, 0, &attrs), parse_loc(p, t));
  }
  return bind(p, t, o);
}

/* ---- all of them ---- */

static bool parse_control_statement(parser *p) {
  operand_list results = {0};
  loc at = parse_here(p);
  if (!parse_control(p, &results)) return false;
  if (results.count == 0) return true;
  return diag_report(p->diags, DIAG_unused_results, at), false;
}

/* source "file":line:column, which lex_origins has read. */
static bool parse_source(parser *p) {
  bool ok = true;
  parse_take(p);
  parse_take(p);
  for (int i = 0; i < 2 && ok; i++) {
    ok = parse_expect(p, SIGN_COLON);
    uint64_t value = 0;
    bool number = parse_peek(p, 0)->kind == TOKEN_INT && lex_int(parse_text(p, parse_peek(p, 0)), &value);
    if (ok && !(number && value > 0 && value <= UINT32_MAX)) ok = parse_expected(p, i ? "a column" : "a line");
    if (ok) parse_take(p);
  }
  return ok;
}

/* ---- what a kernel says ---- */

static kiln_str parse_words(parser *p) {
  return str_copy(p->arena, lex_string(p->scratch, parse_text(p, parse_take(p))));
}

static bool make_say(parser *p, ir_code code, const operand_list *from, kiln_str words, loc at) {
  ir_value **values = ARENA_ARRAY(p->scratch, ir_value *, from->count + 1);
  if (operand_has_any(from)) return true;
  for (size_t i = 0; i < from->count; i++)
    if (!(values[i] = parse_value(p, &from->data[i]))) return false;
  p->b.loc = at;
  return ir_make(&p->b, code, values, (uint32_t)from->count, &(ir_attrs){.words = words}) != NULL;
}

static bool parse_print(parser *p) {
  const loc at = parse_here(p);
  operand_list values = {0};
  parse_take(p);
  const kiln_str words = parse_words(p);
  if (parse_accept(p, SIGN_COMMA) && !parse_exprs(p, &values)) return false;
  return make_say(p, IR_print, &values, words, at);
}

static bool at_check(const parser *p) {
  const token *after = parse_peek(p, 1);
  bool sign =
      after->kind == TOKEN_SIGN && after->sign != SIGN_PAREN && after->sign != SIGN_MINUS && after->sign != SIGN_NOT;
  return parse_is_word(p, "check") && !sign;
}

static bool parse_check(parser *p) {
  const loc at = parse_here(p);
  operand_list condition = {0};
  parse_take(p);
  operand o = parse_expr(p);
  if (o.kind == OPERAND_NONE || !parse_expect(p, SIGN_COMMA)) return false;
  VEC_PUSH(p->scratch, &condition, o);
  if (parse_peek(p, 0)->kind != TOKEN_STRING) return parse_expected(p, "a message in quotes");
  return make_say(p, IR_check, &condition, parse_words(p), at);
}

static bool parse_statement(parser *p) {
  const token *t = parse_peek(p, 0), *after = parse_peek(p, 1);
  if (parse_word_then(p, "source", TOKEN_STRING)) return parse_source(p);
  if (parse_accept_word(p, "let")) return parse_accept(p, SIGN_PAREN) ? parse_let_tuple(p) : parse_let_one(p);
  if (parse_word_then(p, "scratch", TOKEN_NAME)) return parse_scratch(p);
  if (parse_is_control(p)) return parse_control_statement(p);
  if (parse_word_then(p, "print", TOKEN_STRING)) return parse_print(p);
  if (at_check(p)) return parse_check(p);
  if (parse_is_atomic(p)) return parse_expr(p).kind != OPERAND_NONE;
  if (parse_is_sync(p)) return parse_sync(p);
  if (parse_at_header(p))
    return diag_report(p->diags, DIAG_late_header, parse_here(p), STR_FMT(parse_text(p, t))), false;
  bool indexed = after->kind == TOKEN_SIGN && after->sign == SIGN_BRACKET;
  if (t->kind != TOKEN_NAME || parse_reserved(parse_text(p, t))) return parse_expected(p, "a statement");
  if (indexed) return parse_store(p);
  if (after->kind == TOKEN_SIGN && after->sign == SIGN_ASSIGN)
    return diag_report(p->diags, DIAG_assigned_name, parse_here(p), STR_FMT(parse_text(p, t)),
                       STR_FMT(parse_text(p, t)), STR_FMT(parse_text(p, t))),
           false;
  return parse_expected(p, "a statement");
}

/* Goes on at the next line, outside of this statement's brackets, that begins with a name. */
static void recover(parser *p, uint32_t start, uint32_t end) {
  uint32_t reached = p->at > start ? p->at : start + 1;
  for (uint32_t i = start; i < end; i++) {
    const token *t = &p->tokens[i];
    if (i >= reached && t->first && t->kind == TOKEN_NAME) {
      p->at = i;
      return;
    }
    if (t->match > i) i = t->match < end ? t->match : end;
  }
  p->at = end;
}

bool parse_statements(parser *p, uint32_t open) {
  uint32_t end = p->tokens[open].match;
  bool ok = true;
  while (p->at < end && !parse_stopped(p)) {
    uint32_t start = p->at;
    if (parse_accept(p, SIGN_SEMICOLON)) continue;
    if (parse_is_word(p, "yield") || parse_is_word(p, "return")) return ok;
    if (parse_statement(p)) continue;
    ok = false;
    recover(p, start, end);
  }
  parse_report_stop(p);
  return ok && !parse_stopped(p);
}
