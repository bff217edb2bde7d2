/* Elementwise ops: the SPIR-V cells of tile_ops.def as a table, and the functions that its FN cells name. */
#include <math.h>

#include "spirv/lower.h"

typedef struct call {
  spv_lower *low;
  spv_code *c;
  ir_code code;
  ir_dtype dtype; /* of the operands */
  spv_id type;
  spv_id a, b, d;
} call;
typedef spv_id (*map_fn)(call *call);

static spv_id op2(call *x, SpvOp op, spv_id a, spv_id b) { return spv_op2(x->c, op, x->type, a, b); }
static spv_id test(call *x, SpvOp op, spv_id a, spv_id b) { return spv_op2(x->c, op, x->c->boolean, a, b); }
static spv_id pick(call *x, spv_id condition, spv_id yes, spv_id no) {
  return spv_select(x->c, x->type, condition, yes, no);
}
static spv_id number(call *x, int64_t value) {
  return spv_num_const(x->low, x->dtype, ir_bits_from_i64(x->dtype, value));
}
static spv_id real(call *x, double value) { return spv_num_const(x->low, x->dtype, ir_bits_from_f64(x->dtype, value)); }
static uint32_t width(const call *x) { return ir_dtype_get(x->dtype)->bits; }
static spv_id is_nan(call *x, spv_id a) { return test(x, SpvOpFUnordNotEqual, a, a); }

/* ---- integers ---- */

static spv_id fn_same(call *x) { return x->a; }

/* Division with a divisor that the hardware accepts; the special cases are put in afterwards. */
static spv_id divide_signed(call *x, SpvOp op, spv_id by_zero, spv_id by_minus_one) {
  spv_id zero = test(x, SpvOpIEqual, x->b, number(x, 0)), minus = test(x, SpvOpIEqual, x->b, number(x, -1));
  spv_id divisor = pick(x, spv_op2(x->c, SpvOpLogicalOr, x->c->boolean, zero, minus), number(x, 1), x->b);
  return pick(x, zero, by_zero, pick(x, minus, by_minus_one, op2(x, op, x->a, divisor)));
}

static spv_id fn_div_s(call *x) {
  return divide_signed(x, SpvOpSDiv, number(x, -1), spv_op1(x->c, SpvOpSNegate, x->type, x->a));
}
static spv_id fn_rem_s(call *x) { return divide_signed(x, SpvOpSRem, x->a, number(x, 0)); }

static spv_id divide_unsigned(call *x, SpvOp op, spv_id by_zero) {
  spv_id zero = test(x, SpvOpIEqual, x->b, number(x, 0));
  return pick(x, zero, by_zero, op2(x, op, x->a, pick(x, zero, number(x, 1), x->b)));
}

static spv_id fn_div_u(call *x) { return divide_unsigned(x, SpvOpUDiv, number(x, -1)); }
static spv_id fn_rem_u(call *x) { return divide_unsigned(x, SpvOpUMod, x->a); }
static spv_id fn_sign_u(call *x) { return pick(x, test(x, SpvOpIEqual, x->a, number(x, 0)), x->a, number(x, 1)); }

static spv_id fn_square(call *x) {
  SpvOp op = ir_is_float(x->dtype) ? SpvOpFMul : SpvOpIMul;
  return op == SpvOpIMul && x->type == x->c->u32 ? spv_mul(x->c, x->a, x->a) : op2(x, op, x->a, x->a);
}

/* The operand as words without a sign, the upper one 0 for types of up to 32 bits. */
static spv_id words_of(call *x, spv_id *upper) {
  spv_id lower;
  *upper = 0;
  if (width(x) < 32) return spv_and_const(x->c, x->a, (1u << width(x)) - 1);
  if (width(x) == 32) return x->a;
  spv_num_halves(x->low, x->a, &lower, upper);
  return lower;
}

/* A small count as a number of the type. */
static spv_id counted(call *x, spv_id count) {
  return width(x) == 64 ? spv_op1(x->c, SpvOpUConvert, x->type, count) : count;
}

static spv_id fn_popcount(call *x) {
  spv_id upper, lower = words_of(x, &upper), count = spv_op1(x->c, SpvOpBitCount, x->c->u32, lower);
  if (upper) count = spv_op2(x->c, SpvOpIAdd, x->c->u32, count, spv_op1(x->c, SpvOpBitCount, x->c->u32, upper));
  return counted(x, count);
}

/* FindUMsb gives the number of the highest bit that is set, and -1 for 0. */
static spv_id fn_clz(call *x) {
  spv_code *c = x->c;
  spv_id upper, lower = words_of(x, &upper), top = spv_glsl1(c, GLSLstd450FindUMsb, c->u32, lower);
  if (upper) {
    spv_id high = spv_op2(c, SpvOpIAdd, c->u32, spv_glsl1(c, GLSLstd450FindUMsb, c->u32, upper), spv_int(c, 32));
    top = spv_select(c, c->u32, spv_op2(c, SpvOpINotEqual, c->boolean, upper, spv_int(c, 0)), high, top);
  }
  return counted(x, spv_op2(c, SpvOpISub, c->u32, spv_int(c, (int64_t)width(x) - 1), top));
}

/* Shifts: SPIR-V leaves amounts past the width undefined, so what lies beyond is picked, unless the amount is known. */
static bool shift_known(call *x) {
  const spv_fact *amount = spv_fact_of(x->c, x->b);
  return width(x) <= 32 && amount->low >= 0 && amount->high < (int64_t)width(x);
}
static spv_id shift_fits(call *x) { return test(x, SpvOpULessThan, x->b, number(x, width(x))); }
static spv_id shift(call *x, SpvOp op) {
  if (shift_known(x)) return op2(x, op, x->a, x->b);
  spv_id amount = op2(x, SpvOpBitwiseAnd, x->b, number(x, (int64_t)width(x) - 1));
  return pick(x, shift_fits(x), op2(x, op, x->a, amount), number(x, 0));
}
static spv_id fn_shl(call *x) { return shift(x, SpvOpShiftLeftLogical); }
static spv_id fn_shr_u(call *x) { return shift(x, SpvOpShiftRightLogical); }
static spv_id fn_shr_s(call *x) {
  spv_id amount = shift_known(x) ? x->b : pick(x, shift_fits(x), x->b, number(x, (int64_t)width(x) - 1));
  return op2(x, SpvOpShiftRightArithmetic, x->a, amount);
}
static spv_id fn_shr_logical(call *x) {
  if (width(x) < 32) x->a = spv_and_const(x->c, x->a, (1u << width(x)) - 1);
  return fn_shr_u(x);
}

/* ---- floats ---- */

static spv_id choose(call *x, SpvOp better) {
  spv_id first = spv_op2(x->c, SpvOpLogicalOr, x->c->boolean, is_nan(x, x->a), test(x, better, x->a, x->b));
  return pick(x, first, x->a, x->b);
}
static spv_id fn_max_f(call *x) { return choose(x, SpvOpFOrdGreaterThan); }
static spv_id fn_min_f(call *x) { return choose(x, SpvOpFOrdLessThan); }

/* The one of two that a comparison calls better; of floats a NaN. */
static spv_id better(call *x, bool larger, spv_id a, spv_id b) {
  ir_class class = ir_dtype_get(x->dtype)->class;
  call pair = *x;
  pair.a = a, pair.b = b;
  if (class == IR_CLASS_FLOAT) return larger ? fn_max_f(&pair) : fn_min_f(&pair);
  SpvOp less = class == IR_CLASS_SINT ? SpvOpSLessThan : SpvOpULessThan;
  return pick(x, test(x, less, larger ? b : a, larger ? a : b), a, b);
}

/* clamp(low, x, high) = min(max(x, low), high). */
static spv_id fn_clamp(call *x) { return better(x, false, better(x, true, x->b, x->a), x->d); }

static spv_id fn_sign_f(call *x) {
  spv_id negative = pick(x, test(x, SpvOpFOrdLessThan, x->a, real(x, 0)), real(x, -1), x->a);
  return pick(x, test(x, SpvOpFOrdGreaterThan, x->a, real(x, 0)), real(x, 1), negative);
}

/* lavapipe at 512 bits rounds f64 toward zero (1.5 gives 1): there 2^52 is added and taken away, which leaves whole
 * numbers. */
static spv_id fn_round_even(call *x) {
  if (x->dtype != IR_F64) return spv_glsl1(x->c, GLSLstd450RoundEven, x->type, x->a);
  spv_id size = spv_glsl1(x->c, GLSLstd450FAbs, x->type, x->a), large = real(x, 0x1p52);
  spv_id whole = op2(x, SpvOpFSub, op2(x, SpvOpFAdd, size, large), large);
  spv_id rounded = pick(x, test(x, SpvOpFOrdLessThan, size, large), whole, size);
  spv_id negative = spv_op1(x->c, SpvOpFNegate, x->type, rounded);
  return pick(x, test(x, SpvOpFOrdLessThan, x->a, real(x, 0)), negative, rounded);
}

static spv_id fn_is_finite(call *x) {
  return test(x, SpvOpFOrdLessThan, spv_glsl1(x->c, GLSLstd450FAbs, x->type, x->a), real(x, (double)INFINITY));
}

/* One more or one less in the bits of the number, which are a sign and a magnitude. */
static spv_id fn_nextafter(call *x) {
  spv_code *c = x->c;
  const bool wide = width(x) == 64;
  const ir_dtype word = wide ? IR_U64 : IR_U32;
  const uint64_t sign = UINT64_C(1) << (width(x) - 1);
  spv_id type = spv_num_type(x->low, word), one = spv_num_const(x->low, word, 1), zero = real(x, 0);
  spv_id bits = wide ? spv_bitcast(c, type, x->a) : spv_num_pack(x->low, x->dtype, x->a);
  spv_id upward = test(x, SpvOpFOrdLessThan, x->a, x->b), positive = test(x, SpvOpFOrdGreaterThan, x->a, zero);
  spv_id out = spv_op2(c, SpvOpLogicalEqual, c->boolean, upward, positive);
  spv_id moved =
      spv_select(c, type, out, spv_op2(c, SpvOpIAdd, type, bits, one), spv_op2(c, SpvOpISub, type, bits, one));
  spv_id least = spv_select(c, type, upward, one, spv_num_const(x->low, word, sign | 1));
  moved = spv_select(c, type, test(x, SpvOpFOrdEqual, x->a, zero), least, moved);
  if (ir_dtype_get(x->dtype)->format.specials == IR_SPECIALS_FNUZ) /* up from the last negative number */
    moved = spv_select(c, type, spv_op2(c, SpvOpIEqual, c->boolean, moved, spv_num_const(x->low, word, sign)),
                       spv_num_const(x->low, word, 0), moved);
  spv_id found = wide ? spv_bitcast(c, x->type, moved) : spv_num_unpack(x->low, x->dtype, moved);
  found = pick(x, test(x, SpvOpFOrdEqual, x->a, x->b), x->b, found);
  spv_id nan = spv_op2(c, SpvOpLogicalOr, c->boolean, is_nan(x, x->a), is_nan(x, x->b));
  return pick(x, nan, real(x, (double)NAN), found);
}

/* trunc(a), and one further out when at least half was cut off: exact, unlike adding 0.5. */
static spv_id fn_round_away(call *x) {
  spv_id whole = spv_glsl1(x->c, GLSLstd450Trunc, x->type, x->a);
  spv_id rest = spv_glsl1(x->c, GLSLstd450FAbs, x->type, op2(x, SpvOpFSub, x->a, whole));
  spv_id away = op2(x, SpvOpFAdd, whole, spv_glsl1(x->c, GLSLstd450FSign, x->type, x->a));
  return pick(x, test(x, SpvOpFOrdGreaterThanEqual, rest, real(x, 0.5)), away, whole);
}

static spv_id by_helper(call *x, ir_code code, spv_helper_body body) {
  return spv_call_helper(x->low, code, x->dtype, (const spv_id[]){x->a, x->b}, body);
}
static spv_id fn_rem_f(call *x) { return by_helper(x, IR_rem, spv_fmod_body); }
static spv_id fn_formula(call *x) { return by_helper(x, x->code, spv_formula_body); }

/* ---- the table ---- */

typedef enum cell_kind { CELL_NONE, CELL_OP, CELL_EXT, CELL_FN } cell_kind;
typedef struct cell {
  cell_kind kind;
  uint32_t code;
  map_fn fn;
} cell;

#define OP(name) \
  { CELL_OP, SpvOp##name, NULL }
#define EXT(name) \
  { CELL_EXT, GLSLstd450##name, NULL }
#define FN(name) \
  { CELL_FN, 0, fn_##name }
#define NOT \
  { CELL_NONE, 0, NULL }
typedef struct row {
  cell sint, uint, real, boolean;
} row;
static const row rows[] = {
#define MAP_OP(id, arity, infix, types, result, S, U, F, spvS, spvU, spvF, spvB, ...) \
  [IR_##id] = {spvS, spvU, spvF, spvB},
#include "ir/tile_ops.def"
};
#undef OP
#undef EXT
#undef FN
#undef NOT

static const cell *find_cell(ir_code code, ir_dtype dtype) {
  const row *of = &rows[code];
  switch (ir_dtype_get(dtype)->class) {
    case IR_CLASS_SINT: return &of->sint;
    case IR_CLASS_UINT: return &of->uint;
    case IR_CLASS_FLOAT: return &of->real;
    default: return &of->boolean;
  }
}

/* The integer ops that know how to fold and to keep facts. */
static spv_id fold(call *x, SpvOp op) {
  if (x->type != x->c->u32) return 0;
  switch (op) {
    case SpvOpIAdd: return spv_add(x->c, x->a, x->b);
    case SpvOpISub: return spv_sub(x->c, x->a, x->b);
    case SpvOpIMul: return spv_mul(x->c, x->a, x->b);
    default: return 0;
  }
}

static spv_id plain(call *x, SpvOp op, uint32_t arity, spv_id type) {
  spv_id folded = fold(x, op);
  if (folded) return folded;
  if (op == SpvOpSelect) return spv_select(x->c, type, x->a, x->b, x->d);
  return arity == 1 ? spv_op1(x->c, op, type, x->a) : spv_op2(x->c, op, type, x->a, x->b);
}

static spv_id extended(call *x, enum GLSLstd450 op, uint32_t arity) {
  if (x->type == x->c->u32 && op == GLSLstd450SMax) return spv_max(x->c, x->a, x->b);
  if (x->type == x->c->u32 && op == GLSLstd450SMin) return spv_min(x->c, x->a, x->b);
  return arity == 1 ? spv_glsl1(x->c, op, x->type, x->a) : spv_glsl2(x->c, op, x->type, x->a, x->b);
}

spv_id spv_map(spv_lower *low, ir_code code, ir_dtype dtype, const spv_id *operands, loc at) {
  const ir_op_info *info = ir_op_get(code);
  const cell *of = find_cell(code, dtype);
  call x = {.low = low, .c = &low->code, .code = code, .dtype = dtype, .type = spv_num_type(low, dtype)};
  x.a = operands[0];
  x.b = info->arity > 1 ? operands[1] : 0;
  x.d = info->arity > 2 ? operands[2] : 0;
  bool to_bool = info->result == IR_RESULT_BOOL;
  spv_id result = 0;
  if (of->kind == CELL_OP) result = plain(&x, (SpvOp)of->code, (uint32_t)info->arity, to_bool ? x.c->boolean : x.type);
  if (of->kind == CELL_EXT) result = extended(&x, (enum GLSLstd450)of->code, (uint32_t)info->arity);
  if (of->kind == CELL_FN) result = of->fn(&x);
  if (!result) {
    diag_report(low->diags, DIAG_spirv_unsupported_op, at, info->text, ir_dtype_get(dtype)->name);
    spv_give_up(low);
  }
  return to_bool || code == IR_select ? result : spv_num_round(low, dtype, result);
}
