/* Texts in quotes, and the `source` statements that say what a kernel text was made of. */
#include "ir/text/lex.h"

kiln_str lex_string(arena *a, kiln_str quoted) {
  text t = text_new(a);
  for (size_t i = 1; i + 1 < quoted.size; i++) {
    char c = quoted.data[i];
    if (c == '\\') c = quoted.data[++i] == 'n' ? '\n' : quoted.data[i];
    text_char(&t, c);
  }
  return text_str(&t);
}

static bool is_colon(const token *t) { return t->kind == TOKEN_SIGN && t->sign == SIGN_COLON; }

static bool read_number(const source *from, const token *t, uint32_t *out) {
  uint64_t value = 0;
  bool ok = t->kind == TOKEN_INT && lex_int(lex_text(from, t), &value) && value > 0 && value <= UINT32_MAX;
  return *out = (uint32_t)value, ok;
}

/* source "file" : line : column. Many in a row name one file. */
static bool read_origin(arena *a, const source *from, const token *t, uint32_t left, const origin *last, origin *out) {
  if (left < 6 || !str_is(lex_text(from, t), "source") || t[1].kind != TOKEN_STRING) return false;
  if (!is_colon(&t[2]) || !read_number(from, &t[3], &out->line)) return false;
  if (!is_colon(&t[4]) || !read_number(from, &t[5], &out->column)) return false;
  out->offset = t[5].offset + t[5].length;
  out->file = lex_string(a, lex_text(from, &t[1]));
  if (last && str_equal(last->file, out->file)) out->file = last->file;
  return true;
}

/* A closing brace that is not inside of anything: the end of a kernel or function. */
static bool ends_top(const token *tokens, uint32_t i, uint32_t top) {
  return tokens[i].kind == TOKEN_SIGN && tokens[i].sign == SIGN_BRACE_END && tokens[i].match == top;
}

void lex_origins(arena *a, source *from, const token_list *tokens) {
  VEC(origin) found = {0};
  uint32_t top = UINT32_MAX; /* the brace that is open outermost */
  for (uint32_t i = 0; i < tokens->count; i++) {
    const token *t = &tokens->at[i];
    const origin *last = found.count > 0 ? &found.data[found.count - 1] : NULL;
    origin next;
    if (top == UINT32_MAX && t->kind == TOKEN_SIGN && t->sign == SIGN_BRACE) top = i;
    if (t->kind == TOKEN_NAME && read_origin(a, from, t, tokens->count - i, last, &next)) VEC_PUSH(a, &found, next);
    if (!ends_top(tokens->at, i, top)) continue;
    top = UINT32_MAX;
    if (last && last->line > 0) VEC_PUSH(a, &found, ((origin){.offset = t->offset}));
  }
  from->origins = found.data;
  from->origin_count = found.count;
}
