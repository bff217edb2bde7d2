/* x[..]: reading a ref, writing it, viewing it, and slicing a tile. */
#include "ir/attrs.h"
#include "ir/infer/infer.h"
#include "ir/text/parse.h"

/* One part between commas, as written. */
typedef struct entry {
  operand start; /* NONE: absent */
  bool range;
  ir_dim size; /* range; NULL: absent */
  int64_t stride;
  loc loc;
} entry;

typedef struct place {
  loc loc;
  entry entries[KILN_MAX_RANK];
  uint32_t count;
  int32_t ellipsis; /* entries before it; -1: none */
  operand mask, other;
  ir_attrs attrs; /* resolved: one index per dimension, operands counted from 0 */
  ir_value *starts[KILN_MAX_RANK];
  uint32_t start_count;
  ir_shape arrays; /* that index tiles broadcast to */
  bool has_arrays;
  ir_shape shape; /* of what it cuts out */
} place;

/* ---- as written ---- */

static bool at_end_of_entry(const parser *p) {
  return parse_is_sign(p, SIGN_COMMA) || parse_is_sign(p, SIGN_BRACKET_END) || parse_is_sign(p, SIGN_COLON);
}

static bool parse_stride(parser *p, entry *e) {
  loc at = parse_here(p);
  ir_dim d = parse_dim(p);
  if (!d) return false;
  if (!ir_dim_known(d) || d->value < 1) return diag_report(p->diags, DIAG_bad_stride, at), false;
  return e->stride = d->value, true;
}

static bool parse_entry(parser *p, entry *e) {
  *e = (entry){.stride = 1, .loc = parse_here(p)};
  if (!parse_is_sign(p, SIGN_COLON)) {
    e->start = parse_expr(p);
    if (e->start.kind == OPERAND_NONE) return false;
  }
  e->range = parse_accept(p, SIGN_COLON);
  if (!e->range) return true;
  if (!at_end_of_entry(p) && !(e->size = parse_dim(p))) return false;
  return !parse_accept(p, SIGN_COLON) || parse_stride(p, e);
}

static bool at_attr(const parser *p) {
  const token *after = parse_peek(p, 1);
  return (parse_is_word(p, "mask") || parse_is_word(p, "other")) && after->kind == TOKEN_SIGN &&
         after->sign == SIGN_COLON;
}

static bool parse_attr(parser *p, place *at) {
  operand *to = parse_is_word(p, "mask") ? &at->mask : &at->other;
  if (to->kind != OPERAND_NONE) {
    diag_report(p->diags, DIAG_duplicate_attribute, parse_here(p), to == &at->mask ? "mask" : "other");
    return false;
  }
  parse_take(p);
  parse_take(p);
  *to = parse_expr(p);
  return to->kind != OPERAND_NONE;
}

static bool parse_part(parser *p, place *at) {
  loc here = parse_here(p);
  if (at_attr(p)) return parse_attr(p, at);
  if (parse_accept(p, SIGN_ELLIPSIS)) {
    if (at->ellipsis >= 0) return diag_report(p->diags, DIAG_two_ellipses, here), false;
    return at->ellipsis = (int32_t)at->count, true;
  }
  if (at->count < KILN_MAX_RANK) return parse_entry(p, &at->entries[at->count++]);
  diag_report(p->diags, DIAG_text_limit, here, "dimensions", (unsigned long long)KILN_MAX_RANK + 1,
              (unsigned long long)KILN_MAX_RANK);
  return false;
}

static bool parse_parts(parser *p, place *at) {
  at->ellipsis = -1;
  if (!parse_expect(p, SIGN_BRACKET)) return false;
  if (parse_accept(p, SIGN_BRACKET_END)) return true;
  do {
    if (!parse_part(p, at)) return false;
  } while (parse_accept(p, SIGN_COMMA));
  return parse_expect(p, SIGN_BRACKET_END);
}

/* The entry for a dimension; NULL: all of it, by `...`. */
static const entry *entry_of(const place *at, uint32_t dimension, uint32_t rank) {
  uint32_t before = at->ellipsis < 0 ? at->count : (uint32_t)at->ellipsis, skipped = rank - at->count;
  if (dimension < before) return &at->entries[dimension];
  return dimension < before + skipped ? NULL : &at->entries[dimension - skipped];
}

static bool check_rank(parser *p, const place *at, uint32_t rank) {
  if (at->ellipsis >= 0 ? at->count <= rank : at->count == rank) return true;
  diag_report(p->diags, DIAG_index_count, at->loc, (long long)rank, (long long)at->count);
  return false;
}

/* ---- refs ---- */

static ir_dim rest_of(parser *p, ir_dim d, ir_dim start, int64_t stride) {
  return ir_dim_make(p->module, IR_DIM_CDIV, ir_dim_make(p->module, IR_DIM_SUB, d, start),
                     ir_dim_const(p->module, stride));
}

static bool is_array(const operand *o) {
  return o->kind == OPERAND_VALUE && o->value->type.kind == IR_TILE && o->value->type.shape.rank > 0 &&
         o->value->type.dtype == IR_I32;
}

static ir_value *parse_array(parser *p, place *at, const entry *e) {
  ir_value *v = parse_value(p, &e->start);
  at->has_arrays = true;
  if (ir_shape_broadcast(&at->arrays, &v->type.shape, &at->arrays)) return v;
  kiln_str found = ir_shape_text(p->module, &v->type.shape), before = ir_shape_text(p->module, &at->arrays);
  diag_report(p->diags, DIAG_shape_mismatch, e->loc, "index", "this tile", STR_FMT(found), "the one before",
              STR_FMT(before));
  return NULL;
}

/* All arrays in one shape. */
static void broadcast_arrays(parser *p, place *at) {
  p->b.loc = at->loc;
  for (uint32_t i = 0; i < at->attrs.index_count; i++) {
    const ir_index *index = &at->attrs.index[i];
    if (index->operand < 0 || at->starts[index->operand]->type.shape.rank == 0) continue;
    at->starts[index->operand] = ir_broadcast_to(&p->b, at->starts[index->operand], &at->arrays);
  }
}

static bool resolve_entry(parser *p, place *at, const entry *e, ir_dim d, ir_index *out) {
  *out = (ir_index){.operand = -1, .start = ir_dim_const(p->module, 0), .stride = 1, .size = d};
  if (!e) return true;
  out->point = !e->range;
  out->stride = e->stride;
  ir_dim start = e->start.kind == OPERAND_NONE ? out->start : operand_dim(p, &e->start);
  if (!start) {
    bool array = out->point && is_array(&e->start);
    ir_value *v = array ? parse_array(p, at, e) : parse_scalar(p, &e->start, IR_I32, "an index");
    if (!v) return false;
    if (e->range && !e->size) return diag_report(p->diags, DIAG_open_range, e->loc), false;
    out->start = NULL;
    out->operand = (int32_t)at->start_count;
    at->starts[at->start_count++] = v;
  } else {
    out->start = start;
  }
  out->size = out->point ? NULL : e->size ? e->size : rest_of(p, d, start, e->stride);
  return true;
}

/* Reads [..] after a ref of this type. */
static bool parse_place(parser *p, const ir_type *ref, place *at, loc here) {
  *at = (place){.loc = here};
  if (!parse_parts(p, at) || !check_rank(p, at, ref->shape.rank)) return false;
  at->attrs.index_count = ref->shape.rank;
  for (uint32_t i = 0; i < ref->shape.rank; i++) {
    ir_index *index = &at->attrs.index[i];
    if (!resolve_entry(p, at, entry_of(at, i, ref->shape.rank), ref->shape.dims[i], index)) return false;
  }
  if (at->has_arrays) broadcast_arrays(p, at);
  if (ir_index_shape(at->attrs.index, at->attrs.index_count, at->has_arrays ? &at->arrays : NULL, &at->shape))
    return true;
  diag_report(p->diags, DIAG_text_limit, here, "dimensions", (unsigned long long)KILN_MAX_RANK + 1,
              (unsigned long long)KILN_MAX_RANK);
  return false;
}

/* The op of a resolved place: `first` operands, the starts, then mask and other. */
static ir_op *make_access(parser *p, ir_code code, const place *at, ir_value *const *first, uint32_t first_count,
                          ir_dtype dtype) {
  ir_value *operands[2 + KILN_MAX_RANK + 2];
  uint32_t count = 0;
  ir_attrs attrs = at->attrs;
  ir_type mask_type = ir_tile_type(IR_BOOL, &at->shape), other_type = ir_tile_type(dtype, &at->shape);
  while (count < first_count) operands[count] = first[count], count++;
  for (uint32_t i = 0; i < attrs.index_count; i++) {
    if (attrs.index[i].operand >= 0) attrs.index[i].operand += (int32_t)first_count;
  }
  for (uint32_t i = 0; i < at->start_count; i++) operands[count++] = at->starts[i];
  attrs.masked = at->mask.kind != OPERAND_NONE;
  if (attrs.masked && !(operands[count++] = parse_fit(p, &at->mask, &mask_type, "the mask"))) return NULL;
  attrs.other = at->other.kind != OPERAND_NONE && code != IR_store;
  if (attrs.other && !(operands[count++] = parse_fit(p, &at->other, &other_type, "`other`"))) return NULL;
  p->b.loc = at->loc;
  return ir_make(&p->b, code, operands, count, &attrs);
}

static operand make_load(parser *p, ir_value *ref, const place *at) {
  if (at->other.kind != OPERAND_NONE && at->mask.kind == OPERAND_NONE)
    return diag_report(p->diags, DIAG_other_without_mask, at->loc), operand_none();
  ir_op *op = make_access(p, IR_load, at, &ref, 1, ref->type.dtype);
  return op ? operand_value(op->results[0], at->loc) : operand_none();
}

/* ---- tiles ---- */

/* What is cut out of a tile: first by known starts, then by computed ones, then every so many. */
typedef struct cut {
  ir_attrs known, computed, apart; /* of a slice, a dynamic_slice, a slice */
  ir_value *starts[1 + KILN_MAX_RANK];
  bool is_known, is_computed, is_apart; /* which of them do something */
  uint32_t points;
} cut;

static bool cut_known(parser *p, cut *c, const entry *e, ir_dim d, ir_dim start, uint32_t i) {
  ir_dim size = e->range ? e->size : ir_dim_const(p->module, 1);
  bool whole = start->value == 0 && e->stride == 1 && (!size || ir_dim_equal(size, d) == IR_YES);
  if (size && !ir_dim_known(size) && !whole) return diag_report(p->diags, DIAG_tile_index, e->loc), false;
  c->known.start.at[i] = start->value;
  c->known.stride.at[i] = e->stride;
  if (size && ir_dim_known(size)) c->known.size.at[i] = size->value;
  c->is_known |= !whole;
  return true;
}

static bool cut_computed(parser *p, cut *c, const entry *e, uint32_t i) {
  int64_t count = 1, span;
  if (e->range && !e->size) return diag_report(p->diags, DIAG_open_range, e->loc), false;
  if (e->range && !ir_dim_known(e->size)) return diag_report(p->diags, DIAG_tile_index, e->loc), false;
  if (e->range) count = e->size->value;
  if (!i64_mul(count - 1, e->stride, &span)) return diag_report(p->diags, DIAG_tile_index, e->loc), false;
  c->computed.size.at[i] = count > 0 ? span + 1 : 0;
  c->apart.size.at[i] = count;
  c->apart.stride.at[i] = e->stride;
  c->is_computed = true;
  c->is_apart |= e->stride > 1;
  return (c->starts[1 + i] = parse_scalar(p, &e->start, IR_I32, "an index")) != NULL;
}

static bool cut_entry(parser *p, cut *c, const entry *e, ir_dim d, uint32_t i) {
  c->known.size.at[i] = c->computed.size.at[i] = c->apart.size.at[i] = -1;
  c->known.stride.at[i] = c->apart.stride.at[i] = 1;
  if (!e) return true;
  c->points |= (uint32_t)!e->range << i;
  ir_dim start = e->start.kind == OPERAND_NONE ? ir_dim_const(p->module, 0) : operand_dim(p, &e->start);
  return start && ir_dim_known(start) ? cut_known(p, c, e, d, start, i) : cut_computed(p, c, e, i);
}

/* Points are ranges of size 1 so far. */
static ir_value *drop_points(parser *p, const cut *c, ir_value *part) {
  ir_attrs reshape = {0};
  if (!part || c->points == 0) return part;
  for (uint32_t i = 0; i < part->type.shape.rank; i++)
    if (!(c->points >> i & 1)) reshape.shape.dims[reshape.shape.rank++] = part->type.shape.dims[i];
  return ir_make1(&p->b, IR_reshape, &part, 1, &reshape);
}

static operand slice_tile(parser *p, ir_value *tile, const place *at) {
  const uint32_t rank = tile->type.shape.rank;
  cut *c = ARENA_NEW(p->scratch, cut);
  ir_list *const lists[] = {&c->known.start, &c->known.size, &c->known.stride, &c->computed.size,
                            &c->apart.start, &c->apart.size, &c->apart.stride};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) lists[i]->count = rank;
  for (uint32_t i = 0; i < rank; i++)
    if (!cut_entry(p, c, entry_of(at, i, rank), tile->type.shape.dims[i], i)) return operand_none();
  p->b.loc = at->loc;
  if (c->is_known || !c->is_computed) tile = ir_make1(&p->b, IR_slice, &tile, 1, &c->known);
  for (uint32_t i = 0; i < rank && c->is_computed; i++)
    if (!c->starts[1 + i]) c->starts[1 + i] = ir_scalar_i32(&p->b, 0);
  c->starts[0] = tile;
  if (tile && c->is_computed) tile = ir_make1(&p->b, IR_dynamic_slice, c->starts, 1 + rank, &c->computed);
  if (tile && c->is_apart) tile = ir_make1(&p->b, IR_slice, &tile, 1, &c->apart);
  return operand_value(drop_points(p, c, tile), at->loc);
}

static operand parse_tile_slice(parser *p, const operand *base) {
  place at = {.loc = base->loc};
  ir_value *tile = parse_value(p, base);
  if (!tile || !parse_parts(p, &at) || !check_rank(p, &at, tile->type.shape.rank)) return operand_none();
  if (at.mask.kind == OPERAND_NONE && at.other.kind == OPERAND_NONE) return slice_tile(p, tile, &at);
  return diag_report(p->diags, DIAG_tile_index, base->loc), operand_none();
}

operand parse_indexed(parser *p, const operand *base) {
  place at = {.loc = base->loc};
  if (base->kind == OPERAND_ANY) return parse_parts(p, &at) ? *base : operand_none();
  if (base->kind != OPERAND_VALUE || base->value->type.kind == IR_TILE) return parse_tile_slice(p, base);
  return parse_place(p, &base->value->type, &at, base->loc) ? make_load(p, base->value, &at) : operand_none();
}

/* ---- views and stores ---- */

/* The ref that a name stands for; NULL after a diagnostic. */
static ir_value *parse_ref_name(parser *p) {
  const token *t = parse_peek(p, 0);
  if (t->kind != TOKEN_NAME) return parse_expected(p, "the name of a ref"), NULL;
  const binding *found = scope_find(p, parse_text(p, t));
  if (!found) return parse_unknown_name(p, t), NULL;
  parse_take(p);
  if (found->operand.kind == OPERAND_VALUE && found->operand.value->type.kind != IR_TILE) return found->operand.value;
  if (found->operand.kind != OPERAND_NONE && found->operand.kind != OPERAND_ANY)
    diag_report(p->diags, DIAG_not_writable, parse_loc(p, t), STR_FMT(found->name));
  return NULL;
}

/* The view of a ref, at [ */
static ir_value *view_of(parser *p, ir_value *ref, loc here) {
  place at;
  if (!ref || !parse_place(p, &ref->type, &at, here)) return NULL;
  if (at.mask.kind != OPERAND_NONE || at.other.kind != OPERAND_NONE)
    return diag_report(p->diags, DIAG_masked_view, here), NULL;
  at.attrs.edge = parse_accept_word(p, "edge");
  ir_op *op = make_access(p, IR_view, &at, &ref, 1, ref->type.dtype);
  return op ? op->results[0] : NULL;
}

static ir_value *view_as(parser *p, ir_value *ref, loc here) {
  ir_type type;
  if (!parse_type(p, &type)) return NULL;
  p->b.loc = here;
  return ir_make1(&p->b, IR_view_as, &ref, 1, &(ir_attrs){.type = type.dtype, .shape = type.shape});
}

static ir_value *permuted(parser *p, ir_value *ref, loc here) {
  ir_attrs attrs = {0};
  if (!parse_list(p, &attrs.axes, false)) return NULL;
  p->b.loc = here;
  return ir_make1(&p->b, IR_permute, &ref, 1, &attrs);
}

/* view x[..], view x as f32[..], view x permute [..], or one of the other: view x[..] as f32[..]. */
operand parse_view(parser *p) {
  loc here = parse_here(p);
  parse_take(p);
  ir_value *ref = parse_ref_name(p);
  if (ref && !parse_is_word(p, "as") && !parse_is_word(p, "permute")) ref = view_of(p, ref, here);
  while (ref) {
    if (parse_accept_word(p, "as"))
      ref = view_as(p, ref, here);
    else if (parse_accept_word(p, "permute"))
      ref = permuted(p, ref, here);
    else
      return operand_value(ref, here);
  }
  return operand_none();
}

ir_value *parse_ref_part(parser *p) {
  loc here = parse_here(p);
  ir_value *ref = parse_ref_name(p);
  return ref && parse_is_sign(p, SIGN_BRACKET) ? view_of(p, ref, here) : ref;
}

static uint32_t parse_order(parser *p) {
  uint32_t order = IR_ORDER_RELEASE;
  while (order != IR_ORDER_NONE && !parse_accept_word(p, ir_attr_word_text(ATTR_ID_order, order))) order--;
  return order;
}

/* atomic add x[i] = v, atomic cas x[i] = expected, v, atomic release add x[i] = v */
operand parse_atomic(parser *p) {
  place at;
  loc here = parse_here(p);
  parse_take(p);
  const uint32_t order = parse_order(p);
  bool compares = parse_accept_word(p, "cas");
  uint32_t combine = 0;
  if (!compares && !parse_attr_word(p, ATTR_ID_atomic, &combine)) return operand_none();
  ir_value *ref = parse_ref_name(p);
  if (!ref || !parse_place(p, &ref->type, &at, here)) return operand_none();
  at.attrs.combine = combine;
  at.attrs.order = order;
  if (at.other.kind != OPERAND_NONE) return diag_report(p->diags, DIAG_other_in_store, here), operand_none();
  if (!parse_expect(p, SIGN_ASSIGN)) return operand_none();
  if (compares) {
    at.other = parse_expr(p);
    if (at.other.kind == OPERAND_NONE || !parse_expect(p, SIGN_COMMA)) return operand_none();
  }
  operand value = parse_expr(p);
  ir_type type = ir_tile_type(ref->type.dtype, &at.shape);
  ir_value *fitted = value.kind == OPERAND_NONE ? NULL : parse_fit(p, &value, &type, "the value");
  ir_op *op = fitted ? make_access(p, IR_atomic, &at, (ir_value *[]){ref, fitted}, 2, ref->type.dtype) : NULL;
  return op ? operand_value(op->results[0], here) : operand_none();
}

/* swap x[i] = v: what was there, read before it is written. */
operand parse_swap(parser *p) {
  place at;
  loc here = parse_here(p);
  parse_take(p);
  ir_value *ref = parse_ref_name(p);
  if (!ref || !parse_place(p, &ref->type, &at, here) || !parse_expect(p, SIGN_ASSIGN)) return operand_none();
  operand value = parse_expr(p);
  if (value.kind == OPERAND_NONE) return value;
  operand old = make_load(p, ref, &at);
  at.other = operand_none();
  ir_type type = ir_tile_type(ref->type.dtype, &at.shape);
  ir_value *fitted = old.kind == OPERAND_NONE ? NULL : parse_fit(p, &value, &type, "the value");
  return fitted && make_access(p, IR_store, &at, (ir_value *[]){ref, fitted}, 2, ref->type.dtype) ? old
                                                                                                  : operand_none();
}

/* `=`, `+=`, `max=` and the like; *computes says whether `code` counts. */
static bool parse_assignment(parser *p, bool *computes, ir_code *code) {
  const token *t = parse_peek(p, 0), *after = parse_peek(p, 1);
  bool named =
      (parse_is_word(p, "max") || parse_is_word(p, "min")) && after->kind == TOKEN_SIGN && after->sign == SIGN_ASSIGN;
  *computes = named || (t->kind == TOKEN_SIGN && t->assign);
  if (!*computes) return parse_expect(p, SIGN_ASSIGN);
  *code = named ? (parse_is_word(p, "max") ? IR_max : IR_min) : lex_sign((token_sign)t->sign)->op;
  parse_take(p);
  if (named) parse_take(p);
  return true;
}

bool parse_store(parser *p) {
  place at;
  bool computes;
  ir_code code;
  loc here = parse_here(p);
  ir_value *ref = parse_ref_name(p);
  if (!ref || !parse_place(p, &ref->type, &at, here)) return false;
  if (at.other.kind != OPERAND_NONE) return diag_report(p->diags, DIAG_other_in_store, here), false;
  if (!parse_assignment(p, &computes, &code)) return false;
  operand value = parse_expr(p);
  if (computes && value.kind != OPERAND_NONE) {
    operand old = make_load(p, ref, &at);
    value = old.kind == OPERAND_NONE ? old : parse_map(p, code, (operand[]){old, value}, 2, here);
  }
  ir_type type = ir_tile_type(ref->type.dtype, &at.shape);
  ir_value *fitted = value.kind == OPERAND_NONE ? NULL : parse_fit(p, &value, &type, "the value");
  return fitted && make_access(p, IR_store, &at, (ir_value *[]){ref, fitted}, 2, ref->type.dtype);
}
