/* Small questions that several passes ask of the IR. */
#include "pass/util.h"

ir_type pass_i32(void) { return (ir_type){.kind = IR_TILE, .dtype = IR_I32}; }

bool pass_splat(const ir_value *v, uint64_t *bits) {
  if (!v->def || v->def->code != IR_full) return false;
  *bits = v->def->attrs->bits;
  return true;
}

bool pass_integer(const ir_value *v, int64_t *out) {
  uint64_t bits;
  if (v->type.shape.rank != 0 || ir_is_float(v->type.dtype) || !pass_splat(v, &bits)) return false;
  *out = ir_bits_to_i64(v->type.dtype, bits);
  return true;
}

int64_t pass_divisor(int64_t extent, int64_t limit) {
  for (int64_t d = limit < extent ? limit : extent; d > 1; d--)
    if (extent % d == 0) return d;
  return 1;
}

static bool has_no_roles(void *user, ir_op *op) {
  (void)user;
  return op->code != IR_for || !op->attrs || !op->attrs->roles;
}

bool pass_region_has_roles(ir_region *region) { return !ir_walk(region, has_no_roles, NULL); }
bool pass_has_roles(ir_kernel *k) { return pass_region_has_roles(k->body); }

const ir_param *pass_param_of(const ir_kernel *k, const ir_value *root) {
  for (uint32_t i = 0; i < k->param_count; i++)
    if (k->params[i].ref == root) return &k->params[i];
  return NULL;
}

bool pass_read_only(const ir_kernel *k, const ir_value *root) {
  const ir_param *param = pass_param_of(k, root);
  if (!param || param->direction != KILN_IN) return false;
  for (uint32_t i = 0; i < k->param_count; i++)
    if (k->params[i].alias == param - k->params) return false;
  return true;
}

bool pass_share_memory(const ir_kernel *k, const ir_value *root, const ir_value *other) {
  if (root == other) return true;
  const ir_param *a = pass_param_of(k, root), *b = pass_param_of(k, other);
  return a && b && (a->alias == b - k->params || b->alias == a - k->params);
}

bool pass_at_edge(const ir_value *ref) {
  for (; ref->def && ref->def->code == IR_view; ref = ref->def->operands[0])
    if (ref->def->attrs->edge) return true;
  return false;
}

bool pass_view_reaches_outside(const ir_kernel *k, const ir_op *view) {
  for (uint32_t d = 0; d < view->attrs->index_count; d++) {
    const ir_index *index = &view->attrs->index[d];
    const int64_t span = index->point ? 0 : (index->size->value - 1) * index->stride;
    pass_range start = {0};
    if (index->operand >= 0)
      start = pass_range_of(k, view->operands[index->operand]);
    else
      start.low = start.high = index->start->value;
    if (start.low < 0 || start.high > ir_extent(&view->operands[0]->type, d) - 1 - span) return true;
  }
  return false;
}

static bool drop_edge(void *user, ir_op *op) {
  const ir_kernel *k = user;
  if (op->code == IR_view && op->attrs->edge) op->attrs->edge = pass_view_reaches_outside(k, op);
  return true;
}

void pass_drop_edges(ir_kernel *k) { ir_walk(k->body, drop_edge, k); }

bool pass_whole_access(const ir_op *op) {
  if (op->code != IR_load && op->code != IR_store) return false;
  if (op->attrs->masked) return false;
  const ir_type *ref = &op->operands[0]->type;
  for (uint32_t axis = 0; axis < op->attrs->index_count; axis++) {
    const ir_index *index = &op->attrs->index[axis];
    if (index->point || index->operand >= 0 || index->stride != 1) return false;
    if (index->start->value != 0 || index->size->value != ir_extent(ref, axis)) return false;
  }
  return true;
}

ir_attrs pass_whole_index(ir_builder *b, const ir_shape *shape) {
  ir_attrs attrs = {.index_count = shape->rank};
  for (uint32_t axis = 0; axis < shape->rank; axis++)
    attrs.index[axis] =
        (ir_index){.operand = -1, .start = ir_dim_const(b->module, 0), .size = shape->dims[axis], .stride = 1};
  return attrs;
}

ir_value *pass_load_whole(ir_builder *b, ir_value *ref) {
  const ir_attrs attrs = pass_whole_index(b, &ref->type.shape);
  return ir_make1(b, IR_load, &ref, 1, &attrs);
}

void pass_store_whole(ir_builder *b, ir_value *ref, ir_value *v) {
  const ir_attrs attrs = pass_whole_index(b, &ref->type.shape);
  ir_make(b, IR_store, (ir_value *[]){ref, v}, 2, &attrs);
}

void pass_clear(ir_builder *b, ir_value *ref) {
  pass_store_whole(b, ref, ir_full(b, ref->type.dtype, &ref->type.shape, 0));
}

ir_index pass_point(ir_builder *b, int32_t operand, int64_t start) {
  return (ir_index){.point = true, .operand = operand, .start = ir_dim_const(b->module, start), .stride = 1};
}

ir_attrs pass_row_index(ir_builder *b, const ir_shape *shape, int32_t operand, int64_t start) {
  ir_attrs attrs = pass_whole_index(b, shape);
  attrs.index[0] = pass_point(b, operand, start);
  return attrs;
}

ir_value *pass_scratch(ir_builder *b, ir_space space, ir_dtype dtype, const ir_shape *shape, kiln_str name) {
  const ir_attrs attrs = {.type = dtype, .space = space, .shape = *shape, .offset = -1};
  ir_value *ref = ir_make1(b, IR_scratch, NULL, 0, &attrs);
  ref->name = name;
  return ref;
}

/* ---- rewriting ---- */

ir_builder pass_before(const pass_ctx *c, ir_op *op) {
  return (ir_builder){.module = c->kernel->module,
                      .kernel = c->kernel,
                      .region = op->parent,
                      .before = op,
                      .loc = op->loc,
                      .diags = c->diags};
}

ir_builder pass_inside(const ir_builder *b, ir_region *region) {
  ir_builder within = *b;
  within.region = region;
  within.before = NULL;
  return within;
}

typedef struct collection {
  arena *arena;
  bool (*wanted)(ir_code code);
  pass_ops ops;
} collection;

static bool collect(void *user, ir_op *op) {
  collection *w = user;
  if (w->wanted(op->code)) VEC_PUSH(w->arena, &w->ops, op);
  return true;
}

pass_ops pass_collect(const pass_ctx *c, bool (*wanted)(ir_code code)) {
  collection found = {.arena = &c->kernel->module->arena, .wanted = wanted};
  ir_walk(c->kernel->body, collect, &found);
  return found.ops;
}

static bool expand_op(pass_ctx *c, ir_op *op, pass_expand_fn expand) {
  ir_builder b = pass_before(c, op);
  ir_value **results = ARENA_ARRAY(&c->kernel->module->arena, ir_value *, op->result_count);
  if (!expand(c, &b, op, results)) return false;
  for (uint32_t i = 0; i < op->result_count; i++) {
    if (results[i]->name.size == 0) results[i]->name = op->results[i]->name;
    ir_replace_uses(c->kernel, op->results[i], results[i]);
  }
  ir_erase(op);
  return true;
}

bool pass_expand(pass_ctx *c, bool (*wanted)(ir_code code), pass_expand_fn expand) {
  const pass_ops ops = pass_collect(c, wanted);
  bool any = false;
  for (size_t i = 0; i < ops.count; i++) any |= expand_op(c, ops.data[i], expand);
  return any;
}

static void unlink_op(ir_op *op) {
  ir_region *from = op->parent;
  if (op->prev)
    op->prev->next = op->next;
  else
    from->first = op->next;
  if (op->next)
    op->next->prev = op->prev;
  else
    from->last = op->prev;
}

void pass_append(ir_region *region, ir_op *op) {
  if (op->parent) unlink_op(op);
  op->parent = region;
  op->next = NULL;
  op->prev = region->last;
  if (region->last)
    region->last->next = op;
  else
    region->first = op;
  region->last = op;
}

void pass_erase_all(ir_region *region) {
  while (region->last) ir_erase(region->last);
}

void pass_set_body(ir_kernel *k, ir_region *body) {
  pass_erase_all(k->body);
  k->body = body;
}

ir_op *pass_yield_of(const ir_region *region) {
  return region->last && region->last->code == IR_yield ? region->last : NULL;
}

typedef struct replacement {
  ir_value *from, *to;
} replacement;

static bool replace_operands(void *user, ir_op *op) {
  const replacement *r = user;
  for (uint32_t i = 0; i < op->operand_count; i++)
    if (op->operands[i] == r->from) ir_set_operand(op, i, r->to);
  return true;
}

void pass_replace_within(ir_region *region, ir_value *old, ir_value *new_value) {
  replacement r = {old, new_value};
  ir_walk(region, replace_operands, &r);
}

void pass_rename(pass_renames *r, const ir_value *from, ir_value *to) {
  while (r->to.count <= from->id) VEC_PUSH(r->arena, &r->to, NULL);
  r->to.data[from->id] = to;
}

void pass_update(const pass_renames *r, ir_op *op) {
  for (uint32_t i = 0; i < op->operand_count; i++) {
    ir_value *v = op->operands[i];
    while (v->id < r->to.count && r->to.data[v->id]) v = r->to.data[v->id];
    if (v != op->operands[i]) ir_set_operand(op, i, v);
  }
}

void pass_splice(pass_renames *names, ir_region *region, ir_op *op) {
  ir_op *yield = pass_yield_of(region);
  for (uint32_t i = 0; i < op->result_count; i++) pass_rename(names, op->results[i], yield->operands[i]);
  for (ir_op *inner = region->first, *next; inner; inner = next) {
    next = inner->next;
    if (inner != yield) ir_move_before(inner, op);
  }
  if (yield) ir_erase(yield);
}

bool pass_same_width(const ir_op *bitcast) {
  return ir_dtype_bytes(bitcast->operands[0]->type.dtype) == ir_dtype_bytes(bitcast->results[0]->type.dtype);
}

bool pass_pure(const ir_op *op) { return ir_op_get(op->code)->form != IR_FORM_EFFECT || op->code == IR_view; }

bool pass_only_looks(const ir_op *op) {
  uint64_t bits;
  if (op->code != IR_atomic || op->attrs->masked || op->attrs->combine != 1 + IR_or) return false;
  return op->attrs->order != IR_ORDER_RELEASE && pass_splat(op->operands[1], &bits) && bits == 0;
}

typedef struct help_search {
  const ir_value *made;
  loc *out;
  uint32_t count, most;
} help_search;

static bool note_help(void *user, ir_op *op) {
  help_search *s = user;
  const bool gives = op->code == IR_arrive || op->code == IR_signal;
  if (s->count == s->most) return false;
  if (gives && ir_root_ref(op->operands[0]) == s->made) s->out[s->count++] = op->loc;
  return true;
}

uint32_t pass_find_help(const ir_kernel *k, const ir_value *made, loc *out, uint32_t most) {
  help_search s = {.made = made, .out = out, .most = most};
  ir_walk(k->body, note_help, &s);
  return s.count;
}
