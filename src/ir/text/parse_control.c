/* for, while, when, switch, scope: statements, or expressions when their regions yield; and warps. */
#include "ir/infer/infer.h"
#include "ir/text/parse.h"

/* ---- regions ---- */

static bool yield_count(parser *p, const yields *y, size_t found, loc at) {
  if (found == y->count) return true;
  diag_report(p->diags, DIAG_yielded_values, at, (long long)found, (long long)y->count);
  return false;
}

/* The first yield decides the types where nothing before it did. */
static void fix_types(parser *p, yields *y, ir_value *const *values, size_t count) {
  y->fixed = true;
  y->count = (uint32_t)count;
  y->types = ARENA_ARRAY(p->scratch, ir_type, count + 1);
  for (size_t i = 0; i < count; i++) y->types[i] = values[i]->type;
}

static bool parse_yield(parser *p, yields *y) {
  operand_list operands = {0};
  loc at = parse_loc(p, parse_take(p));
  if (!parse_exprs(p, &operands) || (y->fixed && !yield_count(p, y, operands.count, at))) return false;
  ir_value **values = ARENA_ARRAY(p->scratch, ir_value *, operands.count);
  for (size_t i = 0; i < operands.count; i++) {
    const operand *o = &operands.data[i];
    values[i] = y->fixed ? parse_exact(p, o, &y->types[i], "the yielded value") : parse_value(p, o);
    if (!values[i]) return false;
  }
  if (!y->fixed) fix_types(p, y, values, operands.count);
  p->b.loc = at;
  ir_yield(&p->b, values, (uint32_t)operands.count);
  return true;
}

static bool parse_region_end(parser *p, yields *y, uint32_t open) {
  loc close = parse_loc(p, &p->tokens[p->tokens[open].match]);
  if (parse_is_word(p, "yield")) return parse_yield(p, y) && parse_expect(p, SIGN_BRACE_END);
  if (parse_is_word(p, "return")) return diag_report(p->diags, DIAG_misplaced_return, parse_here(p)), false;
  if (y->fixed && y->count > 0) return diag_report(p->diags, DIAG_missing_yield, close), false;
  if (!y->fixed) fix_types(p, y, NULL, 0);
  return parse_expect(p, SIGN_BRACE_END);
}

bool parse_block(parser *p, ir_region *region, yields *y) {
  uint32_t open = p->at;
  ir_builder outer = p->b;
  if (!parse_expect(p, SIGN_BRACE) || !parse_enter(p)) return false;
  p->b.region = region;
  scope_open(p);
  bool ok = parse_statements(p, open);
  ok = ok && parse_region_end(p, y, open);
  scope_close(p);
  p->b = outer;
  parse_leave(p);
  if (!ok) p->at = p->tokens[open].match + 1;
  return ok;
}

/* ---- carried values ---- */

typedef struct carried {
  VEC(const token *) names;
  VEC(ir_value *) inits;
  yields yields;
} carried;

/* [`with` (name = expr, ..)] */
static bool parse_with(parser *p, carried *c) {
  *c = (carried){0};
  if (parse_accept_word(p, "with")) {
    if (!parse_expect(p, SIGN_PAREN)) return false;
    do {
      const token *t = parse_name(p, "a name");
      if (!t || !parse_expect(p, SIGN_ASSIGN)) return false;
      operand o = parse_expr(p);
      ir_value *v = parse_value(p, &o);
      if (!v) return false;
      VEC_PUSH(p->scratch, &c->names, t);
      VEC_PUSH(p->scratch, &c->inits, v);
    } while (parse_accept(p, SIGN_COMMA));
    if (!parse_expect(p, SIGN_PAREN_END)) return false;
  }
  fix_types(p, &c->yields, c->inits.data, c->inits.count);
  return true;
}

static bool bind_carried(parser *p, ir_region *region, const carried *c) {
  for (size_t i = 0; i < c->names.count; i++) {
    const token *t = c->names.data[i];
    ir_value *arg = ir_region_arg(&p->b, region, c->yields.types[i], parse_text(p, t));
    if (!scope_add(p, parse_text(p, t), parse_loc(p, t), operand_value(arg, parse_loc(p, t)))) return false;
  }
  return true;
}

static bool finish(parser *p, ir_code code, ir_value *const *operands, uint32_t operand_count,
                   ir_region *const *regions, uint32_t region_count, const yields *y, loc at, operand_list *results) {
  p->b.loc = at;
  ir_op *op =
      ir_make_control(&p->b, code, operands, operand_count, regions, region_count, y->types, y->count, &(ir_attrs){0});
  for (uint32_t i = 0; i < op->result_count; i++) VEC_PUSH(p->scratch, results, operand_value(op->results[i], at));
  return true;
}

/* ---- for ---- */

static ir_value *parse_bound(parser *p, const char *what) {
  operand o = parse_expr(p);
  return parse_scalar(p, &o, IR_I32, what);
}

/* The step is known at launch, so that the number of trips is. */
static ir_value *parse_step(parser *p) {
  operand o = operand_int(parse_here(p), 1);
  if (parse_accept_word(p, "step")) o = parse_expr(p);
  ir_value *v = parse_scalar(p, &o, IR_I32, "the step");
  if (!v) return NULL;
  bool constant = v->def && (v->def->code == IR_size ||
                             (v->def->code == IR_full && ir_bits_to_i64(IR_I32, v->def->attrs->bits) > 0));
  return constant ? v : (diag_report(p->diags, DIAG_bad_step, o.loc), NULL);
}

static bool parse_for(parser *p, loc at, operand_list *results) {
  ir_value *bounds[3];
  carried c;
  const token *t = parse_name(p, "a name");
  ir_type index = ir_tile_type(IR_I32, NULL);
  if (!t || !(parse_accept_word(p, "in") || parse_expected(p, "`in`")) || !(bounds[0] = parse_bound(p, "the begin")) ||
      !parse_expect(p, SIGN_RANGE) || !(bounds[1] = parse_bound(p, "the end")) || !(bounds[2] = parse_step(p)))
    return false;
  const bool roles = parse_accept_word(p, "roles");
  if (!parse_with(p, &c)) return false;
  ir_value **operands = ARENA_ARRAY(p->scratch, ir_value *, 3 + c.inits.count);
  for (size_t i = 0; i < 3 + c.inits.count; i++) operands[i] = i < 3 ? bounds[i] : c.inits.data[i - 3];
  ir_region *body = ir_region_new(&p->b, NULL);
  ir_value *i = ir_region_arg(&p->b, body, index, parse_text(p, t));
  scope_open(p);
  bool ok = scope_add(p, parse_text(p, t), parse_loc(p, t), operand_value(i, parse_loc(p, t))) &&
            bind_carried(p, body, &c) && parse_block(p, body, &c.yields);
  scope_close(p);
  if (!ok || !finish(p, IR_for, operands, 3 + (uint32_t)c.inits.count, &body, 1, &c.yields, at, results)) return false;
  body->owner->attrs->roles = roles;
  return true;
}

/* ---- while ---- */

/* The condition is written before the names it may use: it is stepped over, and read once `with` has been. */
static bool skip_condition(parser *p) {
  uint32_t start = p->at;
  if (parse_is_sign(p, SIGN_BRACE)) {
    p->at = parse_peek(p, 0)->match + 1;
    return true;
  }
  while (!parse_is_word(p, "with") && !parse_is_sign(p, SIGN_BRACE)) {
    const token *t = parse_peek(p, 0);
    if (t->kind == TOKEN_END || parse_is_sign(p, SIGN_BRACE_END))
      return p->at = start, parse_expected(p, "a condition and a `{`");
    p->at = t->match > p->at ? t->match + 1 : p->at + 1;
  }
  return p->at > start || parse_expected(p, "a condition");
}

static bool parse_while_condition(parser *p, ir_region *region, uint32_t end) {
  ir_type truth = ir_tile_type(IR_BOOL, NULL);
  yields y = {.fixed = true, .count = 1, .types = &truth};
  if (parse_is_sign(p, SIGN_BRACE)) return parse_block(p, region, &y);
  ir_builder outer = p->b;
  p->b.region = region;
  operand o = parse_expr(p);
  ir_value *v = parse_scalar(p, &o, IR_BOOL, "the condition");
  if (v) ir_yield(&p->b, &v, 1);
  p->b = outer;
  return v && (p->at == end || parse_expected(p, "`{`"));
}

static bool parse_while(parser *p, loc at, operand_list *results) {
  carried c;
  uint32_t start = p->at, condition_end;
  ir_region *regions[2] = {ir_region_new(&p->b, NULL), ir_region_new(&p->b, NULL)};
  if (!skip_condition(p)) return false;
  condition_end = p->at;
  if (!parse_with(p, &c)) return false;
  uint32_t body = p->at;
  scope_open(p);
  p->at = start;
  bool ok = bind_carried(p, regions[0], &c) && parse_while_condition(p, regions[0], condition_end);
  scope_close(p);
  p->at = body;
  scope_open(p);
  bool body_ok = bind_carried(p, regions[1], &c) && parse_block(p, regions[1], &c.yields);
  scope_close(p);
  return ok && body_ok &&
         finish(p, IR_while, c.inits.data, (uint32_t)c.inits.count, regions, 2, &c.yields, at, results);
}

/* ---- when, switch ---- */

static bool parse_when(parser *p, loc at, operand_list *results);

/* `else when ..` is a when alone in the else region, which hands its results on. */
static bool parse_else_when(parser *p, ir_region *region, yields *y) {
  operand_list inner = {0};
  ir_builder outer = p->b;
  if (!parse_enter(p)) return false;
  loc at = parse_loc(p, parse_take(p));
  p->b.region = region;
  bool ok = parse_when(p, at, &inner) && yield_count(p, y, inner.count, at);
  ir_value **values = ARENA_ARRAY(p->scratch, ir_value *, inner.count + 1);
  for (size_t i = 0; ok && i < inner.count; i++)
    ok = (values[i] = parse_exact(p, &inner.data[i], &y->types[i], "the yielded value")) != NULL;
  if (ok && inner.count > 0) ir_yield(&p->b, values, (uint32_t)inner.count);
  p->b = outer;
  parse_leave(p);
  return ok;
}

/* A wrong condition is stepped over, so that it hides no mistake below it. */
static bool find_block(parser *p) {
  while (!parse_is_sign(p, SIGN_BRACE)) {
    const token *t = parse_peek(p, 0);
    if (t->kind == TOKEN_END || t->first || parse_is_sign(p, SIGN_BRACE_END)) return false;
    p->at = t->match > p->at ? t->match + 1 : p->at + 1;
  }
  return true;
}

static bool parse_when(parser *p, loc at, operand_list *results) {
  yields y = {0};
  ir_region *regions[2] = {ir_region_new(&p->b, NULL), ir_region_new(&p->b, NULL)};
  operand o = parse_expr(p);
  ir_value *condition = parse_scalar(p, &o, IR_BOOL, "the condition");
  if (!condition && !find_block(p)) return false;
  bool ok = parse_block(p, regions[0], &y) && condition;
  if (parse_accept_word(p, "else")) {
    bool chained = parse_is_word(p, "when");
    ok = (chained ? parse_else_when(p, regions[1], &y) : parse_block(p, regions[1], &y)) && ok;
  } else if (ok && y.count > 0) {
    return diag_report(p->diags, DIAG_missing_else, at), false;
  }
  return ok && finish(p, IR_when, &condition, 1, regions, 2, &y, at, results);
}

static bool parse_case(parser *p, size_t expected, ir_region *region, yields *y) {
  uint64_t number;
  const token *t = parse_peek(p, 0);
  if (t->kind != TOKEN_INT) return parse_expected(p, "the number of the case");
  if (!lex_int(parse_text(p, t), &number) || number != expected)
    return diag_report(p->diags, DIAG_case_order, parse_loc(p, t), (long long)expected, STR_FMT(parse_text(p, t))),
           false;
  parse_take(p);
  return parse_block(p, region, y);
}

static bool parse_switch(parser *p, loc at, operand_list *results) {
  yields y = {0};
  VEC(ir_region *) regions = {0};
  ir_value *index = parse_bound(p, "the index");
  if (!index || !parse_expect(p, SIGN_BRACE)) return false;
  bool ok = true;
  while (ok && parse_accept_word(p, "case")) {
    VEC_PUSH(p->scratch, &regions, ir_region_new(&p->b, NULL));
    ok = parse_case(p, regions.count - 1, regions.data[regions.count - 1], &y);
  }
  if (!ok) return false;
  if (regions.count == 0) return parse_expected(p, "`case 0`");
  return parse_expect(p, SIGN_BRACE_END) &&
         finish(p, IR_switch, &index, 1, regions.data, (uint32_t)regions.count, &y, at, results);
}

/* ---- scope, warps ---- */

static bool parse_scope(parser *p, loc at, operand_list *results) {
  yields y = {0};
  ir_region *body = ir_region_new(&p->b, NULL);
  return parse_block(p, body, &y) && finish(p, IR_scope, NULL, 0, &body, 1, &y, at, results);
}

static bool parse_warps(parser *p, loc at, operand_list *results) {
  yields none = {.fixed = true};
  const token *t = parse_name(p, "a name");
  if (!t) return false;
  ir_region *body = ir_region_new(&p->b, NULL);
  ir_value *warp = ir_region_arg(&p->b, body, ir_tile_type(IR_I32, NULL), parse_text(p, t));
  scope_open(p);
  bool ok = scope_add(p, parse_text(p, t), parse_loc(p, t), operand_value(warp, parse_loc(p, t))) &&
            parse_block(p, body, &none);
  scope_close(p);
  return ok && finish(p, IR_warps, NULL, 0, &body, 1, &none, at, results);
}

static const struct {
  const char *word;
  bool (*parse)(parser *p, loc at, operand_list *results);
} controls[] = {{"for", parse_for},       {"while", parse_while}, {"when", parse_when},
                {"switch", parse_switch}, {"scope", parse_scope}, {"warps", parse_warps}};

bool parse_is_control(const parser *p) {
  for (size_t i = 0; i < sizeof controls / sizeof *controls; i++) {
    if (parse_is_word(p, controls[i].word)) return true;
  }
  return false;
}

bool parse_control(parser *p, operand_list *results) {
  for (size_t i = 0; i < sizeof controls / sizeof *controls; i++) {
    if (!parse_is_word(p, controls[i].word)) continue;
    return controls[i].parse(p, parse_loc(p, parse_take(p)), results);
  }
  return false;
}
