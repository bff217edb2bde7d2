/* The builder: types inferred, use counts kept, ops moved, erased and copied; a wrong op is refused and leaves nothing
 * behind. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "ir_fixture.h"

static ir_shape shape2(ir_fixture *f, int64_t a, int64_t b) {
  return (ir_shape){2, {ir_dim_const(f->module, a), ir_dim_const(f->module, b)}};
}

static ir_value *tile(ir_fixture *f, ir_dtype dtype, int64_t a, int64_t b) {
  ir_shape shape = shape2(f, a, b);
  return ir_full(&f->b, dtype, &shape, 0);
}

static void expect_type(ir_fixture *f, const ir_value *v, const char *expected) {
  kiln_str found = v ? ir_type_text(f->module, &v->type) : STR("nothing");
  assert_true(str_is(found, expected));
}

static void types_are_inferred(void **state) {
  ir_fixture *f = *state;
  ir_value *a = tile(f, IR_F32, 4, 6), *h = tile(f, IR_F16, 4, 6);
  expect_type(f, ir_map2(&f->b, IR_add, a, a), "f32[4, 6]");
  expect_type(f, ir_map2(&f->b, IR_lt, a, a), "bool[4, 6]");
  expect_type(f, ir_make1(&f->b, IR_reduce_sum, &a, 1, &(ir_attrs){.axes = {1, {-1}}}), "f32[4]");
  expect_type(f, ir_make1(&f->b, IR_reduce_max, &a, 1, &(ir_attrs){.axes = {2, {1, 0}}, .keep = true}), "f32[1, 1]");
  expect_type(f, ir_make1(&f->b, IR_argmax, &h, 1, &(ir_attrs){.axes = {1, {0}}}), "i32[6]");
  expect_type(f, ir_make1(&f->b, IR_transpose, &a, 1, &(ir_attrs){0}), "f32[6, 4]");
  expect_type(f, ir_convert(&f->b, a, IR_I8), "i8[4, 6]");
  ir_value *pair[] = {h, ir_make1(&f->b, IR_transpose, &h, 1, &(ir_attrs){0})};
  ir_attrs dot = {.type = IR_F32, .lhs_contract = {1, {1}}, .rhs_contract = {1, {0}}};
  expect_type(f, ir_make1(&f->b, IR_dot, pair, 2, &dot), "f32[4, 4]");
  ir_value *pads[] = {a, ir_full(&f->b, IR_F32, NULL, 0)};
  ir_attrs pad = {.low = {2, {1, -2}}, .high = {2, {0, 0}}, .interior = {2, {2, 0}}};
  expect_type(f, ir_make1(&f->b, IR_pad, pads, 2, &pad), "f32[11, 4]");
  assert_string_equal(ir_fixture_said(f), "");
}

static void wrong_ops_are_refused(void **state) {
  ir_fixture *f = *state;
  ir_value *a = tile(f, IR_F32, 4, 6), *i = tile(f, IR_I32, 4, 6), *b = tile(f, IR_F32, 6, 4);
  const ir_op *last = f->kernel.body->last;
  assert_null(ir_map2(&f->b, IR_add, a, i));
  assert_string_equal(ir_fixture_said(f), "type_mismatch");
  assert_null(ir_map2(&f->b, IR_add, a, b));
  assert_string_equal(ir_fixture_said(f), "shape_mismatch");
  assert_null(ir_map1(&f->b, IR_exp, i));
  assert_string_equal(ir_fixture_said(f), "type_refused");
  assert_null(ir_make1(&f->b, IR_reduce_sum, &a, 1, &(ir_attrs){.axes = {1, {2}}}));
  assert_string_equal(ir_fixture_said(f), "axis_range");
  assert_null(ir_make1(&f->b, IR_load, &a, 1, &(ir_attrs){0}));
  assert_string_equal(ir_fixture_said(f), "not_a_ref");
  assert_ptr_equal(f->kernel.body->last, last);
  assert_int_equal(a->uses, 0);
}

static void uses_are_counted(void **state) {
  ir_fixture *f = *state;
  ir_value *a = tile(f, IR_F32, 4, 6), *b = tile(f, IR_F32, 4, 6);
  ir_value *sum = ir_map2(&f->b, IR_add, a, a), *twice = ir_map2(&f->b, IR_mul, sum, a);
  assert_int_equal(a->uses, 3);
  ir_set_operand(sum->def, 1, b);
  assert_int_equal(a->uses, 2);
  ir_replace_uses(&f->kernel, a, b);
  assert_int_equal(a->uses, 0);
  assert_int_equal(b->uses, 3);
  ir_erase(twice->def);
  assert_int_equal(b->uses, 2);
  assert_int_equal(sum->uses, 0);
  assert_ptr_equal(f->kernel.body->last, sum->def);
}

static void ops_move(void **state) {
  ir_fixture *f = *state;
  ir_value *a = tile(f, IR_F32, 1, 1), *b = tile(f, IR_F32, 1, 1), *c = tile(f, IR_F32, 1, 1);
  ir_move_before(c->def, a->def);
  assert_ptr_equal(f->kernel.body->first, c->def);
  assert_ptr_equal(c->def->next, a->def);
  assert_ptr_equal(f->kernel.body->last, b->def);
  ir_move_before(a->def, b->def);
  assert_ptr_equal(a->def->prev, c->def);
  assert_null(b->def->next);
}

/* for i in 0 .. 4 with (s = 0) { yield s + i } */
static ir_op *make_loop(ir_fixture *f) {
  ir_value *bounds[] = {ir_scalar_i32(&f->b, 0), ir_scalar_i32(&f->b, 4), ir_scalar_i32(&f->b, 1),
                        ir_scalar_i32(&f->b, 0)};
  ir_type scalar = ir_tile_type(IR_I32, NULL);
  ir_region *body = ir_region_new(&f->b, NULL), *outer = f->b.region;
  ir_value *i = ir_region_arg(&f->b, body, scalar, STR("i")), *s = ir_region_arg(&f->b, body, scalar, STR("s"));
  f->b.region = body;
  ir_value *sum = ir_map2(&f->b, IR_add, s, i);
  ir_yield(&f->b, &sum, 1);
  f->b.region = outer;
  return ir_make_control(&f->b, IR_for, bounds, 4, &body, 1, &scalar, 1, &(ir_attrs){0});
}

static void loops_build_verify_and_copy(void **state) {
  ir_fixture *f = *state;
  ir_op *loop = make_loop(f);
  assert_true(ir_verify(&f->kernel, f->context->diags));
  ir_value *mapped[64] = {NULL};
  ir_region *copy = ir_region_new(&f->b, NULL), *from = f->kernel.body;
  f->b.region = copy;
  ir_clone_region(&f->b, from, mapped);
  ir_op *other = mapped[loop->results[0]->id]->def;
  assert_ptr_not_equal(other, loop);
  assert_int_equal(other->code, IR_for);
  assert_ptr_not_equal(other->regions[0]->first->operands[0], loop->regions[0]->first->operands[0]);
  f->kernel.body = copy;
  assert_true(ir_verify(&f->kernel, f->context->diags));
  text a = text_new(&f->module->arena), b = text_new(&f->module->arena);
  ir_print_kernel(&a, &f->kernel);
  f->kernel.body = from;
  ir_print_kernel(&b, &f->kernel);
  assert_true(str_equal(text_str(&a), text_str(&b)));
}

static void verify_sees_what_is_out_of_scope(void **state) {
  ir_fixture *f = *state;
  ir_op *loop = make_loop(f);
  ir_value *inner = loop->regions[0]->first->results[0];
  ir_map1(&f->b, IR_neg, inner);
  assert_false(ir_verify(&f->kernel, f->context->diags));
  assert_string_equal(ir_fixture_said(f), "not_visible");
}

/* What a careless pass might do: types and attributes changed in place, so that they no longer fit. */
static void verify_infers_types_again(void **state) {
  ir_fixture *f = *state;
  ir_value *a = tile(f, IR_F32, 4, 6), *sum = ir_map2(&f->b, IR_add, a, a);
  ir_value *row = ir_make1(&f->b, IR_reduce_max, &a, 1, &(ir_attrs){.axes = {1, {1}}});
  assert_true(ir_verify_types(&f->kernel, f->context->diags));
  sum->type.dtype = IR_F16;
  assert_false(ir_verify_types(&f->kernel, f->context->diags));
  assert_string_equal(ir_fixture_said(f), "type_changed");
  sum->type.dtype = IR_F32;
  row->def->attrs->axes.at[0] = 0;
  assert_false(ir_verify_types(&f->kernel, f->context->diags));
  assert_string_equal(ir_fixture_said(f), "type_changed");
  row->def->attrs->axes.at[0] = 2;
  assert_false(ir_verify_types(&f->kernel, f->context->diags));
  assert_string_equal(ir_fixture_said(f), "axis_range");
  row->def->attrs->axes.at[0] = 1;
  assert_true(ir_verify_types(&f->kernel, f->context->diags));
}

/* Erasing while walking must neither visit what is gone nor stop early. */
static bool erase_unused(void *user, ir_op *op) {
  ++*(int *)user;
  if (op->result_count == 1 && op->results[0]->uses == 0) ir_erase(op);
  return true;
}

static void walking_survives_erasing(void **state) {
  ir_fixture *f = *state;
  int visited = 0;
  make_loop(f);
  ir_walk_kernel(&f->kernel, erase_unused, &visited);
  assert_int_equal(visited, 5);
  for (const ir_op *op = f->kernel.body->first; op; op = op->next) assert_int_equal(op->results[0]->uses, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ir_fixture_in, ir_fixture_out)
int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(types_are_inferred),
      TEST(wrong_ops_are_refused),
      TEST(uses_are_counted),
      TEST(ops_move),
      TEST(loops_build_verify_and_copy),
      TEST(verify_sees_what_is_out_of_scope),
      TEST(verify_infers_types_again),
      TEST(walking_survives_erasing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
