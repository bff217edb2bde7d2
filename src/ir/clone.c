/* Copying regions, op by op, through the builder: types are inferred anew, which is what checks shapes once sizes are
 * numbers. A `cloner` says how sizes and places change on the way; binding and plain cloning share everything else. */
#include "ir/clone.h"

static ir_dim clone_dim(const ir_cloner *c, ir_dim d) { return c->dim ? c->dim(c->user, d) : d; }

static void clone_shape(const ir_cloner *c, ir_shape *shape) {
  for (uint32_t i = 0; i < shape->rank; i++) shape->dims[i] = clone_dim(c, shape->dims[i]);
}

ir_type ir_clone_type(const ir_cloner *c, const ir_type *type) {
  ir_type copy = *type;
  clone_shape(c, &copy.shape);
  return copy;
}

static loc clone_loc(const ir_cloner *c, loc at) {
  if (at.source && c->source) at.source = c->source;
  return at;
}

/* A copy in another module must outlive the text that names point into. */
static kiln_str clone_name(const ir_cloner *c, kiln_str name) {
  return c->source && name.size ? str_copy(&c->builder->module->arena, name) : name;
}

static ir_attrs *clone_attrs(const ir_cloner *c, const ir_op *op, ir_attrs *copy) {
  if (!op->attrs) return NULL;
  *copy = *op->attrs;
  clone_shape(c, &copy->shape);
  copy->words = clone_name(c, copy->words);
  if (copy->dim) copy->dim = clone_dim(c, copy->dim);
  for (uint32_t i = 0; i < copy->index_count; i++) {
    if (copy->index[i].start) copy->index[i].start = clone_dim(c, copy->index[i].start);
    if (copy->index[i].size) copy->index[i].size = clone_dim(c, copy->index[i].size);
  }
  return copy;
}

static ir_value **map_operands(const ir_cloner *c, const ir_op *op) {
  ir_value **operands = ARENA_ARRAY(&c->builder->module->arena, ir_value *, op->operand_count + 1);
  for (uint32_t i = 0; i < op->operand_count; i++) {
    ir_value *mapped = c->map[op->operands[i]->id];
    operands[i] = mapped ? mapped : op->operands[i];
  }
  return operands;
}

static ir_region *clone_region(const ir_cloner *c, const ir_region *from) {
  ir_builder *b = c->builder, outer = *b;
  ir_region *to = ir_region_new(b, NULL);
  for (uint32_t i = 0; i < from->arg_count; i++) {
    const ir_value *arg = from->args[i];
    c->map[arg->id] = ir_region_arg(b, to, ir_clone_type(c, &arg->type), clone_name(c, arg->name));
  }
  b->region = to;
  b->before = NULL;
  bool ok = ir_clone_ops(c, from);
  *b = outer;
  return ok ? to : NULL;
}

static ir_op *clone_control(const ir_cloner *c, const ir_op *op, ir_value **operands, const ir_attrs *attrs) {
  arena *a = &c->builder->module->arena;
  ir_region **regions = ARENA_ARRAY(a, ir_region *, op->region_count);
  ir_type *types = ARENA_ARRAY(a, ir_type, op->result_count + 1);
  for (uint32_t i = 0; i < op->region_count; i++) {
    regions[i] = clone_region(c, op->regions[i]);
    if (!regions[i]) return NULL;
  }
  for (uint32_t i = 0; i < op->result_count; i++) types[i] = ir_clone_type(c, &op->results[i]->type);
  return ir_make_control(c->builder, op->code, operands, op->operand_count, regions, op->region_count, types,
                         op->result_count, attrs);
}

/* A size that has become a number is a constant like any other. */
static ir_op *clone_size(const ir_cloner *c, const ir_attrs *attrs) {
  ir_value *v = ir_scalar_i32(c->builder, attrs->dim->value);
  return v ? v->def : NULL;
}

static ir_op *clone_op(const ir_cloner *c, const ir_op *op) {
  ir_attrs buffer, *attrs = clone_attrs(c, op, &buffer);
  ir_value **operands = map_operands(c, op);
  if (ir_op_get(op->code)->effects & E_CONTROL) return clone_control(c, op, operands, attrs);
  if (op->code == IR_size && c->dim && ir_dim_known(attrs->dim)) return clone_size(c, attrs);
  return ir_make(c->builder, op->code, operands, op->operand_count, attrs);
}

static bool copy_op(const ir_cloner *c, const ir_op *op) {
  c->builder->loc = clone_loc(c, op->loc);
  if (op->code == IR_yield) return ir_yield(c->builder, map_operands(c, op), op->operand_count), true;
  ir_op *copy = clone_op(c, op);
  if (!copy) return false;
  for (uint32_t i = 0; i < op->result_count; i++) {
    copy->results[i]->name = clone_name(c, op->results[i]->name);
    c->map[op->results[i]->id] = copy->results[i];
  }
  return true;
}

bool ir_clone_ops(const ir_cloner *c, const ir_region *from) {
  for (const ir_op *op = from->first; op; op = op->next) {
    if (!copy_op(c, op)) return false;
  }
  return true;
}

void ir_clone_region(ir_builder *b, const ir_region *from, ir_value **map_value) {
  ir_cloner c = {.builder = b, .map = map_value};
  loc at = b->loc;
  for (const ir_op *op = from->first; op && op->code != IR_yield; op = op->next) {
    if (!copy_op(&c, op)) break;
  }
  b->loc = at;
}

bool ir_clone_op(ir_builder *b, const ir_op *op, ir_value **map_value) {
  const ir_cloner c = {.builder = b, .map = map_value};
  const loc at = b->loc;
  const bool ok = copy_op(&c, op);
  b->loc = at;
  return ok;
}
