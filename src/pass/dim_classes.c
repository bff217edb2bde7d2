/* The union-find behind dim_classes.h: which dimensions an op ties together, and which it fixes. */
#include "pass/dim_classes.h"

static uint32_t slot_of(const ir_value *v, uint32_t dimension) { return v->id * KILN_MAX_RANK + dimension; }

static uint32_t find(const dim_classes *c, uint32_t slot) {
  while (c->at[slot].parent != slot) {
    c->at[slot].parent = c->at[c->at[slot].parent].parent;
    slot = c->at[slot].parent;
  }
  return slot;
}

uint32_t dim_classes_root(const dim_classes *c, const ir_value *v, uint32_t dimension) {
  return find(c, slot_of(v, dimension));
}

bool dim_classes_has(const dim_classes *c, const ir_value *v, uint32_t root) {
  for (uint32_t d = 0; d < v->type.shape.rank; d++)
    if (dim_classes_root(c, v, d) == root) return true;
  return false;
}

static dim_class *class_of(dim_classes *c, const ir_value *v, uint32_t dimension) {
  return &c->at[dim_classes_root(c, v, dimension)];
}

static void fix(dim_classes *c, const ir_value *v, uint32_t dimension) { class_of(c, v, dimension)->fixed = true; }

static void fix_all(dim_classes *c, const ir_op *op) {
  for (uint32_t i = 0; i < op->operand_count + op->result_count; i++) {
    const ir_value *v = i < op->operand_count ? op->operands[i] : op->results[i - op->operand_count];
    for (uint32_t d = 0; d < v->type.shape.rank; d++) fix(c, v, d);
  }
}

static void join(dim_classes *c, const ir_value *a, uint32_t i, const ir_value *b, uint32_t j) {
  uint32_t ra = dim_classes_root(c, a, i), rb = dim_classes_root(c, b, j);
  if (ra == rb) return;
  dim_class *to = &c->at[ra], *from = &c->at[rb];
  to->fixed |= from->fixed | (to->extent != from->extent);
  to->dot_rows |= from->dot_rows;
  to->dot_columns |= from->dot_columns;
  to->fastest |= from->fastest;
  from->parent = ra;
}

static void join_all(dim_classes *c, const ir_value *a, const ir_value *b) {
  for (uint32_t d = 0; d < a->type.shape.rank && d < b->type.shape.rank; d++) join(c, a, d, b, d);
}

/* ---- accesses ---- */

int32_t access_dimension(const ir_op *op, uint32_t i) {
  if (op->attrs->index[i].point) return -1;
  int32_t dimension = 0;
  for (uint32_t j = 0; j < i; j++) dimension += !op->attrs->index[j].point;
  return dimension;
}

const ir_value *access_tile(const ir_op *op) { return op->code == IR_store ? op->operands[1] : op->results[0]; }

bool ref_is_param(const ir_value *ref) { return !ref->def; }

bool access_is_whole(const ir_op *op, uint32_t i) {
  const ir_index *index = &op->attrs->index[i];
  if (index->point || index->operand >= 0 || ref_is_param(op->operands[0])) return false;
  return index->start->value == 0 && index->stride == 1 && index->size->value == ir_extent(&op->operands[0]->type, i);
}

static void classify_access(dim_classes *c, const ir_op *op) {
  uint32_t at;
  if (op->code == IR_atomic || ir_access_arrays(op, &at)) {
    fix_all(c, op);
    return;
  }
  const ir_value *ref = op->operands[0], *tile = access_tile(op);
  for (uint32_t i = 0; i < op->attrs->index_count; i++) {
    int32_t dimension = access_dimension(op, i);
    if (access_is_whole(op, i))
      join(c, tile, (uint32_t)dimension, ref, i);
    else if (!ref_is_param(ref))
      fix(c, ref, i);
    bool last = i + 1 == op->attrs->index_count;
    if (dimension >= 0 && last && ir_extent(&tile->type, (uint32_t)dimension) > 1)
      class_of(c, tile, (uint32_t)dimension)->fastest = true;
  }
  uint32_t extras = (op->attrs->masked ? 1u : 0u) + (op->attrs->other ? 1u : 0u);
  for (uint32_t i = op->operand_count - extras; i < op->operand_count; i++) join_all(c, tile, op->operands[i]);
}

/* ---- tile ops ---- */

static void classify_broadcast(dim_classes *c, const ir_op *op) {
  const ir_value *in = op->operands[0], *out = op->results[0];
  uint32_t rank = in->type.shape.rank, shift = out->type.shape.rank - rank;
  for (uint32_t d = 0; d < rank; d++) {
    uint32_t to = op->attrs->axes.count ? (uint32_t)op->attrs->axes.at[d] : d + shift;
    if (ir_extent(&in->type, d) == ir_extent(&out->type, to)) join(c, in, d, out, to);
  }
}

/* Dimensions that a reshape leaves as they are (sizes of 1 come and go) are joined, the rest fixed. */
static void classify_reshape(dim_classes *c, const ir_op *op) {
  const ir_value *in = op->operands[0], *out = op->results[0];
  uint32_t i = 0, j = 0, in_rank = in->type.shape.rank, out_rank = out->type.shape.rank;
  int64_t before_in = 1, before_out = 1;
  while (i < in_rank || j < out_rank) {
    int64_t a = i < in_rank ? ir_extent(&in->type, i) : 1, b = j < out_rank ? ir_extent(&out->type, j) : 1;
    if (i < in_rank && a == 1) {
      i++;
      continue;
    }
    if (j < out_rank && b == 1) {
      j++;
      continue;
    }
    if (before_in == before_out && a == b && i < in_rank && j < out_rank) {
      join(c, in, i++, out, j++);
      continue;
    }
    if (before_in <= before_out && i < in_rank) {
      before_in *= a;
      fix(c, in, i++);
    } else if (j < out_rank) {
      before_out *= b;
      fix(c, out, j++);
    } else {
      fix(c, in, i++);
    }
  }
}

static void classify_reduce(dim_classes *c, const ir_op *op) {
  const ir_value *in = op->operands[0], *out = op->results[0];
  uint32_t reduced = 0, to = 0;
  for (uint32_t i = 0; i < op->attrs->axes.count; i++) reduced |= 1u << op->attrs->axes.at[i];
  for (uint32_t d = 0; d < in->type.shape.rank; d++) {
    if (reduced >> d & 1)
      fix(c, in, d);
    else
      join(c, in, d, out, op->attrs->keep ? d : to++);
  }
}

static uint32_t classify_dot_side(dim_classes *c, const ir_op *op, bool left, uint32_t to) {
  const ir_attrs *a = op->attrs;
  const ir_value *in = op->operands[left ? 0 : 1], *out = op->results[0];
  const ir_list *batch = left ? &a->lhs_batch : &a->rhs_batch, *contract = left ? &a->lhs_contract : &a->rhs_contract;
  for (uint32_t i = 0; i < batch->count; i++) join(c, in, (uint32_t)batch->at[i], out, i);
  for (uint32_t d = 0; d < in->type.shape.rank; d++) {
    if (ir_list_has(contract, d)) fix(c, in, d);
    if (ir_list_has(contract, d) || ir_list_has(batch, d)) continue;
    join(c, in, d, out, to++);
    dim_class *class = class_of(c, in, d);
    *(left ? &class->dot_rows : &class->dot_columns) = true;
  }
  return to;
}

/* Ops along one axis: that dimension is fixed on both sides, the others are joined. */
static void classify_along(dim_classes *c, const ir_op *op, const ir_value *in, const ir_list *axes) {
  for (uint32_t d = 0; d < in->type.shape.rank; d++) {
    if (!ir_list_has(axes, d)) {
      join(c, in, d, op->results[0], d);
      continue;
    }
    fix(c, in, d);
    fix(c, op->results[0], d);
  }
}

static ir_list changed_dimensions(const ir_op *op) {
  const ir_attrs *a = op->attrs;
  const ir_type *in = &op->operands[0]->type;
  ir_list changed = {0};
  for (uint32_t d = 0; d < in->shape.rank; d++) {
    bool same =
        op->code == IR_slice
            ? a->start.at[d] == 0 && a->size.at[d] == ir_extent(in, d) && (!a->stride.count || a->stride.at[d] == 1)
            : a->low.at[d] == 0 && a->high.at[d] == 0 && (!a->interior.count || a->interior.at[d] == 0);
    if (!same) changed.at[changed.count++] = d;
  }
  return changed;
}

static void classify_shape(dim_classes *c, const ir_op *op) {
  switch (op->code) {
    case IR_convert: join_all(c, op->operands[0], op->results[0]); break;
    case IR_bitcast: /* a new or dropped last axis is fixed */
      join_all(c, op->operands[0], op->results[0]);
      if (op->operands[0]->type.shape.rank != op->results[0]->type.shape.rank) fix_all(c, op);
      break;
    case IR_broadcast: classify_broadcast(c, op); break;
    case IR_reshape: classify_reshape(c, op); break;
    case IR_transpose:
      for (uint32_t d = 0, rank = op->results[0]->type.shape.rank; d < rank; d++)
        join(c, op->operands[0], op->attrs->axes.count ? (uint32_t)op->attrs->axes.at[d] : rank - 1 - d, op->results[0],
             d);
      break;
    case IR_concatenate:
      for (uint32_t i = 0; i < op->operand_count; i++)
        classify_along(c, op, op->operands[i], &(ir_list){.count = 1, .at = {op->attrs->axis}});
      break;
    case IR_slice:
    case IR_pad: {
      ir_list changed = changed_dimensions(op);
      classify_along(c, op, op->operands[0], &changed);
      break;
    }
    case IR_reverse: classify_along(c, op, op->operands[0], &op->attrs->axes); break;
    case IR_dot: classify_dot_side(c, op, false, classify_dot_side(c, op, true, op->attrs->lhs_batch.count)); break;
    case IR_full:
    case IR_iota:
    case IR_size: break; /* nothing to join */
    default: fix_all(c, op); break;
  }
}

/* ---- control ---- */

static void join_yields(dim_classes *c, const ir_op *op, const ir_region *region) {
  if (!region->last || region->last->code != IR_yield) return;
  for (uint32_t i = 0; i < region->last->operand_count && i < op->result_count; i++)
    join_all(c, region->last->operands[i], op->results[i]);
}

static void classify_control(dim_classes *c, const ir_op *op) {
  uint32_t inits = op->code == IR_for ? 3 : 0;
  bool carries = op->code == IR_for || op->code == IR_while;
  for (uint32_t r = 0; r < op->region_count; r++) {
    const ir_region *region = op->regions[r];
    uint32_t skip = region->arg_count - (carries ? op->result_count : region->arg_count);
    for (uint32_t i = 0; carries && i < op->result_count; i++) {
      join_all(c, op->operands[inits + i], op->results[i]);
      join_all(c, region->args[skip + i], op->results[i]);
    }
    if (op->code != IR_while || r == 1) join_yields(c, op, region);
  }
}

static bool classify(void *user, ir_op *op) {
  dim_classes *c = user;
  const ir_op_info *info = ir_op_get(op->code);
  switch (info->form) {
    case IR_FORM_MAP:
      for (uint32_t i = 0; i < op->operand_count; i++) join_all(c, op->operands[i], op->results[0]);
      break;
    case IR_FORM_REDUCE: classify_reduce(c, op); break;
    case IR_FORM_SCAN: classify_along(c, op, op->operands[0], &(ir_list){.count = 1, .at = {op->attrs->axis}}); break;
    case IR_FORM_SHAPE: classify_shape(c, op); break;
    case IR_FORM_EFFECT:
      if (info->effects & E_INDEXES)
        classify_access(c, op);
      else if (info->effects & E_CONTROL)
        classify_control(c, op);
      break;
  }
  return true;
}

/* ---- all of it ---- */

static void start_value(dim_classes *c, const ir_value *v) {
  for (uint32_t d = 0; d < v->type.shape.rank; d++) c->at[slot_of(v, d)].extent = ir_extent(&v->type, d);
}

static bool start_op(void *user, ir_op *op) {
  dim_classes *c = user;
  for (uint32_t i = 0; i < op->result_count; i++) start_value(c, op->results[i]);
  for (uint32_t r = 0; r < op->region_count; r++)
    for (uint32_t i = 0; i < op->regions[r]->arg_count; i++) start_value(c, op->regions[r]->args[i]);
  return true;
}

dim_classes dim_classes_of(ir_kernel *k) {
  size_t count = (size_t)k->value_count * KILN_MAX_RANK;
  dim_classes c = {.at = ARENA_ARRAY(&k->module->arena, dim_class, count), .count = count};
  for (size_t i = 0; i < count; i++) c.at[i].parent = (uint32_t)i;
  for (uint32_t i = 0; i < k->param_count; i++) {
    start_value(&c, k->params[i].ref);
    for (uint32_t d = 0; d < k->params[i].ref->type.shape.rank; d++) fix(&c, k->params[i].ref, d);
  }
  ir_walk(k->body, start_op, &c);
  ir_walk(k->body, classify, &c);
  return c;
}
