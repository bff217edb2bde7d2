/* Solving symbolic sizes: what the shapes of the inputs and the caller's own values say about M and N, checked against
 * each other and against every parameter. */
#include <inttypes.h>
#include <stdio.h>

#include "ir/sizes.h"

typedef struct solver {
  const ir_kernel *kernel;
  diag_sink *diags;
  int64_t *values;
  ir_known *known; /* how each symbol got its value */
} solver;

static int32_t symbol_index(const ir_kernel *k, kiln_str name) {
  for (uint32_t i = 0; i < k->symbol_count; i++)
    if (str_equal(k->symbols[i], name)) return (int32_t)i;
  return -1;
}

static bool all_known(const solver *s, ir_dim d) {
  if (d->op == IR_DIM_CONST) return true;
  if (d->op == IR_DIM_SYMBOL) return s->known[symbol_index(s->kernel, d->symbol)].how != IR_SIZE_UNKNOWN;
  return all_known(s, d->a) && all_known(s, d->b);
}

static bool invert(solver *s, ir_dim d, int64_t value, const ir_known *from);

/* a op b = value with one side known: the other side's value; false when it has none. */
static bool invert_pair(solver *s, ir_dim d, int64_t value, const ir_known *from) {
  bool left = all_known(s, d->a);
  int64_t side, rest;
  if (!ir_dim_eval(left ? d->a : d->b, s->kernel, s->values, &side)) return false;
  bool right_of_sub = d->op == IR_DIM_SUB && left;
  if (d->op == IR_DIM_ADD && !__builtin_sub_overflow(value, side, &rest))
    return invert(s, left ? d->b : d->a, rest, from);
  if (right_of_sub && !__builtin_sub_overflow(side, value, &rest)) return invert(s, d->b, rest, from);
  if (d->op == IR_DIM_SUB && !left && i64_add(value, side, &rest)) return invert(s, d->a, rest, from);
  if (d->op == IR_DIM_MUL && side > 0 && value % side == 0) return invert(s, left ? d->b : d->a, value / side, from);
  if (d->op == IR_DIM_DIV && !left && i64_mul(value, side, &rest)) return invert(s, d->a, rest, from);
  return false;
}

/* Finds the one unknown symbol of `d` from d = value. */
static bool invert(solver *s, ir_dim d, int64_t value, const ir_known *from) {
  if (d->op == IR_DIM_CONST) return false;
  if (d->op == IR_DIM_SYMBOL) {
    int32_t i = symbol_index(s->kernel, d->symbol);
    if (s->known[i].how != IR_SIZE_UNKNOWN || value < 0) return false;
    s->values[i] = value;
    s->known[i] = *from;
    return true;
  }
  if (all_known(s, d->a) == all_known(s, d->b)) return false;
  return invert_pair(s, d, value, from);
}

static bool is_input(const ir_param *p) { return p->direction != KILN_OUT; }

/* One round over the inputs; true when a symbol was found. */
static bool solve_round(solver *s, const kiln_array *arrays) {
  bool found = false;
  for (uint32_t i = 0; i < s->kernel->param_count; i++) {
    const ir_param *p = &s->kernel->params[i];
    const ir_shape *shape = &p->ref->type.shape;
    if (!is_input(p) || arrays[i].rank != shape->rank) continue;
    for (uint32_t d = 0; d < shape->rank; d++) {
      ir_known from = {.how = IR_SIZE_FROM_INPUT, .param = i, .axis = d};
      found |= invert(s, shape->dims[d], arrays[i].dims[d], &from);
    }
  }
  return found;
}

static bool take_given(solver *s, const kiln_size *sizes, size_t size_count) {
  for (size_t i = 0; i < size_count; i++) {
    int32_t at = symbol_index(s->kernel, sizes[i].name);
    if (at < 0) {
      diag_report(s->diags, DIAG_size_not_used, s->kernel->loc, STR_FMT(s->kernel->name), STR_FMT(sizes[i].name));
      return false;
    }
    if (sizes[i].value < 0) {
      diag_report(s->diags, DIAG_size_negative, s->kernel->loc, STR_FMT(sizes[i].name), (long long)sizes[i].value);
      return false;
    }
    s->values[at] = sizes[i].value;
    s->known[at].how = IR_SIZE_GIVEN;
  }
  return true;
}

/* An input whose shape no value of the symbol explains: `2 * N` against 7. */
static bool report_unsolvable(const solver *s, const kiln_array *arrays, kiln_str symbol) {
  for (uint32_t i = 0; arrays && i < s->kernel->param_count; i++) {
    const ir_param *p = &s->kernel->params[i];
    for (uint32_t d = 0; is_input(p) && d < p->ref->type.shape.rank; d++) {
      if (!ir_dim_mentions(p->ref->type.shape.dims[d], symbol)) continue;
      diag_report(s->diags, DIAG_size_unsolvable, p->loc, STR_FMT(p->name), (long long)arrays[i].dims[d], d,
                  STR_FMT(p->dim_text[d]), STR_FMT(symbol));
      return true;
    }
  }
  return false;
}

static bool require_known(const solver *s, const kiln_array *arrays) {
  bool ok = true;
  for (uint32_t i = 0; i < s->kernel->symbol_count; i++) {
    if (s->known[i].how != IR_SIZE_UNKNOWN) continue;
    kiln_str name = s->kernel->symbols[i];
    if (!report_unsolvable(s, arrays, name))
      diag_report(s->diags, DIAG_size_unknown, s->kernel->loc, STR_FMT(name), STR_FMT(s->kernel->name));
    ok = false;
  }
  return ok;
}

/* ---- conflicts ---- */

enum { NOTES = 4, LABEL = 640 };

typedef struct origins {
  kiln_place notes[NOTES];
  char labels[NOTES][LABEL];
  size_t count;
} origins;

/* Says where each symbol of `d` got its value. */
static void explain(const solver *s, ir_dim d, origins *out) {
  for (uint32_t i = 0; i < s->kernel->symbol_count && out->count < NOTES; i++) {
    kiln_str symbol = s->kernel->symbols[i];
    const ir_known *known = &s->known[i];
    char *label = out->labels[out->count];
    if (!ir_dim_mentions(d, symbol)) continue;
    const ir_param *from = known->how == IR_SIZE_FROM_INPUT ? &s->kernel->params[known->param] : NULL;
    if (from)
      snprintf(label, LABEL, "%.*s is %" PRId64 " by dimension %u of `%.*s`", STR_FMT(symbol), s->values[i],
               known->axis, STR_FMT(from->name));
    else
      snprintf(label, LABEL, "%.*s was given as %" PRId64, STR_FMT(symbol), s->values[i]);
    out->notes[out->count++] = loc_place(from ? from->loc : s->kernel->loc, str_from(label));
  }
}

static bool check_dim(const solver *s, const ir_param *p, uint32_t axis, const kiln_array *array) {
  ir_dim d = p->ref->type.shape.dims[axis];
  origins from = {.count = 0};
  diag_extra extra = {.notes = from.notes};
  int64_t wanted;
  bool whole = ir_dim_eval(d, s->kernel, s->values, &wanted) && wanted >= 0;
  if (whole && (!array || array->dims[axis] == wanted)) return true;
  explain(s, d, &from);
  extra.note_count = from.count;
  if (!whole)
    diag_report_with(s->diags, DIAG_size_uneven, p->loc, &extra, STR_FMT(p->name), axis);
  else
    diag_report_with(s->diags, DIAG_array_extent, p->loc, &extra, STR_FMT(p->name), (long long)array->dims[axis], axis,
                     (long long)wanted);
  return false;
}

static bool check_type(const solver *s, const ir_param *p, const kiln_array *array) {
  const ir_type *type = &p->ref->type;
  if (array && (ir_dtype)array->dtype != type->dtype) {
    diag_report(s->diags, DIAG_array_dtype, p->loc, STR_FMT(p->name), kiln_dtype_name(array->dtype),
                ir_dtype_get(type->dtype)->name);
    return false;
  }
  if (array && array->rank != type->shape.rank) {
    diag_report(s->diags, DIAG_array_rank, p->loc, STR_FMT(p->name), array->rank, type->shape.rank);
    return false;
  }
  return true;
}

typedef bool (*check_fn)(const solver *s, const ir_param *p, const kiln_array *array);

static bool check_shape(const solver *s, const ir_param *p, const kiln_array *array) {
  bool ok = true;
  for (uint32_t d = 0; d < p->ref->type.shape.rank; d++) ok &= check_dim(s, p, d, array);
  return ok;
}

/* Every parameter, with its array where there is one. */
static bool check_params(const solver *s, const ir_size_request *r, check_fn check) {
  bool ok = true;
  for (uint32_t i = 0; i < s->kernel->param_count; i++) {
    const ir_param *p = &s->kernel->params[i];
    bool given = r->arrays && (is_input(p) || r->check_outputs);
    ok &= check(s, p, given ? &r->arrays[i] : NULL);
  }
  return ok;
}

bool ir_sizes_solve(const ir_size_request *r, diag_sink *diags, int64_t *values, ir_known *known) {
  solver s = {.kernel = r->kernel, .diags = diags, .values = values, .known = known};
  if (r->arrays && r->array_count != r->kernel->param_count) {
    diag_report(diags, DIAG_array_count, r->kernel->loc, STR_FMT(r->kernel->name), r->kernel->param_count,
                (unsigned)r->array_count);
    return false;
  }
  if (!take_given(&s, r->sizes, r->size_count) || !check_params(&s, r, check_type)) return false;
  while (r->arrays && solve_round(&s, r->arrays)) continue;
  return require_known(&s, r->arrays) && check_params(&s, r, check_shape);
}
