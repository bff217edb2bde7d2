/* Functions: untyped, and inlined by reading their text again at every call with the operands bound to the names. A
 * literal passed in stays untyped, a ref stays a ref. */
#include "ir/parse.h"

func *parse_find_func(const parser *p, kiln_str name) { return map_get(&p->funcs, name); }

static bool parse_arguments(parser *p, operand_list *out) {
  parse_take(p);
  parse_take(p);
  if (parse_accept(p, SIGN_PAREN_END)) return true;
  return parse_exprs(p, out) && parse_expect(p, SIGN_PAREN_END);
}

/* Binds the names between the func's parentheses. */
static bool bind_names(parser *p, const func *f, const operand_list *arguments, loc call) {
  size_t count = 0;
  p->at = f->params + 1;
  while (!parse_is_sign(p, SIGN_PAREN_END)) {
    const token *t = parse_name(p, "a name");
    operand o = count < arguments->count ? arguments->data[count] : operand_none();
    if (!t || !scope_add(p, parse_text(p, t), parse_loc(p, t), o)) return false;
    count++;
    if (!parse_accept(p, SIGN_COMMA)) break;
  }
  if (!parse_expect(p, SIGN_PAREN_END)) return false;
  if (count == arguments->count) return true;
  diag_report(p->diags, DIAG_argument_count, call, STR_FMT(f->name), (long long)count, count == 1 ? "" : "s",
              (long long)arguments->count);
  return false;
}

static bool parse_body(parser *p, const func *f, operand_list *results) {
  p->at = f->body + 1;
  bool ok = parse_statements(p, f->body);
  if (ok && !parse_accept_word(p, "return")) ok = parse_expected(p, "`return`");
  return ok && parse_exprs(p, results) && parse_expect(p, SIGN_BRACE_END);
}

static bool too_deep(parser *p, const func *f, loc call) {
  if (f->active) return diag_report(p->diags, DIAG_recursion, call, STR_FMT(f->name)), true;
  if (p->inline_depth < IR_MAX_INLINE) return false;
  diag_report(p->diags, DIAG_text_limit, call, "levels of inlining", (unsigned long long)p->inline_depth + 1,
              (unsigned long long)IR_MAX_INLINE);
  return true;
}

bool parse_inline(parser *p, func *f, operand_list *results) {
  operand_list arguments = {0};
  loc call = parse_here(p);
  uint32_t barrier = p->barrier;
  if (!parse_arguments(p, &arguments) || too_deep(p, f, call) || f->broken) return false;
  uint32_t back = p->at;
  scope_open(p);
  p->barrier = p->level;
  p->inline_depth++;
  f->active = true;
  bool bound = bind_names(p, f, &arguments, call);
  bool ok = bound && parse_enter(p);
  if (ok) {
    ok = parse_body(p, f, results);
    f->broken = !ok;
    parse_leave(p);
  }
  f->active = false;
  p->inline_depth--;
  scope_close(p);
  p->barrier = barrier;
  p->at = back;
  for (size_t i = 0; i < results->count; i++) results->data[i].loc = call;
  return ok;
}
