/* Functions of the module beside the kernel: for ops that take a loop or many instructions. Each is written once and
 * called for every element, which keeps modules small; drivers inline them. */
#include <string.h>

#include "pass/math/math.h"
#include "spirv/lower.h"

/* The function's ids are its own: scopes of the kernel are out of reach while it is written. */
static spv_helper write_helper(spv_lower *low, ir_code code, ir_dtype dtype, spv_helper_body body) {
  spv_code *c = &low->code, kernel = *c;
  spv_module *m = c->m;
  const ir_op_info *info = ir_op_get(code);
  const spv_id type = spv_num_type(low, dtype), types[] = {type, type};
  const size_t arity = (size_t)info->arity, before = m->sections[SPV_HELPERS].count;
  const spv_id first = m->next_id;
  spv_id params[2] = {0};
  spv_aside aside = spv_aside_begin(m);
  memset(&c->scopes, 0, sizeof c->scopes);
  c->free_order = false;
  spv_id id = spv_function_begin(m, type, spv_type_function(m, type, types, arity));
  for (size_t i = 0; i < arity; i++) params[i] = spv_param(m, type);
  spv_name(m, id, str_from(info->id));
  spv_function_enter(m);
  spv_scope_push(c);
  SPV_DO(m, SpvOpReturnValue, body(low, code, dtype, params));
  m->block = 0;
  spv_function_end(m);
  spv_aside_end(m, &aside);
  memcpy(&c->scopes, &kernel.scopes, sizeof c->scopes);
  c->free_order = kernel.free_order;
  return (spv_helper){id, m->sections[SPV_HELPERS].count - before, m->next_id - first};
}

spv_id spv_call_helper(spv_lower *low, ir_code code, ir_dtype dtype, const spv_id *operands, spv_helper_body body) {
  spv_code *c = &low->code;
  dtype = dtype == IR_F64 ? IR_F64 : IR_F32; /* narrower floats are f32 in registers */
  spv_helper *helper = &low->helpers[code][dtype == IR_F64];
  if (!helper->id) *helper = write_helper(low, code, dtype, body);
  const uint32_t words[] = {helper->id, operands[0], operands[1]}, next = c->m->next_id;
  const size_t arity = (size_t)ir_op_get(code)->arity;
  spv_id result = spv_pure(c, SpvOpFunctionCall, spv_num_type(low, dtype), words, 1 + arity, 1, arity);
  if (result < next) return result;
  low->called_words += helper->words;
  low->called_values += helper->values;
  return result;
}

/* ---- formulas ---- */

/* What an op of a formula gives, its operands being known: `ids` by value id. */
static spv_id evaluate(spv_lower *low, const ir_op *op, const spv_id *ids) {
  const ir_dtype to = op->results[0]->type.dtype;
  const ir_dtype from = op->operand_count ? op->operands[op->code == IR_select ? 1 : 0]->type.dtype : to;
  spv_id operands[3] = {0};
  for (uint32_t i = 0; i < op->operand_count; i++) operands[i] = ids[op->operands[i]->id];
  switch (op->code) {
    case IR_full: return spv_num_const(low, to, op->attrs->bits);
    case IR_convert: return spv_num_convert(low, from, to, operands[0]);
    case IR_bitcast: return spv_num_bitcast(low, from, to, operands[0]);
    default: return spv_map(low, op->code, from, operands, op->loc);
  }
}

spv_id spv_formula_body(spv_lower *low, ir_code code, ir_dtype dtype, const spv_id *operands) {
  ir_kernel scalar = {.module = low->kernel->module};
  ir_builder b = {.module = scalar.module, .kernel = &scalar, .diags = low->diags};
  b.region = ir_region_new(&b, NULL);
  const ir_type type = {.kind = IR_TILE, .dtype = dtype};
  ir_value *params[2];
  for (size_t i = 0; i < 2; i++) params[i] = ir_free_value(&b, type, (kiln_str){0});
  const ir_value *result = math_write(&b, code, params[0], params[1]);
  spv_id *ids = ARENA_ARRAY(low->arena, spv_id, scalar.value_count);
  for (size_t i = 0; i < 2; i++) ids[params[i]->id] = operands[i];
  for (const ir_op *op = b.region->first; op; op = op->next) ids[op->results[0]->id] = evaluate(low, op, ids);
  return ids[result->id];
}
