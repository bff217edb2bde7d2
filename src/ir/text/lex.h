/* Text to tokens. The whole text is cut at once, with brackets matched: the parser jumps (functions are read again at
 * every call) and recovers from mistakes by skipping to where a bracket closes. Private to src/ir. */
#ifndef KILN_SRC_IR_TEXT_LEX_H
#define KILN_SRC_IR_TEXT_LEX_H

#include "ir/ir.h"

typedef enum token_kind { TOKEN_END, TOKEN_NAME, TOKEN_INT, TOKEN_FLOAT, TOKEN_STRING, TOKEN_SIGN } token_kind;

typedef enum token_sign {
#define SIGN(id, text, level, op) SIGN_##id,
#include "ir/text/signs.def"
#undef SIGN
  SIGN_COUNT
} token_sign;

typedef struct sign_info {
  const char *text;
  uint32_t level;
  ir_code op;
} sign_info;
const sign_info *lex_sign(token_sign sign);

typedef struct token {
  uint8_t kind, sign;
  bool first;  /* of its line */
  bool assign; /* an operator sign followed by `=`: an assignment that computes */
  uint32_t offset, length;
  uint32_t match; /* brackets: index of the other one */
} token;

typedef struct token_list {
  const token *at; /* ends with a TOKEN_END */
  uint32_t count;  /* without it */
} token_list;

/* Tokens go to `a`. False after diagnostics: a character, a number or a bracket is wrong, or the text is too large. */
bool lex(arena *a, const source *from, diag_sink *diags, token_list *out);

kiln_str lex_text(const source *from, const token *t);
/* The number a token stands for; false: it does not fit 64 bits. */
bool lex_int(kiln_str digits, uint64_t *out);
double lex_float(arena *a, kiln_str digits);
/* What a "..." stands for; the text of the token is with its quotes. */
kiln_str lex_string(arena *a, kiln_str quoted);

/* Where the text says, by `source "file":line:column`, that it was made of another one. */
void lex_origins(arena *a, source *from, const token_list *tokens);

#endif
