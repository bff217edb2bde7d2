/* lend_copies: what one role copies for others out of a parameter that nobody writes is not copied. The others are told
 * where it lies.
 *
 *   scratch s: f32[3, 64]                               scratch s: i32[3] in smem
 *   s[k % 3, :] = x[i * 64 : 64]             becomes    s[k % 3] = i
 *   y[...] = s[n % 3, 8 : 8]                            let at = s[n % 3] * 64   y[...] = x[at + 8 : 8]
 *
 * - Every write to the scratch is a whole copy out of one parameter. Some of its dimensions name such a copy: they are
 *   points wherever it is written or read.
 * - A place is told as a multiple of what all of them are multiples of, and known to be within their bounds: accesses
 *   there need no masks, and may be whole vectors. */
#include "pass/part.h"
#include "pass/util.h"

enum { DEPTH_MOST = 16 }; /* of arithmetic on a place */

/* A dimension of the parameter: where the copies begin. */
typedef struct lent_dim {
  bool moves; /* not at one number, which is `low` */
  int64_t low, high, multiple;
  ir_value *told; /* where it is written down */
} lent_dim;

typedef struct lent {
  ir_op *scratch;
  bool refused;
  uint32_t stores, names; /* names: dimensions of the scratch, as bits */
  part from;              /* of the first store */
  lent_dim dims[KILN_MAX_RANK];
} lent;

typedef struct lending {
  pass_ctx *c;
  arena *arena;
  lent **by_id; /* of scratch */
  uint32_t ids;
} lending;

/* ---- places ---- */

static int64_t divisor(int64_t a, int64_t b) { return b ? divisor(b, a % b) : a < 0 ? -a : a; }

static int64_t multiple_of(const ir_value *v, uint32_t depth) {
  const ir_op *op = v->def;
  int64_t number;
  if (pass_integer(v, &number)) return number;
  if (!op || depth > DEPTH_MOST) return 1;
  if (op->code == IR_add || op->code == IR_sub)
    return divisor(multiple_of(op->operands[0], depth + 1), multiple_of(op->operands[1], depth + 1));
  const bool scales = op->code == IR_mul && pass_integer(op->operands[1], &number) && number > 0;
  return scales ? number : 1;
}

/* Takes in where one more copy begins. */
static void widen(const lending *l, lent_dim *dim, const part_dim *at, bool first) {
  const pass_range range = at->start ? pass_range_of(l->c->kernel, at->start) : (pass_range){at->number, at->number};
  const int64_t multiple = at->start ? multiple_of(at->start, 0) : at->number;
  dim->moves = dim->moves || at->start || (!first && at->number != dim->low);
  if (first || range.low < dim->low) dim->low = range.low;
  if (first || range.high > dim->high) dim->high = range.high;
  dim->multiple = first ? multiple : divisor(dim->multiple, multiple);
}

/* ---- which scratch ---- */

static lent *lent_of(const lending *l, const ir_value *ref) {
  const ir_value *root = ir_root_ref(ref);
  return root->id < l->ids ? l->by_id[root->id] : NULL;
}

static bool is_all(const part_dim *dim, int64_t extent) {
  return !dim->point && !dim->start && dim->number == 0 && dim->size == extent;
}

/* Which dimensions name a copy; false where another takes not all. */
static bool find_names(const lent *of, const part *to, uint32_t *names) {
  *names = 0;
  for (uint32_t d = 0; d < to->rank; d++) {
    if (to->dims[d].point)
      *names |= 1u << d;
    else if (!is_all(&to->dims[d], ir_extent(&of->scratch->results[0]->type, d)))
      return false;
  }
  return true;
}

static bool same_form(const part *a, const part *b) {
  bool same = a->ref == b->ref;
  for (uint32_t d = 0; same && d < a->rank; d++) same = a->dims[d].point == b->dims[d].point;
  return same;
}

/* A copy out of a parameter that nobody writes. */
static bool takes_copy(const lending *l, lent *of, const ir_op *store) {
  part to, from;
  uint32_t names;
  const ir_op *load = store->operands[1]->def;
  if (!part_of(store, &to) || to.ref != of->scratch->results[0] || !find_names(of, &to, &names)) return false;
  if (!load || !part_of(load, &from) || !pass_read_only(l->c->kernel, from.ref)) return false;
  if (of->stores++ == 0) of->names = names, of->from = from;
  if (names != of->names || !same_form(&from, &of->from)) return false;
  for (uint32_t d = 0; d < from.rank; d++) widen(l, &of->dims[d], &from.dims[d], of->stores == 1);
  return true;
}

static bool note_scratch(void *user, ir_op *op) {
  lending *l = user;
  if (op->code != IR_scratch || op->results[0]->type.kind != IR_REF) return true;
  lent *of = ARENA_NEW(l->arena, lent);
  *of = (lent){.scratch = op};
  l->by_id[op->results[0]->id] = of;
  return true;
}

static bool note_use(void *user, ir_op *op) {
  const lending *l = user;
  for (uint32_t i = 0; i < op->operand_count && op->code != IR_view; i++) {
    if (op->operands[i]->type.kind != IR_REF) continue;
    lent *of = lent_of(l, op->operands[i]);
    if (!of || of->refused || op->code == IR_load) continue;
    of->refused = op->code != IR_store || !takes_copy(l, of, op);
  }
  return true;
}

static bool reads_copy(const lent *of, const ir_op *load) {
  part at;
  if (!part_of(load, &at) || at.ref != of->scratch->results[0]) return false;
  for (uint32_t d = 0; d < at.rank; d++)
    if (of->names >> d & 1 && !at.dims[d].point) return false;
  return true;
}

static bool note_load(void *user, ir_op *op) {
  lent *of = op->code == IR_load ? lent_of(user, op->operands[0]) : NULL;
  if (of && !reads_copy(of, op)) of->refused = true;
  return true;
}

/* ---- telling where ---- */

static void begin_telling(const lending *l, lent *of) {
  ir_builder b = pass_before(l->c, of->scratch);
  const ir_value *all = of->scratch->results[0];
  ir_shape names = {.rank = 0};
  for (uint32_t d = 0; d < all->type.shape.rank; d++)
    if (of->names >> d & 1) names.dims[names.rank++] = all->type.shape.dims[d];
  for (uint32_t d = 0; d < of->from.rank; d++)
    if (of->dims[d].moves) of->dims[d].told = pass_scratch(&b, IR_SPACE_SMEM, IR_I32, &names, all->name);
}

/* What was, or is to be, told of the copy that an access names. */
static ir_value *told_at(const lent *of, ir_builder *b, const lent_dim *dim, const part *at) {
  part one = {.ref = dim->told};
  for (uint32_t d = 0; d < at->rank; d++)
    if (of->names >> d & 1) one.dims[one.rank++] = at->dims[d];
  return part_view(b, &one);
}

static void tell(const lending *l, const lent *of, ir_op *store) {
  ir_builder b = pass_before(l->c, store);
  part to, from;
  part_of(store, &to);
  part_of(store->operands[1]->def, &from);
  for (uint32_t d = 0; d < from.rank; d++) {
    const lent_dim *dim = &of->dims[d];
    if (!dim->moves) continue;
    ir_value *begin = (ir_value *)(uintptr_t)from.dims[d].start;
    if (!begin) begin = ir_scalar_i32(&b, from.dims[d].number);
    if (dim->multiple > 1) begin = ir_map2(&b, IR_div, begin, ir_scalar_i32(&b, dim->multiple));
    pass_store_whole(&b, told_at(of, &b, dim, &to), begin);
  }
  ir_erase(store);
}

/* ---- reading there ---- */

static ir_value *begin_of(const lent *of, ir_builder *b, const lent_dim *dim, const part *at) {
  const int64_t scale = dim->multiple > 1 ? dim->multiple : 1;
  if (!dim->moves) return ir_scalar_i32(b, dim->low);
  ir_value *told = pass_load_whole(b, told_at(of, b, dim, at));
  told = ir_map2(b, IR_min, told, ir_scalar_i32(b, dim->high / scale));
  told = ir_map2(b, IR_max, told, ir_scalar_i32(b, dim->low / scale));
  return scale > 1 ? ir_map2(b, IR_mul, told, ir_scalar_i32(b, scale)) : told;
}

/* A dimension of the parameter that the scratch's dimension `at` is a copy of begins there. */
static void begin_within(ir_builder *b, part_dim *dim, ir_value *begin, const part_dim *at) {
  *dim = *at;
  if (at->start) begin = ir_map2(b, IR_add, begin, (ir_value *)(uintptr_t)at->start);
  dim->start = begin;
}

static void read_there(const lending *l, const lent *of, ir_op *load) {
  ir_builder b = pass_before(l->c, load);
  part at, there = of->from;
  part_of(load, &at);
  for (uint32_t d = 0, axis = 0; d < there.rank; d++) {
    ir_value *begin = begin_of(of, &b, &of->dims[d], &at);
    if (there.dims[d].point) {
      there.dims[d] = (part_dim){.start = begin, .size = 1, .point = true};
      continue;
    }
    while (of->names >> axis & 1) axis++;
    begin_within(&b, &there.dims[d], begin, &at.dims[axis++]);
  }
  ir_replace_uses(l->c->kernel, load->results[0], pass_load_whole(&b, part_view(&b, &there)));
  ir_erase(load);
}

/* ---- the pass ---- */

static bool is_access(ir_code code) { return code == IR_load || code == IR_store; }

static bool is_lent(const lent *of) { return of && !of->refused && of->stores > 0; }

static bool drop_view(void *user, ir_op *op) {
  const lending *l = user;
  if (op->code != IR_view || !is_lent(lent_of(l, op->operands[0])) || op->results[0]->uses > 0) return true;
  ir_erase(op);
  return true;
}

static bool drop_scratch(void *user, ir_op *op) {
  const lending *l = user;
  if (op->code == IR_scratch && op->results[0]->uses == 0 && is_lent(lent_of(l, op->results[0]))) ir_erase(op);
  return true;
}

bool pass_lend_copies(pass_ctx *c) {
  ir_kernel *k = c->kernel;
  if (c->target->check || !pass_has_roles(k)) return false;
  lending l = {.c = c, .arena = &k->module->arena, .ids = k->value_count};
  l.by_id = ARENA_ARRAY(l.arena, lent *, l.ids + 1);
  pass_drop_edges(k); /* part_of refuses those */
  ir_walk(k->body, note_scratch, &l);
  ir_walk(k->body, note_use, &l);
  ir_walk(k->body, note_load, &l);
  const pass_ops accesses = pass_collect(c, is_access);
  bool changed = false;
  for (uint32_t id = 0; id < l.ids; id++)
    if (is_lent(l.by_id[id])) begin_telling(&l, l.by_id[id]), changed = true;
  for (size_t i = 0; i < accesses.count; i++) {
    ir_op *op = accesses.data[i];
    const lent *of = lent_of(&l, op->operands[0]);
    if (!is_lent(of)) continue;
    op->code == IR_store ? tell(&l, of, op) : read_there(&l, of, op);
  }
  ir_walk(k->body, drop_view, &l);
  ir_walk(k->body, drop_scratch, &l);
  return changed;
}
