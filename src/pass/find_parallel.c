/* find_parallel: sequential grid axes whose steps do not need one another become parallel.
 *
 *   grid i: 8, j: 4, k: 2                              grid i: 8 parallel, j: 4 parallel, k: 2
 *   block c (16, 16) at (i, j)
 *   scratch sum: f32[16, 16] in acc
 *   when k == 0 { sum[...] = 0.0 }
 *
 * An axis may go when any two steps that differ in it
 * - touch different elements of every memory that is written: in some dimension all accesses lie in one interval whose
 * place is a linear form of the axes, and the form keeps the intervals of different indices apart;
 * - hand each other nothing in scratch: the first access to each scratch of the body is a whole store, made in every
 * step, or under a condition that holds whenever the axes further in start again.
 * What is written here without `parallel`, as exporters do, then uses all threads of a host and all of a device.
 * Checkers are left the steps as they were written. */
#include <string.h>

#include "model/step.h"
#include "pass/util.h"

/* The sum of axis * index over the axes, and a constant: elements. */
typedef struct form {
  int64_t axis[IR_MAX_AXES];
  int64_t constant;
} form;

/* Where all accesses to a memory lie in one dimension: [form + low, form + high). */
typedef struct footprint {
  bool seen, unknown;
  form at;
  int64_t low, high;
} footprint;

typedef struct memory_use {
  bool written;
  footprint dims[KILN_MAX_RANK];
} memory_use;

typedef struct finder {
  ir_kernel *kernel;
  memory_use *uses; /* by param; aliases count as the input */
  bool opaque;      /* an effect whose order is seen from outside */
} finder;

/* ---- linear forms ---- */

static bool linear_of(const ir_kernel *k, const ir_value *v, form *out);

static bool scale_form(form *f, int64_t by) {
  for (uint32_t i = 0; i < IR_MAX_AXES; i++)
    if (!i64_mul(f->axis[i], by, &f->axis[i])) return false;
  return i64_mul(f->constant, by, &f->constant);
}

static bool add_form(form *f, const form *other) {
  for (uint32_t i = 0; i < IR_MAX_AXES; i++)
    if (!i64_add(f->axis[i], other->axis[i], &f->axis[i])) return false;
  return i64_add(f->constant, other->constant, &f->constant);
}

static bool linear_sum(const ir_kernel *k, const ir_op *op, int64_t sign, form *out) {
  form right;
  return linear_of(k, op->operands[0], out) && linear_of(k, op->operands[1], &right) && scale_form(&right, sign) &&
         add_form(out, &right);
}

static bool linear_product(const ir_kernel *k, const ir_op *op, form *out) {
  int64_t by;
  uint32_t constant = pass_integer(op->operands[0], &by) ? 0 : 1;
  if (constant == 1 && !pass_integer(op->operands[1], &by)) return false;
  return linear_of(k, op->operands[1 - constant], out) && scale_form(out, by);
}

static int64_t magnitude(int64_t v) { return v < 0 ? -v : v; }

/* Index arithmetic wraps at 32 bits; a form that could get there is none. */
static bool stays_in_i32(const ir_kernel *k, const form *f) {
  int64_t most = magnitude(f->constant), span;
  for (uint32_t i = 0; i < k->axis_count; i++) {
    int64_t extent = k->axes[i].bound ? INT32_MAX : k->axes[i].extent->value;
    if (!i64_mul(magnitude(f->axis[i]), extent, &span) || !i64_add(most, span, &most)) return false;
  }
  return most <= INT32_MAX;
}

static bool linear_terms(const ir_kernel *k, const ir_op *op, form *out) {
  switch (op->code) {
    case IR_size: return out->constant = op->attrs->dim->value, true;
    case IR_add: return linear_sum(k, op, 1, out);
    case IR_sub: return linear_sum(k, op, -1, out);
    case IR_mul: return linear_product(k, op, out);
    case IR_neg: return linear_of(k, op->operands[0], out) && scale_form(out, -1);
    default: return false;
  }
}

static bool linear_op(const ir_kernel *k, const ir_op *op, form *out) {
  return linear_terms(k, op, out) && stays_in_i32(k, out);
}

/* False: no linear form of the axes, as far as this can tell. */
static bool linear_of(const ir_kernel *k, const ir_value *v, form *out) {
  *out = (form){0};
  if (v->type.kind != IR_TILE || v->type.shape.rank != 0) return false;
  if (pass_integer(v, &out->constant)) return true;
  for (uint32_t i = 0; i < k->axis_count; i++)
    if (k->axes[i].index == v) return out->axis[i] = 1, true;
  return v->def && linear_op(k, v->def, out);
}

/* ---- what is touched ---- */

static bool same_axes(const form *a, const form *b) { return memcmp(a->axis, b->axis, sizeof a->axis) == 0; }

static void touch(footprint *f, const form *at, int64_t size) {
  if (f->seen && !same_axes(&f->at, at)) f->unknown = true;
  int64_t high;
  if (!i64_add(at->constant, size, &high)) f->unknown = true;
  if (f->unknown) return;
  f->low = f->seen && f->low < at->constant ? f->low : at->constant;
  f->high = f->seen && f->high > high ? f->high : high;
  f->at = *at;
  f->seen = true;
}

static void touch_block(finder *f, memory_use *use, const ir_block *block) {
  const ir_op *yield = block->map ? pass_yield_of(block->map) : NULL;
  const ir_type *array = &f->kernel->params[block->param].ref->type;
  for (uint32_t d = 0; d < block->size.rank; d++) {
    const block_dim dim = block_dim_of(block, array, d);
    const block_rule rule = block_rule_of(&dim);
    form at = {0};
    bool known = !yield || linear_of(f->kernel, yield->operands[d], &at);
    if (known && scale_form(&at, rule.scale) && i64_add(at.constant, rule.offset, &at.constant))
      touch(&use->dims[d], &at, dim.size);
    else
      use->dims[d].unknown = true;
  }
}

/* An access, or the view before it, that indexes the parameter itself. */
static void touch_indexed(finder *f, memory_use *use, const ir_op *op) {
  for (uint32_t d = 0; d < op->attrs->index_count; d++) {
    const ir_index *index = &op->attrs->index[d];
    form at = {0};
    bool known = index->operand < 0 || linear_of(f->kernel, op->operands[index->operand], &at);
    if (index->operand < 0) at.constant = index->start->value;
    int64_t size = index->point ? 1 : (index->size->value - 1) * index->stride + 1;
    if (known)
      touch(&use->dims[d], &at, size);
    else
      use->dims[d].unknown = true;
  }
}

static const ir_block *block_of(const ir_kernel *k, const ir_value *root) {
  for (uint32_t i = 0; i < k->block_count; i++)
    if (k->blocks[i].ref == root) return &k->blocks[i];
  return NULL;
}

static memory_use *memory_of(const finder *f, const ir_param *param) {
  return &f->uses[param->alias >= 0 ? param->alias : param - f->kernel->params];
}

/* The op of the chain access -> view -> .. -> root that indexes the root. */
static const ir_op *nearest_root(const ir_op *op) {
  while (op->operands[0]->def && op->operands[0]->def->code == IR_view) op = op->operands[0]->def;
  return op;
}

static bool note_access(void *user, ir_op *op) {
  finder *f = user;
  uint32_t effects = ir_op_get(op->code)->effects;
  if (effects & E_TELLS) return f->opaque = true, false;
  if (!(effects & (E_READS | E_WRITES))) return true;
  if (!(effects & E_INDEXES)) return f->opaque = true, false;
  const ir_value *root = ir_root_ref(op->operands[0]);
  const ir_block *block = block_of(f->kernel, root);
  const ir_param *param = block ? &f->kernel->params[block->param] : pass_param_of(f->kernel, root);
  if (!param) return true;
  memory_use *use = memory_of(f, param);
  use->written = use->written || (effects & E_WRITES);
  if (block)
    touch_block(f, use, block);
  else
    touch_indexed(f, use, nearest_root(op));
  return true;
}

/* ---- which axes keep steps apart ---- */

/* Axes of the form, the smallest factor first. */
static uint32_t sort_axes(const form *f, uint32_t *order) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < IR_MAX_AXES; i++) {
    if (f->axis[i] == 0 || f->axis[i] == INT64_MIN) continue;
    uint32_t at = count++;
    for (; at > 0 && magnitude(f->axis[order[at - 1]]) > magnitude(f->axis[i]); at--) order[at] = order[at - 1];
    order[at] = i;
  }
  return count;
}

/* As digits of a number: each factor is at least as large as everything that the smaller ones can reach. The axes in
 * the form as bits, none when its intervals may overlap. */
static uint32_t axes_apart(const ir_kernel *k, const footprint *f) {
  uint32_t order[IR_MAX_AXES], axes = 0;
  int64_t reach = f->high - f->low;
  if (!f->seen || f->unknown) return 0;
  uint32_t count = sort_axes(&f->at, order);
  for (uint32_t i = 0; i < count; i++) {
    const ir_axis *axis = &k->axes[order[i]];
    int64_t factor = magnitude(f->at.axis[order[i]]), span;
    if (factor < reach) return 0;
    if (axis->bound && i + 1 < count) return 0;
    if (!i64_mul(factor, axis->extent->value > 0 ? axis->extent->value - 1 : 0, &span)) return 0;
    if (!i64_add(reach, span, &reach)) return 0;
    axes |= 1u << order[i];
  }
  return axes;
}

static uint32_t axes_of_memory(const ir_kernel *k, const memory_use *use) {
  uint32_t axes = 0;
  for (uint32_t d = 0; d < KILN_MAX_RANK; d++) axes |= axes_apart(k, &use->dims[d]);
  return axes;
}

/* ---- scratch ---- */

typedef enum first_access { NOT_USED, STARTS_ANEW, CARRIES_ON } first_access;

typedef struct mention {
  const ir_value *scratch;
  bool found;
} mention;

static bool note_mention(void *user, ir_op *op) {
  mention *m = user;
  for (uint32_t i = 0; i < op->operand_count; i++)
    if (op->operands[i]->type.kind == IR_REF && op->code != IR_view && ir_root_ref(op->operands[i]) == m->scratch)
      m->found = true;
  return !m->found;
}

static bool mentions(ir_op *op, const ir_value *scratch) {
  mention m = {scratch, false};
  note_mention(&m, op);
  for (uint32_t i = 0; i < op->region_count && !m.found; i++) ir_walk(op->regions[i], note_mention, &m);
  return m.found;
}

/* Holds in the first step whenever the sequential axes behind `axis` start again. */
static bool holds_at_start(const ir_kernel *k, const ir_value *condition, uint32_t axis) {
  const ir_op *op = condition->def;
  if (!op) return false;
  if (op->code == IR_and) return holds_at_start(k, op->operands[0], axis) && holds_at_start(k, op->operands[1], axis);
  int64_t zero;
  if (op->code != IR_eq || !pass_integer(op->operands[1], &zero) || zero != 0) return false;
  for (uint32_t i = axis + 1; i < k->axis_count; i++)
    if (k->axes[i].index == op->operands[0]) return !k->axes[i].parallel;
  return false;
}

static first_access first_access_in(const ir_kernel *k, const ir_region *region, const ir_value *scratch,
                                    uint32_t axis) {
  for (ir_op *op = region->first; op; op = op->next) {
    if (!mentions(op, scratch)) continue;
    if (op->code == IR_store && op->operands[0] == scratch && pass_whole_access(op)) return STARTS_ANEW;
    if (op->code != IR_when || !holds_at_start(k, op->operands[0], axis)) return CARRIES_ON;
    first_access inner = first_access_in(k, op->regions[0], scratch, axis);
    if (inner != NOT_USED) return inner;
  }
  return NOT_USED;
}

static bool scratch_carries(const ir_kernel *k, uint32_t axis) {
  for (ir_op *op = k->body->first; op; op = op->next)
    if (op->code == IR_scratch && first_access_in(k, k->body, op->results[0], axis) == CARRIES_ON) return true;
  return false;
}

/* ---- the pass ---- */

static uint32_t independent_axes(finder *f) {
  const ir_kernel *k = f->kernel;
  uint32_t axes = UINT32_MAX;
  f->uses = ARENA_ARRAY(&k->module->arena, memory_use, (size_t)k->param_count + 1);
  ir_walk(k->body, note_access, f);
  if (f->opaque) return 0;
  for (uint32_t i = 0; i < k->param_count; i++)
    if (f->uses[i].written) axes &= axes_of_memory(k, &f->uses[i]);
  return axes;
}

bool pass_find_parallel(pass_ctx *c) {
  ir_kernel *k = c->kernel;
  finder f = {.kernel = k};
  if (c->target->check || k->axis_count == 0) return false;
  uint32_t axes = independent_axes(&f);
  bool changed = false;
  for (uint32_t i = 0; i < k->axis_count; i++) {
    ir_axis *axis = &k->axes[i];
    if (axis->parallel || axis->bound || !(axes >> i & 1) || scratch_carries(k, i)) continue;
    axis->parallel = changed = true;
  }
  return changed;
}
