/* Functions of the module beside the kernel: what takes a loop to compute. */
#include <string.h>

#include "spirv/lower.h"

/* A float as mantissa * 2^(exponent - 150), the mantissa below 2^24. */
typedef struct parts {
  spv_id mantissa, exponent;
} parts;

static spv_id int2(spv_code *c, SpvOp op, spv_id a, spv_id b) { return spv_op2(c, op, c->u32, a, b); }
static spv_id test(spv_code *c, SpvOp op, spv_id a, spv_id b) { return spv_op2(c, op, c->boolean, a, b); }

static parts take_apart(spv_code *c, spv_id size) {
  spv_id biased = int2(c, SpvOpShiftRightLogical, size, spv_int(c, 23));
  spv_id fraction = spv_and_const(c, size, 0x7fffff), normal = test(c, SpvOpINotEqual, biased, spv_int(c, 0));
  spv_id with_bit = int2(c, SpvOpBitwiseOr, fraction, spv_int(c, 0x800000));
  return (parts){spv_select(c, c->u32, normal, with_bit, fraction),
                 spv_select(c, c->u32, normal, biased, spv_int(c, 1))};
}

/* The bits of mantissa * 2^(exponent - 150). */
static spv_id put_together(spv_code *c, spv_id mantissa, spv_id exponent) {
  spv_id top = spv_glsl1(c, GLSLstd450FindUMsb, c->u32, int2(c, SpvOpBitwiseOr, mantissa, spv_int(c, 1)));
  spv_id room = int2(c, SpvOpISub, exponent, spv_int(c, 1));
  spv_id shift = spv_glsl2(c, GLSLstd450UMin, c->u32, int2(c, SpvOpISub, spv_int(c, 23), top), room);
  spv_id moved = int2(c, SpvOpShiftLeftLogical, mantissa, shift), left = int2(c, SpvOpISub, room, shift);
  spv_id high = int2(c, SpvOpShiftLeftLogical, left, spv_int(c, 23)); /* the implied bit adds the missing one */
  spv_id bits = int2(c, SpvOpIAdd, moved, high);
  return spv_select(c, c->u32, test(c, SpvOpIEqual, mantissa, spv_int(c, 0)), spv_int(c, 0), bits);
}

/* mantissa * 2^shift mod divisor, eight bits a round. */
static spv_id shift_and_reduce(spv_code *c, spv_id mantissa, spv_id shift, spv_id divisor) {
  spv_id rest = int2(c, SpvOpUMod, mantissa, divisor);
  spv_loop loop = spv_code_loop(c);
  const spv_id phis[] = {spv_code_phi(c, &loop, c->u32, shift), spv_code_phi(c, &loop, c->u32, rest)};
  spv_loop_test(c->m, &loop, false);
  spv_loop_body(c->m, &loop, test(c, SpvOpINotEqual, phis[0], spv_int(c, 0)));
  spv_id by = spv_glsl2(c, GLSLstd450UMin, c->u32, phis[0], spv_int(c, 8));
  spv_id wide = int2(c, SpvOpShiftLeftLogical, phis[1], by);
  const spv_id next[] = {int2(c, SpvOpISub, phis[0], by), int2(c, SpvOpUMod, wide, divisor)};
  spv_code_loop_end(c, &loop, phis, next, 2);
  return phis[1];
}

static spv_id fmod_body(spv_code *c, spv_id a, spv_id b) {
  spv_id a_bits = spv_bitcast(c, c->u32, a), b_bits = spv_bitcast(c, c->u32, b);
  spv_id a_size = int2(c, SpvOpBitwiseAnd, a_bits, spv_int(c, 0x7fffffff));
  spv_id b_size = int2(c, SpvOpBitwiseAnd, b_bits, spv_int(c, 0x7fffffff));
  spv_id endless = spv_int(c, 0x7f800000);
  spv_id wrong = test(c, SpvOpUGreaterThanEqual, a_size, endless);
  wrong = test(c, SpvOpLogicalOr, wrong, test(c, SpvOpUGreaterThan, b_size, endless));
  wrong = test(c, SpvOpLogicalOr, wrong, test(c, SpvOpIEqual, b_size, spv_int(c, 0)));
  spv_id unchanged = test(c, SpvOpULessThan, a_size, b_size);
  spv_id idle = test(c, SpvOpLogicalOr, wrong, unchanged);
  parts x = take_apart(c, a_size), y = take_apart(c, spv_select(c, c->u32, wrong, spv_int(c, 0x3f800000), b_size));
  spv_id shift = int2(c, SpvOpISub, x.exponent, y.exponent);
  shift = spv_select(c, c->u32, idle, spv_int(c, 0), shift);
  spv_id rest = put_together(c, shift_and_reduce(c, x.mantissa, shift, y.mantissa), y.exponent);
  spv_id sign = int2(c, SpvOpBitwiseAnd, a_bits, spv_int(c, 0x80000000));
  spv_id result = spv_select(c, c->u32, unchanged, a_bits, int2(c, SpvOpBitwiseOr, rest, sign));
  return spv_bitcast(c, c->f32, spv_select(c, c->u32, wrong, spv_int(c, 0x7fc00000), result));
}

/* The function's ids are its own: scopes of the kernel are out of reach while it is written. */
static spv_id write_fmod(spv_lower *low) {
  spv_code *c = &low->code, kernel = *c;
  spv_aside aside = spv_aside_begin(c->m);
  memset(&c->scopes, 0, sizeof c->scopes);
  const spv_id params[] = {c->f32, c->f32};
  spv_id id = spv_function_begin(c->m, c->f32, spv_type_function(c->m, c->f32, params, 2));
  spv_id a = spv_param(c->m, c->f32), b = spv_param(c->m, c->f32);
  spv_name(c->m, id, STR("fmod"));
  spv_function_enter(c->m);
  spv_scope_push(c);
  SPV_DO(c->m, SpvOpReturnValue, fmod_body(c, a, b));
  c->m->block = 0;
  spv_function_end(c->m);
  spv_aside_end(c->m, &aside);
  memcpy(&c->scopes, &kernel.scopes, sizeof c->scopes);
  return id;
}

spv_id spv_fmod(spv_lower *low, spv_id a, spv_id b) {
  if (!low->fmod) low->fmod = write_fmod(low);
  return spv_pure(&low->code, SpvOpFunctionCall, low->code.f32, SPV_LIST(low->fmod, a, b), 1, 2);
}
