/* Making IR: values, regions, ops, and the list surgery that passes do. Use counts are kept here and nowhere else. */
#include "ir/ir.h"

#include <string.h>

static ir_value *value_new(ir_builder *b, ir_type type, kiln_str name) {
  ir_value *v = ARENA_NEW(&b->module->arena, ir_value);
  v->type = type;
  v->name = name;
  v->id = b->kernel->value_count++;
  return v;
}

ir_region *ir_region_new(ir_builder *b, ir_op *owner) {
  ir_region *r = ARENA_NEW(&b->module->arena, ir_region);
  r->owner = owner;
  return r;
}

ir_value *ir_region_arg(ir_builder *b, ir_region *r, ir_type type, kiln_str name) {
  ir_value *v = value_new(b, type, name);
  v->region = r;
  if ((r->arg_count & (r->arg_count - 1)) == 0) { /* full: the room is the next power of two */
    ir_value **args = ARENA_ARRAY(&b->module->arena, ir_value *, r->arg_count ? 2 * (size_t)r->arg_count : 1);
    if (r->arg_count) memcpy(args, r->args, r->arg_count * sizeof *args);
    r->args = args;
  }
  r->args[r->arg_count++] = v;
  return v;
}

ir_value *ir_free_value(ir_builder *b, ir_type type, kiln_str name) { return value_new(b, type, name); }

void ir_add_results(ir_builder *b, ir_op *op, uint32_t count, const ir_type *types) {
  op->result_count = count;
  op->results = count ? ARENA_ARRAY(&b->module->arena, ir_value *, count) : NULL;
  for (uint32_t i = 0; i < count; i++) {
    op->results[i] = value_new(b, types[i], (kiln_str){0});
    op->results[i]->def = op;
  }
}

static void insert(ir_builder *b, ir_op *op) {
  ir_region *r = b->region;
  op->parent = r;
  op->next = b->before;
  op->prev = b->before ? b->before->prev : r->last;
  *(op->prev ? &op->prev->next : &r->first) = op;
  *(op->next ? &op->next->prev : &r->last) = op;
}

static ir_op *op_new(ir_builder *b, ir_code code, ir_value *const *operands, uint32_t count, const ir_attrs *attrs) {
  ir_op *op = ARENA_NEW(&b->module->arena, ir_op);
  op->code = code;
  op->loc = b->loc;
  op->operand_count = count;
  if (count) op->operands = arena_copy(&b->module->arena, operands, count * sizeof *operands);
  if (attrs) op->attrs = arena_copy(&b->module->arena, attrs, sizeof *attrs);
  return op;
}

static void count_uses(ir_op *op) {
  for (uint32_t i = 0; i < op->operand_count; i++) op->operands[i]->uses++;
}

ir_op *ir_make(ir_builder *b, ir_code code, ir_value *const *operands, uint32_t operand_count, const ir_attrs *attrs) {
  ir_op *op = op_new(b, code, operands, operand_count, attrs);
  if (!ir_infer(b, op)) return NULL;
  count_uses(op);
  insert(b, op);
  return op;
}

ir_value *ir_make1(ir_builder *b, ir_code code, ir_value *const *operands, uint32_t operand_count,
                   const ir_attrs *attrs) {
  ir_op *op = ir_make(b, code, operands, operand_count, attrs);
  return op ? op->results[0] : NULL;
}

ir_op *ir_make_control(ir_builder *b, ir_code code, ir_value *const *operands, uint32_t operand_count,
                       ir_region *const *regions, uint32_t region_count, const ir_type *result_types,
                       uint32_t result_count, const ir_attrs *attrs) {
  ir_op *op = op_new(b, code, operands, operand_count, attrs);
  op->region_count = region_count;
  op->regions = arena_copy(&b->module->arena, regions, region_count * sizeof *regions);
  for (uint32_t i = 0; i < region_count; i++) op->regions[i]->owner = op;
  ir_add_results(b, op, result_count, result_types);
  count_uses(op);
  insert(b, op);
  return op;
}

void ir_yield(ir_builder *b, ir_value *const *values, uint32_t count) {
  ir_op *op = op_new(b, IR_yield, values, count, NULL);
  count_uses(op);
  insert(b, op);
}

/* ---- shorthands ---- */

ir_value *ir_full(ir_builder *b, ir_dtype dtype, const ir_shape *shape, uint64_t bits) {
  ir_attrs attrs = {.type = dtype, .bits = bits};
  if (shape) attrs.shape = *shape;
  return ir_make1(b, IR_full, NULL, 0, &attrs);
}

ir_value *ir_scalar_i32(ir_builder *b, int64_t value) {
  return ir_full(b, IR_I32, NULL, ir_bits_from_i64(IR_I32, value));
}

ir_value *ir_map1(ir_builder *b, ir_code code, ir_value *a) { return ir_make1(b, code, (ir_value *[]){a}, 1, NULL); }

ir_value *ir_map2(ir_builder *b, ir_code code, ir_value *a, ir_value *c) {
  return ir_make1(b, code, (ir_value *[]){a, c}, 2, NULL);
}

ir_value *ir_map3(ir_builder *b, ir_code code, ir_value *a, ir_value *c, ir_value *d) {
  return ir_make1(b, code, (ir_value *[]){a, c, d}, 3, NULL);
}

ir_value *ir_convert(ir_builder *b, ir_value *v, ir_dtype dtype) {
  if (v->type.dtype == dtype) return v;
  return ir_make1(b, IR_convert, &v, 1, &(ir_attrs){.type = dtype});
}

ir_value *ir_broadcast_to(ir_builder *b, ir_value *v, const ir_shape *shape) {
  if (ir_shape_equal(&v->type.shape, shape) == IR_YES) return v;
  ir_attrs attrs = {.shape = *shape, .axes = {.count = v->type.shape.rank}};
  for (uint32_t i = 0; i < v->type.shape.rank; i++) attrs.axes.at[i] = (int64_t)shape->rank - v->type.shape.rank + i;
  return ir_make1(b, IR_broadcast, &v, 1, &attrs);
}

/* ---- surgery ---- */

void ir_set_operand(ir_op *op, uint32_t index, ir_value *v) {
  op->operands[index]->uses--;
  op->operands[index] = v;
  v->uses++;
}

typedef struct replacement {
  ir_value *old, *new_value;
} replacement;

static bool replace_in(void *user, ir_op *op) {
  replacement *r = user;
  for (uint32_t i = 0; i < op->operand_count; i++) {
    if (op->operands[i] == r->old) ir_set_operand(op, i, r->new_value);
  }
  return r->old->uses > 0;
}

/* A result is used behind its op alone, and mostly close to it: looking there keeps passes linear in the kernel. */
void ir_replace_uses(ir_kernel *k, ir_value *old, ir_value *new_value) {
  replacement r = {old, new_value};
  if (old == new_value || old->uses == 0) return;
  if (!old->def || !old->def->parent) {
    ir_walk_kernel(k, replace_in, &r);
    return;
  }
  ir_region behind = {.first = old->def->next};
  ir_walk(&behind, replace_in, &r);
}

static void unlink_op(ir_op *op) {
  *(op->prev ? &op->prev->next : &op->parent->first) = op->next;
  *(op->next ? &op->next->prev : &op->parent->last) = op->prev;
  op->prev = op->next = NULL;
}

static bool drop_uses(void *user, ir_op *op) {
  (void)user;
  for (uint32_t i = 0; i < op->operand_count; i++) op->operands[i]->uses--;
  return true;
}

void ir_erase(ir_op *op) {
  drop_uses(NULL, op);
  for (uint32_t i = 0; i < op->region_count; i++) ir_walk(op->regions[i], drop_uses, NULL);
  unlink_op(op);
  op->parent = NULL;
}

void ir_move_before(ir_op *op, ir_op *before) {
  unlink_op(op);
  insert(&(ir_builder){.region = before->parent, .before = before}, op);
}
