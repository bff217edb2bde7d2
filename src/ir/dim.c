/* Sizes: interned expressions over symbolic sizes. Sums and products are kept as canonical polynomials (terms sorted by
 * their factors, the constant last), so that `N + M - M` and `N` are one node and most shape questions are answered
 * before binding. What is no polynomial (division, cdiv, %, min, max) is a factor like a symbol. Expressions too big
 * for the small fixed polynomial, or whose coefficients would overflow, stay as written: still right, only compared
 * less cleverly. */
#include <inttypes.h>
#include <string.h>

#include "ir/ir.h"

enum { MAX_TERMS = 16, MAX_FACTORS = 8 };

typedef struct term {
  int64_t coefficient;
  uint32_t count;
  ir_dim factors[MAX_FACTORS];
} term;

typedef struct polynomial {
  uint32_t count;
  term terms[MAX_TERMS];
} polynomial;

/* ---- interning ---- */

static ir_dim intern(ir_module *m, const ir_dim_node *node) {
  struct {
    int64_t op, value;
    const void *a, *b;
  } key = {node->op, node->value, node->a, node->b};
  kiln_str bytes = {(const char *)&key, sizeof key};
  char symbol[1 + IR_MAX_NAME];
  if (node->op == IR_DIM_SYMBOL) {
    symbol[0] = 's';
    size_t size = node->symbol.size < IR_MAX_NAME ? node->symbol.size : IR_MAX_NAME;
    memcpy(symbol + 1, node->symbol.data, size);
    bytes = (kiln_str){symbol, 1 + size};
  }
  ir_dim_node *found = map_get(&m->dims, bytes);
  if (found) return found;
  found = arena_copy(&m->arena, node, sizeof *node);
  uint32_t a = node->a ? node->a->depth : 0, b = node->b ? node->b->depth : 0;
  found->depth = 1 + (a > b ? a : b);
  if (node->op == IR_DIM_SYMBOL) found->symbol = str_copy(&m->arena, node->symbol);
  map_put(&m->dims, bytes, found);
  return found;
}

ir_dim ir_dim_const(ir_module *m, int64_t value) {
  return intern(m, &(ir_dim_node){.op = IR_DIM_CONST, .value = value});
}
ir_dim ir_dim_symbol(ir_module *m, kiln_str name) {
  return intern(m, &(ir_dim_node){.op = IR_DIM_SYMBOL, .symbol = name});
}

static ir_dim node(ir_module *m, ir_dim_op op, ir_dim a, ir_dim b) {
  return intern(m, &(ir_dim_node){.op = op, .a = a, .b = b});
}

/* ---- polynomials ---- */

/* A total order that does not depend on when a node was made: the printed form must survive parsing again. */
static int compare(ir_dim a, ir_dim b) {
  if (a == b) return 0;
  if (a->op != b->op) return a->op < b->op ? -1 : 1;
  if (a->op == IR_DIM_CONST) return (a->value > b->value) - (a->value < b->value);
  if (a->op == IR_DIM_SYMBOL) {
    size_t size = a->symbol.size < b->symbol.size ? a->symbol.size : b->symbol.size;
    int order = memcmp(a->symbol.data, b->symbol.data, size);
    return order ? order : (a->symbol.size > b->symbol.size) - (a->symbol.size < b->symbol.size);
  }
  int order = compare(a->a, b->a);
  return order ? order : compare(a->b, b->b);
}

static int compare_terms(const term *a, const term *b) {
  if (a->count == 0 || b->count == 0) return (a->count == 0) - (b->count == 0);
  for (uint32_t i = 0; i < a->count && i < b->count; i++) {
    int order = compare(a->factors[i], b->factors[i]);
    if (order) return order;
  }
  return (a->count > b->count) - (a->count < b->count);
}

/* Adds one term at its place; false when the sum grows too long or overflows. */
static bool add_term(polynomial *p, const term *t) {
  uint32_t at = 0;
  while (at < p->count && compare_terms(&p->terms[at], t) < 0) at++;
  if (at < p->count && compare_terms(&p->terms[at], t) == 0) {
    int64_t *sum = &p->terms[at].coefficient;
    if (!i64_add(*sum, t->coefficient, sum) || *sum == INT64_MIN) return false;
    if (*sum == 0) memmove(&p->terms[at], &p->terms[at + 1], (--p->count - at) * sizeof *t);
    return true;
  }
  if (p->count == MAX_TERMS) return false;
  memmove(&p->terms[at + 1], &p->terms[at], (p->count++ - at) * sizeof *t);
  p->terms[at] = *t;
  return true;
}

static bool multiply_terms(const term *a, const term *b, term *out) {
  *out = (term){0};
  if (a->count + b->count > MAX_FACTORS || !i64_mul(a->coefficient, b->coefficient, &out->coefficient)) return false;
  uint32_t i = 0, j = 0;
  while (i < a->count || j < b->count) {
    bool left = j == b->count || (i < a->count && compare(a->factors[i], b->factors[j]) <= 0);
    out->factors[out->count++] = left ? a->factors[i++] : b->factors[j++];
  }
  return out->coefficient != INT64_MIN;
}

/* Adds scale * d to `p`. */
static bool add_dim(polynomial *p, ir_dim d, const term *scale) {
  term own = {.coefficient = 1}, product;
  if (d->op == IR_DIM_ADD) return add_dim(p, d->a, scale) && add_dim(p, d->b, scale);
  if (d->op == IR_DIM_SUB) {
    term minus = *scale;
    if (minus.coefficient == INT64_MIN) return false;
    minus.coefficient = -minus.coefficient;
    return add_dim(p, d->a, scale) && add_dim(p, d->b, &minus);
  }
  if (d->op == IR_DIM_MUL) {
    polynomial left = {0};
    if (!add_dim(&left, d->a, &own)) return false;
    for (uint32_t i = 0; i < left.count; i++) {
      if (!multiply_terms(scale, &left.terms[i], &product) || !add_dim(p, d->b, &product)) return false;
    }
    return true;
  }
  if (d->op == IR_DIM_CONST) {
    own.coefficient = d->value;
    if (d->value == 0) return true;
  } else {
    own.factors[own.count++] = d;
  }
  return multiply_terms(scale, &own, &product) && add_term(p, &product);
}

static ir_dim term_dim(ir_module *m, const term *t, int64_t coefficient) {
  ir_dim d = coefficient != 1 || t->count == 0 ? ir_dim_const(m, coefficient) : NULL;
  for (uint32_t i = 0; i < t->count; i++) d = d ? node(m, IR_DIM_MUL, d, t->factors[i]) : t->factors[i];
  return d;
}

/* The tree of a polynomial: a positive term leads where there is one, so that `N - 1` does not become `-1 + N`. */
static ir_dim polynomial_dim(ir_module *m, const polynomial *p) {
  if (p->count == 0) return ir_dim_const(m, 0);
  uint32_t head = 0;
  while (head < p->count && p->terms[head].coefficient < 0) head++;
  if (head == p->count) head = 0;
  ir_dim d = term_dim(m, &p->terms[head], p->terms[head].coefficient);
  for (uint32_t i = 0; i < p->count; i++) {
    int64_t coefficient = p->terms[i].coefficient;
    if (i == head) continue;
    if (coefficient < 0)
      d = node(m, IR_DIM_SUB, d, term_dim(m, &p->terms[i], -coefficient));
    else
      d = node(m, IR_DIM_ADD, d, term_dim(m, &p->terms[i], coefficient));
  }
  return d;
}

static bool combine(polynomial *p, ir_dim_op op, ir_dim a, ir_dim b) {
  ir_dim_node whole = {.op = op, .a = a, .b = b};
  *p = (polynomial){0};
  return add_dim(p, &whole, &(term){.coefficient = 1});
}

/* ---- making ---- */

/* One operation on numbers; false on overflow, division by zero or an uneven division. */
static bool compute(ir_dim_op op, int64_t a, int64_t b, int64_t *out) {
  switch (op) {
    case IR_DIM_ADD: return i64_add(a, b, out);
    case IR_DIM_SUB: return !__builtin_sub_overflow(a, b, out);
    case IR_DIM_MUL: return i64_mul(a, b, out);
    case IR_DIM_MIN: return *out = a < b ? a : b, true;
    case IR_DIM_MAX: return *out = a > b ? a : b, true;
    default: break;
  }
  if (b <= 0) return false;
  if (op == IR_DIM_DIV) return *out = a / b, a % b == 0;
  *out = op == IR_DIM_MOD ? a % b : a / b + (a % b > 0);
  return true;
}

/* a / b where b is a number that divides every coefficient of a. */
static bool divide(ir_module *m, ir_dim a, int64_t b, ir_dim *out) {
  polynomial p;
  if (!combine(&p, IR_DIM_ADD, a, &(ir_dim_node){.op = IR_DIM_CONST})) return false;
  for (uint32_t i = 0; i < p.count; i++) {
    if (p.terms[i].coefficient % b != 0) return false;
    p.terms[i].coefficient /= b;
  }
  return *out = polynomial_dim(m, &p), true;
}

ir_dim ir_dim_make(ir_module *m, ir_dim_op op, ir_dim a, ir_dim b) {
  int64_t value;
  ir_dim quotient;
  polynomial p;
  if (ir_dim_known(a) && ir_dim_known(b))
    return compute(op, a->value, b->value, &value) ? ir_dim_const(m, value) : node(m, op, a, b);
  if (op == IR_DIM_ADD || op == IR_DIM_SUB || op == IR_DIM_MUL) {
    return combine(&p, op, a, b) ? polynomial_dim(m, &p) : node(m, op, a, b);
  }
  bool one = ir_dim_known(b) && b->value == 1;
  if (op == IR_DIM_MOD) return one ? ir_dim_const(m, 0) : node(m, op, a, b);
  if (op == IR_DIM_MIN || op == IR_DIM_MAX)
    return a == b ? a : compare(a, b) <= 0 ? node(m, op, a, b) : node(m, op, b, a);
  if (one) return a;
  if (a == b) return ir_dim_const(m, 1);
  if (ir_dim_known(b) && b->value > 1 && divide(m, a, b->value, &quotient)) return quotient;
  return node(m, op, a, b);
}

ir_truth ir_dim_equal(ir_dim a, ir_dim b) {
  polynomial p;
  if (a == b) return IR_YES;
  if (ir_dim_known(a) && ir_dim_known(b)) return a->value == b->value ? IR_YES : IR_NO;
  if (!combine(&p, IR_DIM_SUB, a, b)) return IR_UNKNOWN;
  if (p.count == 0) return IR_YES;
  return p.count == 1 && p.terms[0].count == 0 ? IR_NO : IR_UNKNOWN;
}

bool ir_dim_eval(ir_dim d, const ir_kernel *k, const int64_t *values, int64_t *out) {
  int64_t a, b;
  if (d->op == IR_DIM_CONST) return *out = d->value, true;
  if (d->op == IR_DIM_SYMBOL) {
    for (uint32_t i = 0; i < k->symbol_count; i++) {
      if (str_equal(k->symbols[i], d->symbol)) return *out = values[i], true;
    }
    return false;
  }
  return ir_dim_eval(d->a, k, values, &a) && ir_dim_eval(d->b, k, values, &b) && compute(d->op, a, b, out);
}

bool ir_dim_mentions(ir_dim d, kiln_str symbol) {
  if (d->op == IR_DIM_SYMBOL) return str_equal(d->symbol, symbol);
  return d->op != IR_DIM_CONST && (ir_dim_mentions(d->a, symbol) || ir_dim_mentions(d->b, symbol));
}

/* ---- text ---- */

static const struct {
  const char *text;
  int level; /* binding strength; 3: written as a call or a leaf */
} signs[] = {
    [IR_DIM_CONST] = {"", 3},  [IR_DIM_SYMBOL] = {"", 3}, [IR_DIM_ADD] = {"+", 1},     [IR_DIM_SUB] = {"-", 1},
    [IR_DIM_MUL] = {"*", 2},   [IR_DIM_DIV] = {"/", 2},   [IR_DIM_CDIV] = {"cdiv", 3}, [IR_DIM_MOD] = {"%", 2},
    [IR_DIM_MIN] = {"min", 3}, [IR_DIM_MAX] = {"max", 3},
};

static void print_level(text *t, ir_dim d, int least) {
  int level = signs[d->op].level;
  bool call = d->a && level == 3, parens = level < least;
  if (d->op == IR_DIM_CONST) {
    text_format(t, "%" PRId64, d->value);
  } else if (d->op == IR_DIM_SYMBOL) {
    text_add(t, d->symbol);
  } else if (call) {
    text_format(t, "%s(", signs[d->op].text);
    print_level(t, d->a, 0);
    text_add(t, STR(", "));
    print_level(t, d->b, 0);
    text_char(t, ')');
  } else {
    if (parens) text_char(t, '(');
    print_level(t, d->a, level);
    text_format(t, " %s ", signs[d->op].text);
    print_level(t, d->b, level + 1);
    if (parens) text_char(t, ')');
  }
}

void ir_dim_print(text *t, ir_dim d) { print_level(t, d, 0); }
