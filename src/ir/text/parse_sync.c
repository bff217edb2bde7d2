/* What the units of a machine tell one another: teams, barriers, semaphores, copies, products, fences and warps. Words
 * that follow a statement's operands stand on its line, as statements begin with the same ones. */
#include "ir/attrs.h"
#include "ir/text/parse.h"

/* ---- teams ---- */

typedef VEC(ir_team) team_list;

static bool parse_team_axis(parser *p, ir_team_level level, team_list *out) {
  const token *t = parse_name(p, "the name of a team's axis");
  if (!t || !parse_expect(p, SIGN_COLON)) return false;
  ir_team team = {.name = parse_text(p, t), .level = level, .loc = parse_loc(p, t)};
  if (!(team.extent = parse_dim(p))) return false;
  team.index = ir_free_value(&p->b, ir_tile_type(IR_I32, NULL), team.name);
  size_t at = out->count;
  VEC_PUSH(p->arena, out, team);
  for (; at > 0 && out->data[at - 1].level > level; at--) out->data[at] = out->data[at - 1];
  out->data[at] = team;
  return scope_add(p, team.name, team.loc, operand_value(team.index, team.loc));
}

bool parse_at_team(const parser *p, ir_team_level *level) {
  for (uint32_t i = 0; i < IR_TEAM_COUNT; i++)
    if (parse_word_then(p, ir_team_name((ir_team_level)i), TOKEN_NAME)) return *level = (ir_team_level)i, true;
  return false;
}

bool parse_team(parser *p, ir_team_level level) {
  ir_kernel *k = p->kernel;
  const token *t = parse_take(p);
  team_list teams = {.data = k->teams, .count = k->team_count, .capacity = k->team_count};
  if (ir_team_axes_of(k, level).count > 0)
    return diag_report(p->diags, DIAG_two_teams, parse_loc(p, t), STR_FMT(parse_text(p, t))), false;
  bool ok = true;
  do {
    ok = parse_team_axis(p, level, &teams);
  } while (ok && parse_accept(p, SIGN_COMMA));
  k->teams = teams.data;
  k->team_count = (uint32_t)teams.count;
  if (ok && ir_team_axes_of(k, level).count > KILN_MAX_RANK)
    return diag_report(p->diags, DIAG_text_limit, parse_loc(p, t), "axes of a team",
                       (unsigned long long)ir_team_axes_of(k, level).count, (unsigned long long)KILN_MAX_RANK),
           false;
  return ok;
}

/* c, d: axes of the cluster, as bits */
static bool parse_across(parser *p, uint32_t *out) {
  const ir_team_axes axes = ir_team_axes_of(p->kernel, IR_TEAM_CLUSTER);
  do {
    const token *t = parse_name(p, "an axis of the cluster");
    uint32_t bit = 0;
    for (uint32_t i = 0; t && i < axes.count; i++)
      if (str_equal(axes.at[i].name, parse_text(p, t))) bit = UINT32_C(1) << i;
    if (!t) return false;
    if (!bit) {
      diag_report(p->diags, DIAG_unknown_param, parse_loc(p, t), STR_FMT(parse_text(p, t)), "an axis of the cluster");
      return false;
    }
    *out |= bit;
  } while (parse_accept(p, SIGN_COMMA));
  return true;
}

/* ---- scratch ---- */

bool parse_sync_type(parser *p, ir_attrs *attrs) {
  const bool barrier = parse_is_word(p, "barrier");
  if (!barrier && !parse_is_word(p, "semaphore")) return false;
  parse_take(p);
  attrs->kind = barrier ? IR_BARRIER : IR_SEMAPHORE;
  attrs->type = IR_I32;
  return true;
}

static bool parse_arrivals(parser *p, ir_attrs *attrs) {
  loc at = parse_here(p);
  ir_dim d = parse_dim(p);
  if (!d) return false;
  if (!ir_dim_known(d) || d->value < 1 || d->value > INT32_MAX)
    return diag_report(p->diags, DIAG_bad_arrivals, at), false;
  return attrs->arrivals = (uint32_t)d->value, true;
}

bool parse_sync_scratch(parser *p, ir_attrs *attrs) {
  if (parse_accept(p, SIGN_BRACKET) && !parse_dims(p, SIGN_BRACKET_END, &attrs->shape)) return false;
  if (attrs->kind == IR_SEMAPHORE) return parse_space(p, &attrs->space);
  attrs->arrivals = 1;
  if (parse_accept_word(p, "arrivals") && !parse_arrivals(p, attrs)) return false;
  attrs->tensor = parse_accept_word(p, "tensor");
  attrs->open = parse_accept_word(p, "open");
  if (parse_accept_word(p, "across") && !parse_across(p, &attrs->across)) return false;
  attrs->leader = attrs->across && parse_accept_word(p, "leader");
  return true;
}

/* ---- operands ---- */

/* What an op is made of while it is read. */
typedef struct making {
  ir_value *operands[8];
  uint32_t count;
  ir_attrs attrs;
  loc loc;
} making;

static bool add(making *m, ir_value *v) {
  if (v) m->operands[m->count++] = v;
  return v;
}

static bool add_part(parser *p, making *m) { return add(m, parse_ref_part(p)); }

static bool add_scalar(parser *p, making *m, ir_dtype dtype, const char *what) {
  operand o = parse_expr(p);
  return o.kind != OPERAND_NONE && add(m, parse_scalar(p, &o, dtype, what));
}

/* A word that follows on the same line. */
static bool follows(parser *p, const char *word) {
  return parse_is_word(p, word) && !parse_peek(p, 0)->first && parse_take(p);
}

/* ---- statements ---- */

static bool parse_wait(parser *p, making *m) {
  if (!add_part(p, m)) return false;
  if (m->operands[0]->type.kind == IR_SEMAPHORE) {
    if (!follows(p, "by")) return parse_expected(p, "`by` and an amount");
    if (!add_scalar(p, m, IR_I32, "the amount")) return false;
    m->attrs.keep = follows(p, "keep");
  }
  return true;
}

static bool parse_signal(parser *p, making *m) {
  if (!add_part(p, m)) return false;
  if (!follows(p, "by")) return parse_expected(p, "`by` and an amount");
  if (!add_scalar(p, m, IR_I32, "the amount")) return false;
  return !follows(p, "at") || add_scalar(p, m, IR_I32, "the device");
}

static bool parse_arrival(parser *p, making *m) {
  m->attrs.arrives = follows(p, "arrive");
  return !m->attrs.arrives || add_part(p, m);
}

static bool parse_copy_across(parser *p, making *m) {
  if (!follows(p, "across")) return true;
  if (!parse_across(p, &m->attrs.across)) return false;
  bool worded = (parse_is_word(p, "leader") || parse_is_word(p, "split")) && !parse_peek(p, 0)->first;
  return !worded || parse_attr_word(p, ATTR_ID_way, &m->attrs.way);
}

static bool parse_copy(parser *p, making *m) {
  if (!add_part(p, m) || !parse_expect(p, SIGN_ARROW) || !add_part(p, m) || !parse_arrival(p, m)) return false;
  if (follows(p, "by") && !parse_attr_word(p, ATTR_ID_atomic, &m->attrs.combine)) return false;
  m->attrs.open = follows(p, "open");
  if (!parse_copy_across(p, m)) return false;
  m->attrs.guarded = follows(p, "when");
  return !m->attrs.guarded || add_scalar(p, m, IR_BOOL, "the condition");
}

/* The left operand of a product may also be a tile. */
static bool add_factor(parser *p, making *m) {
  const token *t = parse_peek(p, 0);
  const binding *found = t->kind == TOKEN_NAME ? scope_find(p, parse_text(p, t)) : NULL;
  bool ref = found && found->operand.kind == OPERAND_VALUE && found->operand.value->type.kind != IR_TILE;
  if (ref) return add_part(p, m);
  operand o = parse_expr(p);
  return o.kind != OPERAND_NONE && add(m, parse_value(p, &o));
}

static bool parse_mma(parser *p, making *m) {
  if (!add_part(p, m) || !parse_expect(p, SIGN_COMMA) || !add_factor(p, m) || !parse_expect(p, SIGN_COMMA) ||
      !add_part(p, m))
    return false;
  m->attrs.accumulates = follows(p, "accumulate");
  if (m->attrs.accumulates && !add_scalar(p, m, IR_BOOL, "the condition")) return false;
  if (!parse_arrival(p, m)) return false;
  m->attrs.scaled = follows(p, "scale");
  if (m->attrs.scaled && (!add_part(p, m) || !parse_expect(p, SIGN_COMMA) || !add_part(p, m))) return false;
  m->attrs.sparse = follows(p, "sparse");
  if (m->attrs.sparse && !add_part(p, m)) return false;
  return !follows(p, "across") || parse_across(p, &m->attrs.across);
}

static bool parse_commit(parser *p, making *m) {
  if (!parse_attr_word(p, ATTR_ID_what, &m->attrs.what) || !parse_arrival(p, m)) return false;
  return !follows(p, "across") || parse_across(p, &m->attrs.across);
}

/* Whatever was asked, all blocks of the cluster are told. */
static bool parse_claim(parser *p, making *m) {
  if (!add_part(p, m) || !parse_arrival(p, m)) return false;
  const uint32_t axes = ir_team_axes_of(p->kernel, IR_TEAM_CLUSTER).count;
  m->attrs.across = (UINT32_C(1) << axes) - 1;
  return m->attrs.arrives || parse_expected(p, "`arrive` and a barrier");
}

static bool parse_await(parser *p, making *m) {
  if (!parse_attr_word(p, ATTR_ID_what, &m->attrs.what)) return false;
  if (m->attrs.what != IR_WHAT_TMEM && !add_scalar(p, m, IR_I32, "how many may be left")) return false;
  m->attrs.sources = follows(p, "sources");
  return true;
}

/* ---- expressions ---- */

static bool parse_peer(parser *p, making *m) {
  if (!add_part(p, m)) return false;
  if (!follows(p, "at")) return parse_expected(p, "`at` and the block's coordinates");
  do {
    if (m->count == sizeof m->operands / sizeof *m->operands) return parse_expected(p, "fewer coordinates");
    if (!add_scalar(p, m, IR_I32, "a coordinate")) return false;
  } while (parse_accept(p, SIGN_COMMA));
  return true;
}

/* ---- all of them ---- */

/* What is behind an op's word. */
typedef struct phrase {
  ir_code code;
  bool (*parse)(parser *p, making *m);
} phrase;

static const phrase statements[] = {{IR_arrive, add_part},   {IR_wait, parse_wait},   {IR_signal, parse_signal},
                                    {IR_copy, parse_copy},   {IR_mma, parse_mma},     {IR_commit, parse_commit},
                                    {IR_await, parse_await}, {IR_claim, parse_claim}, {0}};
static const phrase queries[] = {{IR_test, add_part}, {IR_count, add_part}, {IR_peer, parse_peer}, {0}};

/* The phrase that begins here: its word and, on the same line, a name, as nothing else reads. NULL: none does. */
static const phrase *phrase_here(const parser *p, const phrase *all) {
  for (; all->parse; all++)
    if (parse_word_then(p, ir_op_get(all->code)->text, TOKEN_NAME) && !parse_peek(p, 1)->first) return all;
  return NULL;
}

static ir_op *parse_phrase(parser *p, const phrase *which) {
  making m = {.loc = parse_here(p)};
  parse_take(p);
  if (!which->parse(p, &m)) return NULL;
  p->b.loc = m.loc;
  return ir_make(&p->b, which->code, m.operands, m.count, &m.attrs);
}

bool parse_is_sync(const parser *p) { return phrase_here(p, statements); }
bool parse_sync(parser *p) { return parse_phrase(p, phrase_here(p, statements)); }

bool parse_is_query(const parser *p) { return phrase_here(p, queries); }

operand parse_query(parser *p) {
  const loc here = parse_here(p);
  const ir_op *op = parse_phrase(p, phrase_here(p, queries));
  return op ? operand_value(op->results[0], here) : operand_none();
}
