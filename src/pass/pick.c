/* Picks through views: a box stays a box where the elements that it means are one in the ref below; otherwise every
 * element is found by its number in row-major order. See pick.h. */
#include "pass/pick.h"

#include "pass/expand/expand.h"
#include "pass/util.h"

/* ---- spots ---- */

static int64_t common(int64_t a, int64_t b) { /* divisor; of 0 and b: b */
  while (b) {
    const int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a < 0 ? -a : a;
}

static const ir_index one_element = {.point = true, .operand = -1, .stride = 1};

static spot known(int64_t number) { return (spot){NULL, number, 0}; }

/* What a scalar is a multiple of, as its last few ops tell; of zero anything. */
static int64_t factor_of(const ir_value *v, uint32_t depth) {
  const ir_op *op = v->def;
  int64_t number, all;
  if (pass_integer(v, &number)) return number;
  if (!op || depth == 0) return 1;
  if (op->code != IR_mul && op->code != IR_add && op->code != IR_sub) return 1;
  const int64_t left = factor_of(op->operands[0], depth - 1), right = factor_of(op->operands[1], depth - 1);
  if (op->code != IR_mul) return common(left, right);
  return i64_mul(left, right, &all) && all != INT64_MIN ? all : 1;
}

static spot computed(ir_value *value) {
  int64_t number;
  if (pass_integer(value, &number)) return known(number);
  const int64_t factor = common(factor_of(value, 4), 0);
  return (spot){value, 0, factor ? factor : 1};
}

bool pick_multiple(const spot *s, int64_t of) { return common(s->factor, s->number) % of == 0; }

spot pick_scaled(ir_builder *b, spot s, int64_t by) {
  if (s.value && by != 1) s.value = ir_map2(b, IR_mul, s.value, expand_int(b, &s.value->type.shape, by));
  return (spot){s.value, s.number * by, s.factor * by};
}

static spot sum(ir_builder *b, spot x, spot y) {
  ir_value *value = x.value ? x.value : y.value;
  if (x.value && y.value) {
    const ir_shape *one = &x.value->type.shape, *other = &y.value->type.shape, *both = one->rank ? one : other;
    ir_value *first = ir_broadcast_to(b, x.value, both), *second = ir_broadcast_to(b, y.value, both);
    value = ir_map2(b, IR_add, first, second);
  }
  return (spot){value, x.number + y.number, common(x.factor, y.factor)};
}

ir_value *pick_value(ir_builder *b, const spot *s) {
  if (!s->value) return ir_scalar_i32(b, s->number);
  if (s->number == 0) return s->value;
  return ir_map2(b, IR_add, s->value, expand_int(b, &s->value->type.shape, s->number));
}

/* s / divisor % modulus, of a spot that is not negative; modulus 0: no rest is taken. */
static spot digit(ir_builder *b, const spot *s, int64_t divisor, int64_t modulus) {
  if (!s->value) return known(modulus ? s->number / divisor % modulus : s->number / divisor);
  ir_value *value = pick_value(b, s);
  const ir_shape shape = value->type.shape;
  if (divisor != 1) value = ir_map2(b, IR_div, value, expand_int(b, &shape, divisor));
  if (modulus) value = ir_map2(b, IR_rem, value, expand_int(b, &shape, modulus));
  spot out = computed(value);
  if (out.value && pick_multiple(s, divisor)) out.factor = common(common(s->factor, s->number) / divisor, modulus);
  return out;
}

spot pick_divided(ir_builder *b, const spot *s, int64_t by) { return digit(b, s, by, 0); }

/* ---- boxes and points ---- */

static uint32_t rank_of(const pick *p) { return p->ref->type.shape.rank; }

ir_shape pick_box(const pick *p) {
  ir_shape shape = {0};
  if (p->points) return p->shape;
  for (uint32_t d = 0; d < rank_of(p); d++)
    if (!p->at[d].point) shape.dims[shape.rank++] = p->at[d].size;
  return shape;
}

/* A range along an axis of a tile becomes a coordinate for each element. */
static void spread(ir_builder *b, pick *p, uint32_t d, const ir_shape *box, uint32_t axis) {
  spot along = pick_scaled(b, computed(expand_iota(b, box, axis)), p->at[d].stride);
  p->start[d] = sum(b, along, p->start[d]);
  if (p->start[d].value) p->start[d].value = expand_reshape(b, p->start[d].value, &p->shape);
  p->at[d].point = true;
}

void pick_to_points(ir_builder *b, pick *p) {
  const ir_shape box = pick_box(p);
  uint32_t axis = 0;
  for (uint32_t d = 0; d < rank_of(p) && !p->points; d++)
    if (!p->at[d].point) spread(b, p, d, &box, axis++);
  p->points = true;
}

/* With tiles among its starts: their axes stand at `at` in what is picked. */
static void spread_arrays(ir_builder *b, pick *p, const ir_shape *arrays, uint32_t at) {
  ir_attrs attrs = {.shape = p->shape, .axes = {.count = arrays->rank}};
  uint32_t ranges = 0;
  for (uint32_t i = 0; i < arrays->rank; i++) attrs.axes.at[i] = at + i;
  for (uint32_t d = 0; d < rank_of(p); d++) {
    ir_value **value = &p->start[d].value;
    if (*value && (*value)->type.shape.rank) *value = ir_make1(b, IR_broadcast, value, 1, &attrs);
    if (p->at[d].point) continue;
    const uint32_t axis = ranges++;
    spread(b, p, d, &p->shape, axis < at ? axis : axis + arrays->rank);
  }
  p->points = true;
}

static spot start_of(const ir_op *op, uint32_t d) {
  const ir_index *index = &op->attrs->index[d];
  return index->operand < 0 ? known(index->start->value) : computed(op->operands[index->operand]);
}

pick pick_of(ir_builder *b, const ir_op *access) {
  pick p = {.ref = access->operands[0]};
  uint32_t at = 0;
  const ir_shape *arrays = ir_access_arrays(access, &at);
  for (uint32_t d = 0; d < rank_of(&p); d++) {
    p.at[d] = access->attrs->index[d];
    p.start[d] = start_of(access, d);
  }
  p.shape = access->code == IR_store ? access->operands[1]->type.shape : access->results[0]->type.shape;
  if (arrays) spread_arrays(b, &p, arrays, at);
  return p;
}

/* ---- what lies outside ---- */

static bool surely_inside(const ir_kernel *k, const pick *p, uint32_t d) {
  const int64_t extent = ir_extent(&p->ref->type, d);
  const spot *start = &p->start[d];
  const pass_range range = start->value ? pass_range_of(k, start->value) : (pass_range){0, 0};
  int64_t low, high, reach = 0;
  if (!p->points && !p->at[d].point && !i64_mul(p->at[d].size->value - 1, p->at[d].stride, &reach)) return false;
  return i64_add(range.low, start->number, &low) && i64_add(range.high, start->number, &high) &&
         i64_add(high, reach, &high) && low >= 0 && high < extent;
}

void pick_confine(ir_builder *b, pick *p) {
  for (uint32_t d = 0; d < rank_of(p); d++) {
    if (surely_inside(b->kernel, p, d)) continue;
    pick_to_points(b, p);
    if (surely_inside(b->kernel, p, d)) continue;
    ir_value *at = ir_broadcast_to(b, pick_value(b, &p->start[d]), &p->shape);
    ir_value *fits = expand_within(b, at, 0, ir_extent(&p->ref->type, d) - 1);
    p->inside = p->inside ? ir_map2(b, IR_and, p->inside, fits) : fits;
  }
}

/* ---- through a part ---- */

pick pick_under_view(ir_builder *b, const pick *p) {
  const ir_op *view = p->ref->def;
  pick q = *p;
  q.ref = view->operands[0];
  q.edge = p->edge || view->attrs->edge;
  uint32_t axis = 0;
  for (uint32_t d = 0; d < rank_of(&q); d++) {
    const ir_index *index = &view->attrs->index[d];
    q.start[d] = start_of(view, d);
    q.at[d] = one_element;
    if (index->point) continue;
    q.start[d] = sum(b, q.start[d], pick_scaled(b, p->start[axis], index->stride));
    q.at[d] = p->at[axis];
    q.at[d].stride *= index->stride;
    axis++;
  }
  return q;
}

/* ---- through another shape ---- */

/* Dimensions [from, from + count) of two refs that hold the same elements of both. */
typedef struct group {
  const pick *p; /* of the view */
  pick *q;       /* of what is under it */
  uint32_t old, old_count, new, new_count;
} group;

/* Elements start, start + stride, .. of a group in row-major order. */
typedef struct line {
  spot start;
  int64_t count, stride;
} line;

static int64_t size_of(const pick *p, uint32_t d) { return p->at[d].point ? 1 : p->at[d].size->value; }

static bool covers(const pick *p, uint32_t d) {
  const int64_t extent = ir_extent(&p->ref->type, d);
  return extent == 1 || (!p->at[d].point && !p->start[d].value && p->start[d].number == 0 && p->at[d].stride == 1 &&
                         p->at[d].size->value == extent);
}

static int64_t elements_behind(const ir_type *type, uint32_t d, uint32_t end) {
  int64_t count = 1;
  while (++d < end) count *= ir_extent(type, d);
  return count;
}

/* One range, with single elements in front and single elements, or all of them, behind. */
static bool to_line(ir_builder *b, const group *g, line *out) {
  const pick *p = g->p;
  const uint32_t end = g->new + g->new_count;
  uint32_t range = g->new;
  bool single = true, whole = true;
  *out = (line){known(0), 1, 1};
  while (range < end && size_of(p, range) == 1) range++;
  for (uint32_t d = range + 1; d < end; d++) {
    single = single && size_of(p, d) == 1;
    whole = whole && covers(p, d);
  }
  for (uint32_t d = g->new; d < end; d++)
    out->start = sum(b, out->start, pick_scaled(b, p->start[d], elements_behind(&p->ref->type, d, end)));
  if (range == end) return true;
  const int64_t behind = elements_behind(&p->ref->type, range, end);
  out->count = whole ? size_of(p, range) * behind : size_of(p, range);
  out->stride = whole ? p->at[range].stride : p->at[range].stride * behind;
  return single || (whole && p->at[range].stride == 1);
}

static void put_point(ir_builder *b, const group *g, const line *l, uint32_t d) {
  const ir_type *type = &g->q->ref->type;
  const int64_t behind = elements_behind(type, d, g->old + g->old_count);
  g->q->at[d] = one_element;
  g->q->start[d] = digit(b, &l->start, behind, d == g->old ? 0 : ir_extent(type, d));
}

static void put_range(ir_builder *b, const group *g, uint32_t d, int64_t size, int64_t stride) {
  g->q->at[d] = (ir_index){.operand = -1, .stride = stride, .size = ir_dim_const(b->module, size)};
  g->q->start[d] = known(0);
}

/* Whether a line is a range along dimension d of the group, with all of the ones behind. */
static bool lies_along(const group *g, const line *l, uint32_t d) {
  const ir_type *type = &g->q->ref->type;
  const int64_t behind = elements_behind(type, d, g->old + g->old_count), extent = ir_extent(type, d);
  const int64_t count = l->count / behind;
  if (l->count % behind || !pick_multiple(&l->start, behind)) return false;
  if (d == g->old) return true;
  if (!l->start.value) return l->start.number / behind % extent + count <= extent;
  return extent % count == 0 && pick_multiple(&l->start, behind * count);
}

static bool from_line(ir_builder *b, const group *g, const line *l) {
  const uint32_t end = g->old + g->old_count;
  uint32_t along = end;
  if (l->count != 1 && l->stride != 1 && g->old_count > 1) return false;
  while (l->count != 1 && along > g->old && (along == end || !lies_along(g, l, along))) along--;
  if (l->count != 1 && !lies_along(g, l, along)) return false;
  for (uint32_t d = g->old; d < end; d++) {
    if (d <= along) put_point(b, g, l, d);
    if (d > along) put_range(b, g, d, ir_extent(&g->q->ref->type, d), 1);
    if (d != along) continue;
    const spot start = g->q->start[d];
    put_range(b, g, d, l->count / elements_behind(&g->q->ref->type, d, end), l->stride);
    g->q->start[d] = start;
  }
  return true;
}

static bool box_through(ir_builder *b, const group *g) {
  bool whole = true;
  line l;
  if (g->old_count == 1 && g->new_count == 1) {
    g->q->at[g->old] = g->p->at[g->new];
    g->q->start[g->old] = g->p->start[g->new];
    return true;
  }
  for (uint32_t d = g->new; d < g->new + g->new_count; d++) whole = whole && covers(g->p, d);
  for (uint32_t d = g->old; d < g->old + g->old_count && whole; d++)
    put_range(b, g, d, ir_extent(&g->q->ref->type, d), 1);
  return whole || (to_line(b, g, &l) && from_line(b, g, &l));
}

/* The fewest dimensions of both from here on that hold equally many elements. */
static void next_group(group *g) {
  const ir_type *old = &g->q->ref->type, *new = &g->p->ref->type;
  int64_t olds = 1, news = 1;
  g->old += g->old_count;
  g->new += g->new_count;
  g->old_count = g->new_count = 0;
  for (;;) {
    const bool more_old = g->old + g->old_count < old->shape.rank, more_new = g->new + g->new_count < new->shape.rank;
    if ((!more_old && !more_new) || (olds == news && g->old_count && g->new_count)) return;
    if (more_old && (olds <= news || !more_new))
      olds *= ir_extent(old, g->old + g->old_count++);
    else
      news *= ir_extent(new, g->new + g->new_count++);
  }
}

static bool ones_left(const ir_type *type, uint32_t from) {
  for (; from < type->shape.rank; from++)
    if (ir_extent(type, from) != 1) return false;
  return true;
}

/* The last group takes the dimensions of one element that are left. */
static bool reshape_box(ir_builder *b, const pick *p, pick *q) {
  const ir_type *old = &q->ref->type, *new = &p->ref->type;
  group g = {.p = p, .q = q};
  while (g.old + g.old_count < old->shape.rank || g.new + g.new_count < new->shape.rank) {
    next_group(&g);
    if (ones_left(old, g.old + g.old_count) && ones_left(new, g.new + g.new_count)) {
      g.old_count = old->shape.rank - g.old;
      g.new_count = new->shape.rank - g.new;
    }
    if (!box_through(b, &g)) return false;
  }
  return true;
}

static void reshape_points(ir_builder *b, const pick *p, pick *q) {
  const ir_type *old = &q->ref->type, *new = &p->ref->type;
  spot number = known(0);
  q->points = true;
  for (uint32_t d = 0; d < new->shape.rank; d++)
    number = sum(b, number, pick_scaled(b, p->start[d], elements_behind(new, d, new->shape.rank)));
  for (uint32_t d = 0; d < old->shape.rank; d++) {
    q->at[d] = one_element;
    q->start[d] = digit(b, &number, elements_behind(old, d, old->shape.rank), d ? ir_extent(old, d) : 0);
  }
}

pick pick_under_reshape(ir_builder *b, const pick *p) {
  pick from = *p, q = *p;
  q.ref = p->ref->def->operands[0];
  if (!p->points && reshape_box(b, p, &q)) return q;
  pick_to_points(b, &from);
  reshape_points(b, &from, &q);
  return q;
}
