/* Pass split_blocks: a block is a logical tile; where its elements are independent they are shared out over more grid
 * points, until one point's work fits the registers of one subgroup, or, on the host, its tiles a cache.
 *
 *   grid i: 4 parallel                              grid i: 4 parallel, part0: 8 parallel
 *   let xb = view x[i * 8 : 8, :]                   let t0 = part0 * 1 ; let t1 = i * 8 + t0
 *   let v = xb[...]                      becomes    let xb = view x[t1 : 1, :]
 *   let m = max(v, axis: 1, keep)                   let v = xb[...]  ..
 *
 * Assumes expand_blocks has run. A class of dimensions (dim_classes) is split when nothing in it is fixed, every store
 * to a parameter is along it (else points would write the same place), no dot, reduction or scan is without it (else
 * points would repeat its work), nothing has two dimensions of it, and no parameter is both read and written other than
 * through one view. Sizes are divisors, so that points stay equal.
 *
 * The host walks a tile once per reduction, and once more for what comes of it: those of a kernel that reduces or scans
 * go through the cache in parts. Products are left whole, for they have a loop order of their own, and so are kernels
 * that tell something once a point. */
#include "pass/resize.h"

#define DOT_ROWS 8    /* rows of a dot's accumulators in registers */
#define DOT_GROUPS 2  /* groups of 4 columns a lane has there */
#define MAP_GROUPS 8  /* groups of 4 elements a lane handles in elementwise work: loads in flight */
#define CACHED 262144 /* elements of a tile that the host walks several times */

typedef struct split {
  pass_ctx *c;
  resizing to;
  uint32_t *roots; /* the classes that may be split at all */
  size_t root_count;
  bool has_dot, tells;    /* products; what is done once a point and no store */
  const ir_value *walked; /* the largest tile that is reduced or scanned; NULL when none is */
} split;

static bool on_host(const split *s) { return s->c->target->kind == P_HOST; }

/* ---- what may be split ---- */

static void find_roots(split *s) {
  s->roots = ARENA_ARRAY(&s->c->kernel->module->arena, uint32_t, s->to.classes.count);
  for (uint32_t i = 0; i < s->to.classes.count; i++) {
    const dim_class *class = &s->to.classes.at[i];
    if (class->parent == i && class->extent > 1 && !class->fixed) s->roots[s->root_count++] = i;
  }
}

/* Fixes every class that `v` has no dimension of. */
static void require_all(split *s, const ir_value *v) {
  for (size_t i = 0; i < s->root_count; i++)
    if (!dim_classes_has(&s->to.classes, v, s->roots[i])) s->to.classes.at[s->roots[i]].fixed = true;
}

/* Fixes every class that `v` has two dimensions of: a part of each would be its diagonal only. */
static void forbid_twice(split *s, const ir_value *v) {
  for (uint32_t i = 0; i < v->type.shape.rank; i++)
    for (uint32_t j = 0; j < i; j++) {
      const uint32_t root = dim_classes_root(&s->to.classes, v, i);
      if (root == dim_classes_root(&s->to.classes, v, j)) s->to.classes.at[root].fixed = true;
    }
}

/* Elementwise work on the host that every part would do again. */
static bool repeats_much(const split *s, const ir_op *op) {
  const bool maps = ir_op_get(op->code)->form == IR_FORM_MAP || op->code == IR_convert;
  return on_host(s) && maps && ir_count(&op->results[0]->type) >= CACHED;
}

static bool check_op(void *user, ir_op *op) {
  split *s = user;
  for (uint32_t i = 0; i < op->result_count; i++) forbid_twice(s, op->results[i]);
  ir_form form = ir_op_get(op->code)->form;
  const bool passes = form == IR_FORM_REDUCE || form == IR_FORM_SCAN;
  s->has_dot |= op->code == IR_dot;
  if (passes && (!s->walked || ir_count(&op->operands[0]->type) > ir_count(&s->walked->type)))
    s->walked = op->operands[0];
  s->tells |= (ir_op_get(op->code)->effects & E_TELLS) != 0;
  if (op->code == IR_dot || repeats_much(s, op))
    require_all(s, op->results[0]);
  else if (passes)
    require_all(s, op->operands[0]);
  else if (ir_op_get(op->code)->effects & E_WRITES && ref_is_param(ir_root_ref(op->operands[0])))
    require_all(s, op->operands[1]);
  return true;
}

/* Params that are read and written: safe along a class only when all accesses go through one view, whole. */
typedef struct traffic {
  bool read, written, mixed;
  const ir_value *ref;
} traffic;

typedef struct traffic_walk {
  split *s;
  traffic *of; /* by value id of the param's ref */
} traffic_walk;

static bool count_traffic(void *user, ir_op *op) {
  traffic_walk *w = user;
  const uint32_t effects = ir_op_get(op->code)->effects;
  if (!(effects & E_INDEXES) || op->code == IR_view) return true;
  const ir_value *param = ir_root_ref(op->operands[0]);
  if (!ref_is_param(param)) return true;
  traffic *t = &w->of[param->id];
  t->read |= (effects & E_READS) != 0;
  t->written |= (effects & E_WRITES) != 0;
  t->mixed |= t->ref && t->ref != op->operands[0];
  t->ref = op->operands[0];
  for (uint32_t i = 0; i < op->attrs->index_count; i++) t->mixed |= !access_is_whole(op, i);
  return true;
}

static void fix_everything(split *s) {
  for (size_t i = 0; i < s->root_count; i++) s->to.classes.at[s->roots[i]].fixed = true;
}

static void check_traffic(split *s) {
  ir_kernel *k = s->c->kernel;
  traffic_walk w = {.s = s, .of = ARENA_ARRAY(&k->module->arena, traffic, k->value_count)};
  ir_walk(k->body, count_traffic, &w);
  for (uint32_t i = 0; i < k->param_count; i++) {
    const ir_param *p = &k->params[i];
    traffic t = w.of[p->ref->id];
    if (p->alias >= 0) {
      t.read |= w.of[k->params[p->alias].ref->id].read;
      t.mixed |= w.of[k->params[p->alias].ref->id].read;
    }
    if (t.read && t.written && t.mixed) fix_everything(s);
  }
}

/* ---- how far ---- */

static int64_t wanted_size(const split *s, const dim_class *class, int64_t row_elements) {
  int64_t lanes = s->c->target->lanes;
  if (s->has_dot) return class->dot_columns ? lanes * 4 * DOT_GROUPS : DOT_ROWS;
  if (class->fastest) return lanes * 4 * MAP_GROUPS;
  int64_t rows = lanes * 4 * MAP_GROUPS / (row_elements ? row_elements : 1);
  return rows ? rows : 1;
}

/* The elements that stay together along the fastest dimension, after it is split itself. */
static int64_t elements_of_a_row(const split *s) {
  int64_t most = 1;
  for (uint32_t i = 0; i < s->to.classes.count; i++) {
    const dim_class *class = &s->to.classes.at[i];
    if (class->parent != i || !class->fastest) continue;
    const int64_t extent = s->to.extent[i] ? s->to.extent[i] : class->extent;
    if (extent > most) most = extent;
  }
  return most;
}

static void choose_parts(split *s, bool fastest) {
  int64_t lanes = s->c->target->lanes, row_elements = elements_of_a_row(s);
  for (size_t r = 0; r < s->root_count; r++) {
    uint32_t i = s->roots[r];
    const dim_class *class = &s->to.classes.at[i];
    if (class->fixed || class->fastest != fastest) continue;
    int64_t size = pass_divisor(class->extent, wanted_size(s, class, row_elements));
    if (fastest && size < lanes && size < class->extent) continue; /* no useful divisor: keep it whole */
    if (size < class->extent) s->to.extent[i] = size;
  }
}

/* On the host the largest tile that is walked again is cut, its outer dimensions first; runs along its last stay whole.
 */
static void choose_cached_parts(split *s) {
  const ir_value *tile = s->walked;
  int64_t rest = ir_count(&tile->type);
  for (uint32_t d = 0; d + 1 < tile->type.shape.rank && rest > CACHED; d++) {
    const uint32_t root = dim_classes_root(&s->to.classes, tile, d);
    const dim_class *class = &s->to.classes.at[root];
    if (class->fixed || class->extent < 2 || s->to.extent[root]) continue;
    rest /= class->extent;
    const int64_t size = pass_divisor(class->extent, CACHED / rest);
    if (size < class->extent) s->to.extent[root] = size;
    rest *= size;
  }
}

/* ---- rewriting ---- */

static void add_axis(split *s, uint32_t root, ir_builder *b) {
  ir_kernel *k = s->c->kernel;
  arena *a = &k->module->arena;
  ir_axis *axes = ARENA_ARRAY(a, ir_axis, (size_t)k->axis_count + 1);
  for (uint32_t i = 0; i < k->axis_count; i++) axes[i] = k->axes[i];
  ir_axis *axis = &axes[k->axis_count];
  axis->name = str_format(a, "part%u", k->axis_count);
  axis->extent = ir_dim_const(k->module, s->to.classes.at[root].extent / s->to.extent[root]);
  axis->parallel = true;
  axis->index = ARENA_NEW(a, ir_value);
  *axis->index = (ir_value){.type = {.kind = IR_TILE, .dtype = IR_I32}, .name = axis->name, .id = k->value_count++};
  k->axes = axes;
  k->axis_count++;
  s->to.offset[root] = ir_map2(b, IR_mul, axis->index, ir_scalar_i32(b, s->to.extent[root]));
}

static void add_axes(split *s) {
  ir_builder b = pass_before(s->c, s->c->kernel->body->first);
  b.loc = s->c->kernel->loc;
  for (size_t i = 0; i < s->root_count; i++)
    if (s->to.extent[s->roots[i]] > 0) add_axis(s, s->roots[i], &b);
}

/* An iota along a split dimension starts at this point's offset. */
static void move_iota(const split *s, ir_op *op) {
  ir_builder b = pass_before(s->c, op);
  ir_value *iota = op->results[0];
  const uint32_t root = resize_root(&s->to, iota, (uint32_t)op->attrs->axis);
  if (root == UINT32_MAX) return;
  b.before = op->next;
  ir_value *start = ir_broadcast_to(&b, ir_convert(&b, s->to.offset[root], iota->type.dtype), &iota->type.shape);
  ir_value *moved = ir_map2(&b, IR_add, iota, start);
  ir_replace_uses(s->c->kernel, iota, moved);
  ir_set_operand(moved->def, 0, iota);
}

static bool is_iota(ir_code code) { return code == IR_iota; }

static void rewrite(split *s) {
  add_axes(s);
  resize_body(&s->to);
  const pass_ops iotas = pass_collect(s->c, is_iota);
  for (size_t i = 0; i < iotas.count; i++) move_iota(s, iotas.data[i]);
}

/* ---- what only looks shared ---- */

/* Whether `op` makes a tile out of nothing, or out of one scalar: two users of it need not agree on its dimensions. */
static bool makes_shape(const ir_op *op) {
  if (op->code == IR_full || op->code == IR_iota) return true;
  return op->code == IR_broadcast && op->operands[0]->type.shape.rank == 0;
}

/* Gives every user a copy of its own, since fold has joined equal ones: a mask over keys and one over rows may be as
 * large. */
static bool copy_for_user(void *user, ir_op *op) {
  pass_ctx *c = user;
  for (uint32_t i = 0; i < op->operand_count; i++) {
    const ir_op *def = op->operands[i]->def;
    if (!def || !makes_shape(def) || op->operands[i]->uses < 2) continue;
    ir_builder at = pass_before(c, op);
    at.loc = def->loc;
    ir_value *copy = ir_make1(&at, def->code, def->operands, def->operand_count, def->attrs);
    if (copy) ir_set_operand(op, i, copy);
  }
  return true;
}

static void choose_all_parts(split *s) {
  if (on_host(s)) {
    if (s->walked && !s->has_dot && !s->tells) choose_cached_parts(s);
    return;
  }
  choose_parts(s, true);
  choose_parts(s, false);
}

bool pass_split_blocks(pass_ctx *c) {
  if (pass_has_roles(c->kernel)) return false;
  if (c->target->kind == P_HOST && c->target->check) return false;
  ir_walk(c->kernel->body, copy_for_user, c);
  split s = {.c = c, .to = resizing_of(c)};
  find_roots(&s);
  ir_walk(c->kernel->body, check_op, &s);
  check_traffic(&s);
  choose_all_parts(&s);
  bool any = false;
  for (size_t i = 0; i < s.root_count; i++) any |= s.to.extent[s.roots[i]] > 0;
  if (any) rewrite(&s);
  return any;
}
