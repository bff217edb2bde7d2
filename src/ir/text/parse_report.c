/* Tokens one by one, and what is said when they are wrong. */
#include <string.h>

#include "ir/text/parse.h"

static const uint64_t most_steps = UINT64_C(1) << 23; /* tokens read, those of inlined functions each time */

const token *parse_peek(const parser *p, uint32_t ahead) {
  uint32_t left = p->token_count - p->at;
  return &p->tokens[p->at + (ahead < left ? ahead : left)];
}

kiln_str parse_text(const parser *p, const token *t) { return lex_text(&p->module->source, t); }
loc parse_loc(const parser *p, const token *t) { return (loc){&p->module->source, t->offset, t->length}; }
loc parse_here(const parser *p) { return parse_loc(p, parse_peek(p, 0)); }

static bool is_sign(const token *t, token_sign sign) { return t->kind == TOKEN_SIGN && t->sign == sign && !t->assign; }

bool parse_is_sign(const parser *p, token_sign sign) { return is_sign(parse_peek(p, 0), sign); }

bool parse_is_word(const parser *p, const char *word) {
  const token *t = parse_peek(p, 0);
  return t->kind == TOKEN_NAME && str_is(parse_text(p, t), word);
}

bool parse_word_then(const parser *p, const char *word, token_kind kind) {
  return parse_is_word(p, word) && parse_peek(p, 1)->kind == kind;
}

const token *parse_take(parser *p) {
  const token *t = parse_peek(p, 0);
  p->steps++;
  if (p->at < p->token_count) p->at++;
  return t;
}

bool parse_accept(parser *p, token_sign sign) { return parse_is_sign(p, sign) && parse_take(p); }
bool parse_accept_word(parser *p, const char *word) { return parse_is_word(p, word) && parse_take(p); }

bool parse_expect(parser *p, token_sign sign) {
  if (parse_accept(p, sign)) return true;
  char what[8] = "`";
  strcat(strcat(what, lex_sign(sign)->text), "`");
  return parse_expected(p, what);
}

static kiln_str found_text(const parser *p, const token *t) {
  if (t->kind == TOKEN_END) return STR("the end of the text");
  return str_format(p->scratch, "`%.*s`", STR_FMT(parse_text(p, t)));
}

/* What people write who know other languages. */
static const char *hint_for_word(const parser *p) {
  static const struct {
    const char *word, *hint;
  } habits[] = {{"if", "a condition is written `when i == 0 { .. } else { .. }`"},
                {"return", "a kernel writes its outputs, as in `y[...] = v`; `return` ends a func"},
                {"def", "write `kernel name(x: f32[N]) -> (y: f32[N]) { .. }` or `func name(x) { return .. }`"}};
  for (size_t i = 0; i < sizeof habits / sizeof *habits; i++)
    if (parse_is_word(p, habits[i].word)) return habits[i].hint;
  return NULL;
}

bool parse_expected(parser *p, const char *what) {
  const token *t = parse_peek(p, 0);
  if (parse_stopped(p)) return false;
  diag_report_with(p->diags, DIAG_expected_token, parse_loc(p, t), &(diag_extra){.hint = hint_for_word(p)}, what,
                   found_text(p, t).data);
  return false;
}

static const char *const reserved[] = {"kernel", "func",  "let",    "for",     "while", "when",  "else", "switch",
                                       "case",   "yield", "return", "true",    "view",  "false", "inf",  "nan",
                                       "in",     "with",  "keep",   "reverse", "warps", "scope"};

bool parse_reserved(kiln_str name) {
  ir_dtype dtype;
  for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
    if (str_is(name, reserved[i])) return true;
  }
  return ir_dtype_find(name, &dtype);
}

const token *parse_name(parser *p, const char *what) {
  const token *t = parse_peek(p, 0);
  if (t->kind != TOKEN_NAME) return parse_expected(p, what), NULL;
  if (!parse_reserved(parse_text(p, t))) return parse_take(p);
  diag_report(p->diags, DIAG_reserved_word, parse_loc(p, t), STR_FMT(parse_text(p, t)));
  return NULL;
}

/* ---- limits ---- */

bool parse_stopped(const parser *p) {
  return diag_sink_errors(p->diags) - p->errors_before >= IR_MAX_ERRORS || p->steps > most_steps ||
         (p->kernel && p->kernel->value_count > IR_MAX_VALUES);
}

void parse_report_stop(parser *p) {
  bool ops = p->kernel && p->kernel->value_count > IR_MAX_VALUES;
  if (p->limited || (!ops && p->steps <= most_steps)) return;
  p->limited = true;
  diag_report(p->diags, DIAG_text_limit, parse_here(p), ops ? "values in a kernel" : "tokens with functions inlined",
              ops ? (unsigned long long)p->kernel->value_count : (unsigned long long)p->steps,
              ops ? (unsigned long long)IR_MAX_VALUES : (unsigned long long)most_steps);
}

bool parse_enter(parser *p) {
  if (p->depth < IR_MAX_DEPTH) return ++p->depth, true;
  diag_report(p->diags, DIAG_text_limit, parse_here(p), "levels of nesting", (unsigned long long)p->depth + 1,
              (unsigned long long)IR_MAX_DEPTH);
  return false;
}

void parse_leave(parser *p) { p->depth--; }

/* ---- unknown names ---- */

static void consider(kiln_str name, kiln_str candidate, size_t *best, kiln_str *out) {
  size_t distance = str_distance(name, candidate), most = 1 + name.size / 4;
  if (distance > 0 && distance <= most && distance < name.size && distance < *best) {
    *best = distance;
    *out = candidate;
  }
}

static void consider_types(kiln_str name, size_t *best, kiln_str *out) {
  for (uint32_t i = 0; i < IR_DTYPE_COUNT; i++) consider(name, str_from(ir_dtype_get((ir_dtype)i)->name), best, out);
}

static const char *meant(const parser *p, kiln_str best) {
  return best.size ? str_format(p->scratch, "did you mean `%.*s`?", STR_FMT(best)).data : NULL;
}

const char *parse_guess(const parser *p, kiln_str name, const kiln_str *names, size_t count) {
  size_t distance = SIZE_MAX;
  kiln_str best = {0};
  for (size_t i = 0; i < count; i++) consider(name, names[i], &distance, &best);
  return meant(p, best);
}

bool parse_unknown_name(parser *p, const token *t) {
  size_t distance = SIZE_MAX;
  kiln_str best = {0}, name = parse_text(p, t);
  for (size_t i = 0; i < p->names.count; i++) {
    if (scope_find(p, p->names.entries[i].key)) consider(name, p->names.entries[i].key, &distance, &best);
  }
  consider_types(name, &distance, &best);
  diag_report_with(p->diags, DIAG_unknown_name, parse_loc(p, t), &(diag_extra){.hint = meant(p, best)}, STR_FMT(name));
  return false;
}

bool parse_unknown_call(parser *p, const token *t) {
  size_t distance = SIZE_MAX;
  kiln_str best = {0}, name = parse_text(p, t);
  for (uint32_t i = 0; i < IR_CODE_COUNT; i++) {
    if (ir_op_get((ir_code)i)->form != IR_FORM_EFFECT)
      consider(name, str_from(ir_op_get((ir_code)i)->text), &distance, &best);
  }
  for (size_t i = 0; i < p->funcs.count; i++) consider(name, p->funcs.entries[i].key, &distance, &best);
  consider_types(name, &distance, &best);
  diag_report_with(p->diags, DIAG_unknown_op, parse_loc(p, t), &(diag_extra){.hint = meant(p, best)}, STR_FMT(name));
  return false;
}
