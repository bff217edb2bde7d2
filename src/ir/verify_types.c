/* The types that ops carry, inferred once more and compared with what is stored. Parsing, binding and the builder infer
 * every type they store; passes also change operands, attributes and types in place, and this is what holds them to the
 * rules. */
#include "ir/infer/infer.h"

typedef struct retyper {
  ir_builder b;
  ir_value *made; /* what inference fills in place of an op's results */
  ir_value **results;
  uint32_t room;
  bool ok;
} retyper;

/* Unlike operands of an op, the two must be the same in every dimension, the space of a ref included. */
static bool equal(const ir_type *a, const ir_type *b) {
  return a->kind == b->kind && a->dtype == b->dtype && (a->kind == IR_TILE || a->space == b->space) &&
         ir_shape_equal(&a->shape, &b->shape) != IR_NO;
}

static void make_room(retyper *r, uint32_t count) {
  if (count <= r->room) return;
  r->made = ARENA_ARRAY(&r->b.module->arena, ir_value, count);
  r->results = ARENA_ARRAY(&r->b.module->arena, ir_value *, count);
  for (uint32_t i = 0; i < count; i++) r->results[i] = &r->made[i];
  r->room = count;
}

static void compare(retyper *r, const ir_op *op) {
  for (uint32_t i = 0; i < op->result_count; i++) {
    const ir_type *stored = &op->results[i]->type, *inferred = &r->made[i].type;
    if (equal(stored, inferred)) continue;
    kiln_str is = ir_any_text(r->b.module, stored), should = ir_any_text(r->b.module, inferred);
    diag_report(r->b.diags, DIAG_type_changed, op->loc, ir_op_label(op), STR_FMT(is), STR_FMT(should));
    r->ok = false;
  }
}

/* Control ops take their types from what they carry, which ir_verify compares. */
static bool retype(void *user, ir_op *op) {
  retyper *r = user;
  ir_op copy = *op;
  ir_attrs attrs;
  if (ir_op_get(op->code)->effects & (E_CONTROL | E_TERMINATOR)) return true;
  make_room(r, op->result_count);
  if (op->attrs) attrs = *op->attrs, copy.attrs = &attrs;
  if (op->result_count) copy.results = r->results;
  r->b.loc = op->loc;
  if (ir_infer(&r->b, &copy))
    compare(r, op);
  else
    r->ok = false;
  return true;
}

bool ir_verify_types(ir_kernel *k, diag_sink *diags) {
  retyper r = {.b = {.module = k->module, .kernel = k, .diags = diags}, .ok = true};
  ir_walk_kernel(k, retype, &r);
  return r.ok;
}
