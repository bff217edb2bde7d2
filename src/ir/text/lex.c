/* Cuts a kernel text into tokens. One pass to count them, one to write them: the token array is the largest thing a
 * parse holds. */
#include "ir/text/lex.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

static const sign_info signs[SIGN_COUNT] = {
#define SIGN(id, text, level, op) {text, level, (ir_code)(op)},
#include "ir/text/signs.def"
#undef SIGN
};

const sign_info *lex_sign(token_sign sign) { return &signs[sign]; }

kiln_str lex_text(const source *from, const token *t) { return (kiln_str){from->text.data + t->offset, t->length}; }

typedef struct lexer {
  arena *arena;
  const source *source;
  diag_sink *diags;
  size_t at;
  bool first, ok;
} lexer;

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

static char peek(const lexer *l, size_t ahead) {
  kiln_str all = l->source->text;
  return l->at + ahead < all.size ? all.data[l->at + ahead] : '\0';
}

static loc place(const lexer *l, size_t offset, size_t length) {
  return (loc){l->source, (uint32_t)offset, (uint32_t)length};
}

static void skip_blank(lexer *l) {
  kiln_str all = l->source->text;
  while (l->at < all.size) {
    char c = all.data[l->at];
    if (c == '\n') {
      l->first = true;
    } else if (c == '/' && peek(l, 1) == '/') {
      const char *end = memchr(all.data + l->at, '\n', all.size - l->at);
      l->at = end ? (size_t)(end - all.data) : all.size;
      continue;
    } else if (c != ' ' && c != '\t' && c != '\r') {
      return;
    }
    l->at++;
  }
}

static size_t run(const lexer *l, size_t from, bool (*is)(char)) {
  while (is(peek(l, from))) from++;
  return from;
}

/* Digits, then a fraction and an exponent, each only where a digit follows: `0..4` is a range. */
static token number(const lexer *l) {
  token t = {.kind = TOKEN_INT, .offset = (uint32_t)l->at};
  size_t size;
  if (peek(l, 0) == '0' && (peek(l, 1) == 'x' || peek(l, 1) == 'X') && is_hex(peek(l, 2))) {
    size = run(l, 2, is_hex);
  } else {
    size = run(l, 0, is_digit);
    if (peek(l, size) == '.' && is_digit(peek(l, size + 1))) {
      t.kind = TOKEN_FLOAT;
      size = run(l, size + 1, is_digit);
    }
    size_t sign = peek(l, size + 1) == '+' || peek(l, size + 1) == '-';
    if ((peek(l, size) == 'e' || peek(l, size) == 'E') && is_digit(peek(l, size + 1 + sign))) {
      t.kind = TOKEN_FLOAT;
      size = run(l, size + 1 + sign, is_digit);
    }
  }
  t.length = (uint32_t)size;
  return t;
}

/* Up to the closing quote; without one, nothing. */
static token string(const lexer *l) {
  token t = {.kind = TOKEN_END, .offset = (uint32_t)l->at};
  kiln_str all = l->source->text;
  size_t size = 1;
  while (l->at + size < all.size && peek(l, size) != '"' && peek(l, size) != '\n')
    size += peek(l, size) == '\\' ? 2 : 1;
  if (l->at + size >= all.size || peek(l, size) != '"') return t;
  t.kind = TOKEN_STRING;
  t.length = (uint32_t)size + 1;
  return t;
}

static bool is_word(char c) { return is_letter(c) || is_digit(c); }

static token sign(const lexer *l) {
  token t = {.kind = TOKEN_END, .offset = (uint32_t)l->at};
  for (uint32_t i = 0; i < SIGN_COUNT; i++) {
    const char *spelt = signs[i].text;
    size_t size = 0;
    while (spelt[size] && peek(l, size) == spelt[size]) size++;
    if (spelt[size]) continue;
    bool operates = signs[i].level > 0 && signs[i].level != 4 && signs[i].level != 5;
    t.assign = operates && peek(l, size) == '=' && peek(l, size + 1) != '=';
    t.kind = TOKEN_SIGN;
    t.sign = (uint8_t)i;
    t.length = (uint32_t)size + t.assign;
    return t;
  }
  return t;
}

static void bad_character(lexer *l) {
  unsigned char c = (unsigned char)peek(l, 0);
  kiln_str shown =
      c > ' ' && c < 0x7f ? str_format(l->arena, "`%c`", c) : str_format(l->arena, "with the code 0x%02x", c);
  diag_report(l->diags, DIAG_unexpected_character, place(l, l->at, 1), shown.data);
  l->ok = false;
}

static void check_length(lexer *l, const token *t) {
  const char *what = t->kind == TOKEN_NAME ? "bytes in a name" : "bytes in a number";
  if (t->length <= IR_MAX_NAME || t->kind == TOKEN_STRING) return;
  diag_report(l->diags, DIAG_text_limit, place(l, t->offset, IR_MAX_NAME), what, (unsigned long long)t->length,
              (unsigned long long)IR_MAX_NAME);
  l->ok = false;
}

/* The next token; kind TOKEN_END at the end. Reports nothing when `quiet`. */
static token next(lexer *l, bool quiet) {
  for (;;) {
    token t;
    skip_blank(l);
    bool first = l->first;
    if (l->at >= l->source->text.size) return (token){.kind = TOKEN_END, .offset = (uint32_t)l->at};
    if (is_letter(peek(l, 0)))
      t = (token){.kind = TOKEN_NAME, .offset = (uint32_t)l->at, .length = (uint32_t)run(l, 0, is_word)};
    else
      t = is_digit(peek(l, 0)) ? number(l) : peek(l, 0) == '"' ? string(l) : sign(l);
    if (t.kind == TOKEN_END) {
      if (!quiet) bad_character(l);
      do l->at++;
      while ((peek(l, 0) & 0xc0) == 0x80); /* the rest of one UTF-8 character */
      continue;
    }
    t.first = first;
    l->first = false;
    if (!quiet && t.kind != TOKEN_SIGN) check_length(l, &t);
    l->at += t.length;
    if ((t.kind == TOKEN_INT || t.kind == TOKEN_FLOAT) && is_word(peek(l, 0))) {
      t.length += (uint32_t)run(l, 0, is_word);
      if (!quiet)
        diag_report(l->diags, DIAG_bad_number, place(l, t.offset, t.length), STR_FMT(lex_text(l->source, &t)));
      l->ok = false;
      l->at = t.offset + t.length;
    }
    return t;
  }
}

/* ---- brackets ---- */

static uint8_t closer_of(uint8_t open) { return (uint8_t)(open + 1); } /* signs.def lists them in pairs */
static bool opens(const token *t) {
  return t->kind == TOKEN_SIGN && (t->sign == SIGN_PAREN || t->sign == SIGN_BRACKET || t->sign == SIGN_BRACE);
}
static bool closes(const token *t) {
  return t->kind == TOKEN_SIGN &&
         (t->sign == SIGN_PAREN_END || t->sign == SIGN_BRACKET_END || t->sign == SIGN_BRACE_END);
}

static loc token_place(const lexer *l, const token *t) { return place(l, t->offset, t->length); }

static void mismatch(lexer *l, const token *open, const token *close) {
  kiln_place note = loc_place(token_place(l, open), STR("opened here"));
  kiln_str found = close->kind == TOKEN_END ? STR("the end of the text")
                                            : str_format(l->arena, "`%.*s`", STR_FMT(lex_text(l->source, close)));
  kiln_str want = str_format(l->arena, "`%s`", signs[closer_of(open->sign)].text);
  diag_report_with(l->diags, DIAG_expected_token, token_place(l, close), &(diag_extra){.notes = &note, .note_count = 1},
                   want.data, found.data);
  l->ok = false;
}

/* Fills `match` of every bracket; the first mismatch ends it, since what follows would only confuse. */
static void match_brackets(lexer *l, token *tokens, uint32_t count) {
  uint32_t stack[IR_MAX_DEPTH], depth = 0;
  for (uint32_t i = 0; i <= count && l->ok; i++) {
    token *t = &tokens[i];
    if (opens(t)) {
      if (depth == IR_MAX_DEPTH) {
        diag_report(l->diags, DIAG_text_limit, token_place(l, t), "levels of nesting", (unsigned long long)depth + 1,
                    (unsigned long long)IR_MAX_DEPTH);
        l->ok = false;
        return;
      }
      stack[depth++] = i;
    } else if (closes(t) && depth == 0) {
      diag_report(l->diags, DIAG_unmatched_close, token_place(l, t), signs[t->sign].text);
      l->ok = false;
    } else if (closes(t) || (t->kind == TOKEN_END && depth > 0)) {
      token *open = &tokens[stack[--depth]];
      if (t->kind == TOKEN_END || t->sign != closer_of(open->sign)) mismatch(l, open, t);
      open->match = i;
      t->match = stack[depth];
    }
  }
}

static bool too_large(lexer *l, const char *what, size_t size, size_t limit, size_t offset) {
  diag_report(l->diags, DIAG_text_limit, place(l, offset, 0), what, (unsigned long long)size,
              (unsigned long long)limit);
  return false;
}

bool lex(arena *a, const source *from, diag_sink *diags, token_list *out) {
  lexer l = {.arena = a, .source = from, .diags = diags, .first = true, .ok = true};
  uint32_t count = 0;
  if (from->text.size > IR_MAX_TEXT) return too_large(&l, "bytes of text", from->text.size, IR_MAX_TEXT, 0);
  for (token t; (t = next(&l, true)).kind != TOKEN_END;) {
    if (count++ == IR_MAX_TOKENS) return too_large(&l, "tokens", count, IR_MAX_TOKENS, t.offset);
  }
  token *tokens = ARENA_ARRAY(a, token, (size_t)count + 1);
  size_t start = diag_sink_errors(diags);
  l = (lexer){.arena = a, .source = from, .diags = diags, .first = true, .ok = true};
  for (uint32_t i = 0; i <= count; i++) tokens[i] = next(&l, diag_sink_errors(diags) - start >= IR_MAX_ERRORS);
  if (l.ok) match_brackets(&l, tokens, count);
  *out = (token_list){tokens, count};
  return l.ok;
}

/* ---- numbers ---- */

bool lex_int(kiln_str digits, uint64_t *out) {
  bool hex = digits.size > 2 && (digits.data[1] == 'x' || digits.data[1] == 'X');
  uint64_t value = 0;
  for (size_t i = hex ? 2 : 0; i < digits.size; i++) {
    char c = digits.data[i];
    uint64_t digit = is_digit(c) ? (uint64_t)(c - '0') : (uint64_t)((c | 0x20) - 'a') + 10;
    if (__builtin_mul_overflow(value, hex ? 16u : 10u, &value) || __builtin_add_overflow(value, digit, &value))
      return false;
  }
  return *out = value, true;
}

/* strtod reads the decimal point of the process's locale, which an embedder may have changed. */
double lex_float(arena *a, kiln_str digits) {
  const char *point = localeconv()->decimal_point;
  kiln_str copy = str_copy(a, digits);
  const char *dot = memchr(copy.data, '.', copy.size);
  if (dot && strcmp(point, ".") != 0) {
    size_t before = (size_t)(dot - copy.data);
    copy = str_format(a, "%.*s%s%.*s", (int)before, copy.data, point, (int)(copy.size - before - 1), dot + 1);
  }
  return strtod(copy.data, NULL);
}
