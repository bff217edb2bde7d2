/* Choosing lane loops: the best instruction set that this CPU has. The loops are in eval_isa.inc. */
#include "ir/eval/eval.h"

#include <math.h>

#include "ir/eval/eval_lanes.h"

static const eval_table *table(void) {
#if defined(KILN_EVAL_X86)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl"))
    return &eval_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &eval_avx2;
#endif
  return &eval_baseline;
}

static ir_lanes_fn find(const eval_table *t, ir_code code, ir_dtype dtype) {
  if (t->vector[dtype] != NULL && t->vector[dtype][code] != NULL) return t->vector[dtype][code];
  return t->map[dtype][code];
}

static ir_lanes_fn find_one(const eval_table *t, ir_code code, ir_dtype dtype, uint32_t operand) {
  const bool vector = t->vector[dtype] != NULL && t->vector[dtype][code] != NULL;
  return vector || t->ones[dtype] == NULL ? NULL : t->ones[dtype][code][operand];
}

ir_lanes_fn ir_lanes(ir_code code, ir_dtype dtype) { return find(table(), code, dtype); }
ir_lanes_fn ir_lanes_one(ir_code code, ir_dtype dtype, uint32_t operand) {
  return find_one(table(), code, dtype, operand);
}
ir_lanes_fn ir_reduce_lanes(ir_code code, ir_dtype dtype) {
  const ir_lanes_fn *loops = table()->reduce[dtype];
  return loops == NULL || ir_op_get(code)->combine < 0 ? NULL : loops[code];
}
ir_lanes_fn ir_splat_lanes(ir_dtype dtype) { return table()->splat[dtype]; }
ir_lanes_fn ir_convert_lanes(ir_dtype from, ir_dtype to) { return table()->convert[from][to]; }

bool ir_evals_one(const ir_op *op) {
  if (op->code == IR_full || op->code == IR_size) return true;
  const bool computes = op->code == IR_convert || ir_op_get(op->code)->form == IR_FORM_MAP;
  return computes && op->operand_count > 0 && op->operand_count <= 3;
}

bool ir_eval_one(const ir_op *op, const uint64_t in[3], uint64_t *bits) {
  if (op->code == IR_full) return *bits = op->attrs->bits, true;
  if (op->code == IR_size) return *bits = ir_bits_from_i64(IR_I32, op->attrs->dim->value), true;
  const ir_dtype from = op->operands[op->operand_count - 1]->type.dtype;
  const ir_lanes_fn lanes =
      op->code == IR_convert ? ir_convert_lanes(from, op->results[0]->type.dtype) : ir_lanes(op->code, from);
  const void *operands[3] = {&in[0], &in[1], &in[2]};
  *bits = 0;
  if (lanes) lanes(bits, operands, 1);
  return lanes;
}

size_t ir_eval_set_count(void) {
#if defined(KILN_EVAL_X86)
  return table() == &eval_avx512 ? 3 : table() == &eval_avx2 ? 2 : 1;
#else
  return 1;
#endif
}

static const eval_table *table_at(size_t set) {
#if defined(KILN_EVAL_X86)
  if (set == 2) return &eval_avx512;
  if (set == 1) return &eval_avx2;
#endif
  (void)set;
  return &eval_baseline;
}

ir_lanes_fn ir_eval_set_lanes(size_t set, ir_code code, ir_dtype dtype) { return find(table_at(set), code, dtype); }
ir_lanes_fn ir_eval_set_one(size_t set, ir_code code, ir_dtype dtype, uint32_t operand) {
  return find_one(table_at(set), code, dtype, operand);
}
ir_lanes_fn ir_eval_set_convert(size_t set, ir_dtype from, ir_dtype to) { return table_at(set)->convert[from][to]; }

/* ---- what reductions start with ---- */

/* Where a format has no infinity, its largest number stands for it. */
static double within_format(ir_float_format f, ir_dtype dtype, double value) {
  if (!isinf(value) || ir_float_has_infinity(f)) return value;
  double largest = ir_bits_to_f64(dtype, ir_float_largest(f));
  return value > 0 ? largest : ir_float_sign(f) ? -largest : ir_bits_to_f64(dtype, 0);
}

/* The cells of one row as bits of `to`. SMIN and SMAX are those of `dtype`. */
static uint64_t identity(ir_dtype dtype, ir_dtype to, int64_t s, uint64_t u, double f) {
  const ir_dtype_info *info = ir_dtype_get(dtype);
  switch (info->class) {
    case IR_CLASS_BOOL: return u & 1;
    case IR_CLASS_SINT: return ir_bits_from_i64(to, s);
    case IR_CLASS_UINT: return ir_bits_from_i64(to, (int64_t)(u & ir_low_ones(info->bits)));
    case IR_CLASS_FLOAT: break;
  }
  return ir_bits_from_f64(to, within_format(info->format, dtype, f));
}

uint64_t ir_identity_bits_as(ir_code code, ir_dtype dtype, ir_dtype to) {
  const ir_op_info *info = ir_op_get(code);
  const uint32_t bits = ir_dtype_get(dtype)->bits;
  const int64_t SMAX = (int64_t)(~UINT64_C(0) >> (65 - bits)), SMIN = -SMAX - 1;
  typedef uint64_t U;
  /* A scan starts with what the reduction of the same combination starts with. */
#define REDUCE_OP(id, text, combining, types, initS, initU, initF, ...)                        \
  if (code == IR_##id || (info->combine >= 0 && info->combine == ir_op_get(IR_##id)->combine)) \
    return identity(dtype, to, initS, initU, initF);
#include "ir/tile_ops.def"
  return 0;
}

uint64_t ir_identity_bits(ir_code code, ir_dtype dtype) { return ir_identity_bits_as(code, dtype, dtype); }
