/* The parser's state and the functions that its files share. Private to src/ir.
 *
 * Files: parse.c modules, kernels and their headers; parse_stmt.c statements; parse_sync.c what units tell one another;
 * parse_control.c for, while, when, switch, scope, warps;
 * parse_func.c functions, inlined at each call; parse_expr.c operators and operands; parse_call.c ops, casts and their
 * attributes; parse_index.c x[...]; parse_dim.c types and sizes; parse_layout.c layouts; scope.c names; coerce.c
 * literals and broadcasting; parse_report.c mistakes.
 *
 * Every parse function returns false, or an OPERAND_NONE, once a mistake has been reported; the statement around it
 * then skips to the next one. A name whose definition failed is bound to OPERAND_NONE, so that its uses stay silent. */
#ifndef KILN_SRC_IR_TEXT_PARSE_H
#define KILN_SRC_IR_TEXT_PARSE_H

#include "ir/text/lex.h"

/* The outer scopes of a kernel: its sizes, then its parameters and axes, then its body. */
enum { LEVEL_SIZES = 1, LEVEL_PARAMS = 2 };

/* What an expression came to. Literals and sizes stay untyped until they meet a typed operand. */
typedef enum operand_kind {
  OPERAND_NONE,
  OPERAND_INT,
  OPERAND_FLOAT,
  OPERAND_BOOL,
  OPERAND_SIZE,
  OPERAND_VALUE,
  OPERAND_TYPE,
  OPERAND_ANY /* an operand of a func that nobody calls, and what is made of one: nothing is known of it */
} operand_kind;

typedef struct operand {
  operand_kind kind;
  loc loc;
  bool negative; /* INT: -magnitude */
  uint64_t magnitude;
  double number;       /* FLOAT */
  bool truth;          /* BOOL */
  ir_dim dim;          /* SIZE: never a constant */
  ir_value *value;     /* VALUE: a tile or a ref */
  const ir_type *type; /* TYPE */
} operand;

typedef VEC(operand) operand_list;

typedef struct binding {
  kiln_str name;
  operand operand;
  loc loc;
  uint32_t level; /* scope depth, LEVEL_SIZES upward */
  struct binding *shadowed;
  struct name_entry *entry;
} binding;

/* A function of the text: token positions. */
typedef struct func {
  kiln_str name;
  uint32_t params, body; /* the opening brackets */
  bool active, broken;   /* being inlined; had a mistake */
  bool called;
} func;

/* What the `yield`s of a region must give. `types` is fixed by with-names or by the first region. */
typedef struct yields {
  bool fixed;
  uint32_t count;
  ir_type *types;
} yields;

typedef struct parser {
  ir_module *module;
  arena *arena;   /* the module's: what stays */
  arena *scratch; /* tokens, names: what goes with the parse */
  diag_sink *diags;
  size_t errors_before;
  const token *tokens;
  uint32_t token_count, at;
  uint64_t steps; /* tokens taken, inlining included: the bound on all work */
  uint32_t depth;
  map names, funcs;
  VEC(binding *) bound;
  uint32_t level, barrier; /* scopes between the sizes' and this are out of sight: a func does not see its caller */
  uint32_t inline_depth;
  ir_kernel *kernel;
  ir_builder b;
  bool limited;  /* the stop for too much work has been reported */
  bool declares; /* in a parameter's type: unknown names are new sizes */
  VEC(kiln_str) symbols;
  VEC(ir_kernel *) kernels;
} parser;

/* ---- tokens ---- */
const token *parse_peek(const parser *p, uint32_t ahead);
bool parse_is_sign(const parser *p, token_sign sign);
bool parse_is_word(const parser *p, const char *word);
bool parse_word_then(const parser *p, const char *word, token_kind kind); /* the word, then a token of that kind */
kiln_str parse_text(const parser *p, const token *t);
loc parse_loc(const parser *p, const token *t);
loc parse_here(const parser *p);
const token *parse_take(parser *p);
bool parse_accept(parser *p, token_sign sign);
bool parse_accept_word(parser *p, const char *word);
bool parse_expect(parser *p, token_sign sign);
const token *parse_name(parser *p, const char *what); /* a name that may be defined; NULL after a diagnostic */

/* ---- mistakes (parse_report.c) ---- */
bool parse_expected(parser *p, const char *what); /* "expected `what`, found .." here; always false */
bool parse_stopped(const parser *p);              /* too many mistakes, or too much work */
void parse_report_stop(parser *p);                /* says so, once, when it is too much work */
bool parse_enter(parser *p); /* one level deeper; false past the limit. Matched by parse_leave when true */
void parse_leave(parser *p);
const char *parse_guess(const parser *p, kiln_str name, const kiln_str *names,
                        size_t count); /* "did you mean `x`?" or NULL */
bool parse_unknown_name(parser *p, const token *t);
bool parse_unknown_call(parser *p, const token *t);
bool parse_reserved(kiln_str name);

/* ---- names (scope.c) ---- */
void scope_open(parser *p);
void scope_close(parser *p);
bool scope_add(parser *p, kiln_str name, loc at,
               operand o); /* false after a diagnostic: defined in this scope already */
const binding *scope_find(const parser *p, kiln_str name);

/* ---- values (coerce.c) ---- */
operand operand_none(void);
operand operand_value(ir_value *v, loc at);
operand operand_int(loc at, int64_t value);
operand operand_size(parser *p, ir_dim d, loc at);  /* an INT when it is a number */
ir_dim operand_dim(parser *p, const operand *o);    /* of an INT or SIZE; NULL when it is neither, or does not fit */
bool operand_is_untyped(const operand *o);          /* a literal */
bool operand_has_any(const operand_list *operands); /* one of them is OPERAND_ANY */
ir_value *parse_value(parser *p, const operand *o); /* as a tile; a literal becomes a constant of its own type */
ir_value *parse_constant(parser *p, const operand *o, ir_dtype dtype, const ir_shape *shape); /* of a literal */
/* Broadcast to the type's shape; its dtype must agree. */
ir_value *parse_fit(parser *p, const operand *o, const ir_type *type, const char *what);
ir_value *parse_exact(parser *p, const operand *o, const ir_type *type, const char *what);
ir_value *parse_scalar(parser *p, const operand *o, ir_dtype dtype, const char *what);
operand parse_map(parser *p, ir_code code, const operand *operands, uint32_t count, loc at);

/* ---- grammar ---- */
operand parse_expr(parser *p);
bool parse_exprs(parser *p, operand_list *out);                /* one or more, between commas */
bool parse_list(parser *p, ir_list *out, bool single);         /* [1, 0]; single: one number will do */
bool parse_attr_word(parser *p, uint32_t attr, uint32_t *out); /* one of the words of an attr_id */
bool parse_call(parser *p, operand_list *results);             /* at NAME ( */
operand parse_cast(parser *p);                                 /* at DTYPE */
operand parse_indexed(parser *p, const operand *base);         /* at [ */
operand parse_view(parser *p);                                 /* at `view` */
operand parse_atomic(parser *p);                               /* at `atomic` */
operand parse_swap(parser *p);                                 /* at `swap` */
bool parse_is_atomic(const parser *p);                         /* `atomic` or `swap`, and then a name */
bool parse_store(parser *p);                                   /* at NAME [ */
ir_value *parse_ref_part(parser *p);                           /* NAME or NAME[..], a ref, barrier or semaphore */
bool parse_at_header(const parser *p);                         /* at what stands before a kernel's statements */
bool parse_at_team(const parser *p, ir_team_level *level);
bool parse_team(parser *p, ir_team_level level);     /* at its word */
bool parse_sync_type(parser *p, ir_attrs *attrs);    /* `barrier` or `semaphore`; false: at neither */
bool parse_sync_scratch(parser *p, ir_attrs *attrs); /* behind that word */
bool parse_is_sync(const parser *p);                 /* at a statement that orders units */
bool parse_sync(parser *p);
bool parse_is_query(const parser *p); /* at `test`, `count`, `peer`, and then a name */
operand parse_query(parser *p);
ir_dim parse_dim(parser *p);                               /* NULL after a diagnostic */
ir_dim parse_dim_primary(parser *p);                       /* without operators */
bool parse_dims(parser *p, token_sign end, ir_shape *out); /* after the opening bracket, and past the closing one */
bool parse_type(parser *p, ir_type *out);
bool parse_layout(parser *p, const ir_type *type, kiln_layout *out); /* [{1,0:T(8,128)}] */
bool parse_space(parser *p, ir_space *out);                          /* [`in` SPACE] */
bool parse_statements(parser *p, uint32_t open); /* inside the brace at `open`, up to its end, a yield or a return */
bool parse_block(parser *p, ir_region *region, yields *y); /* { .. } into a region */
bool parse_is_control(const parser *p);
bool parse_control(parser *p, operand_list *results);
func *parse_find_func(const parser *p, kiln_str name);
bool parse_inline(parser *p, func *f, operand_list *results); /* at NAME ( */
bool parse_uncalled(parser *p, func *f);                      /* what can be said of it without a call */
void parse_begin_kernel(parser *p, ir_kernel *k);             /* from here on ops go to this kernel */
bool parse_kernel(parser *p);                                 /* at `kernel` */

#endif
