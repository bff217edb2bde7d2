/* Functions: untyped, and inlined by reading their text again at every call with the operands bound to the names. A
 * literal passed in stays untyped, a ref stays a ref. */
#include "ir/text/parse.h"

func *parse_find_func(const parser *p, kiln_str name) { return map_get(&p->funcs, name); }

static bool parse_arguments(parser *p, operand_list *out) {
  parse_take(p);
  parse_take(p);
  if (parse_accept(p, SIGN_PAREN_END)) return true;
  return parse_exprs(p, out) && parse_expect(p, SIGN_PAREN_END);
}

/* Binds the names between the func's parentheses; without arguments to OPERAND_ANY. */
static bool bind_names(parser *p, const func *f, const operand_list *arguments, loc call) {
  size_t count = 0;
  p->at = f->params + 1;
  while (!parse_is_sign(p, SIGN_PAREN_END)) {
    const token *t = parse_name(p, "a name");
    operand o = {.kind = arguments ? OPERAND_NONE : OPERAND_ANY};
    if (arguments && count < arguments->count) o = arguments->data[count];
    if (!t || !scope_add(p, parse_text(p, t), parse_loc(p, t), o)) return false;
    count++;
    if (!parse_accept(p, SIGN_COMMA)) break;
  }
  if (!parse_expect(p, SIGN_PAREN_END)) return false;
  if (!arguments || count == arguments->count) return true;
  diag_report(p->diags, DIAG_argument_count, call, STR_FMT(f->name), (long long)count, count == 1 ? "" : "s",
              (long long)arguments->count);
  return false;
}

static bool parse_body(parser *p, const func *f, operand_list *results) {
  p->at = f->body + 1;
  bool ok = parse_statements(p, f->body);
  bool ends = parse_accept_word(p, "return") || (ok && parse_expected(p, "`return`"));
  return ends && parse_exprs(p, results) && parse_expect(p, SIGN_BRACE_END) && ok;
}

static bool too_deep(parser *p, const func *f, loc call) {
  if (f->active) return diag_report(p->diags, DIAG_recursion, call, STR_FMT(f->name)), true;
  if (p->inline_depth < IR_MAX_INLINE) return false;
  diag_report(p->diags, DIAG_text_limit, call, "levels of inlining", (unsigned long long)p->inline_depth + 1,
              (unsigned long long)IR_MAX_INLINE);
  return true;
}

static bool parse_bound_body(parser *p, func *f, const operand_list *arguments, loc call, operand_list *results) {
  uint32_t barrier = p->barrier;
  scope_open(p);
  p->barrier = p->level;
  p->inline_depth++;
  f->active = f->called = true;
  bool ok = bind_names(p, f, arguments, call) && parse_enter(p);
  if (ok) {
    ok = parse_body(p, f, results);
    f->broken = !ok;
    parse_leave(p);
  }
  f->active = false;
  p->inline_depth--;
  scope_close(p);
  p->barrier = barrier;
  return ok;
}

bool parse_inline(parser *p, func *f, operand_list *results) {
  operand_list arguments = {0};
  loc call = parse_here(p);
  if (!parse_arguments(p, &arguments) || too_deep(p, f, call) || f->broken) return false;
  uint32_t back = p->at;
  bool ok = parse_bound_body(p, f, &arguments, call, results);
  p->at = back;
  for (size_t i = 0; i < results->count; i++) results->data[i].loc = call;
  return ok;
}

/* The sizes of all kernels, since the function may be meant for any of them. */
static void add_all_sizes(parser *p) {
  for (size_t i = 0; i < p->kernels.count; i++) {
    const ir_kernel *k = p->kernels.data[i];
    for (uint32_t j = 0; j < k->symbol_count; j++) {
      operand size = {.kind = OPERAND_SIZE, .dim = ir_dim_symbol(p->module, k->symbols[j])};
      if (!scope_find(p, k->symbols[j])) scope_add(p, k->symbols[j], (loc){0}, size);
    }
  }
}

/* Its ops go to a kernel that nobody sees. Where too little is known to go on, a statement ends without a diagnostic:
 * that is no mistake. */
bool parse_uncalled(parser *p, func *f) {
  operand_list results = {0};
  size_t errors = diag_sink_errors(p->diags);
  ir_kernel *k = ARENA_NEW(p->arena, ir_kernel);
  parse_begin_kernel(p, k);
  p->b.region = ir_region_new(&p->b, NULL);
  scope_open(p);
  add_all_sizes(p);
  scope_open(p);
  parse_bound_body(p, f, NULL, (loc){0}, &results);
  while (p->level > 0) scope_close(p);
  p->kernel = NULL;
  return diag_sink_errors(p->diags) == errors;
}
