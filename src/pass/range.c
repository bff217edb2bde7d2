/* Ranges of integer values: interval arithmetic over the ops that index maps and masks are made of. A tile's range
 * holds for each of its elements. One question looks at a bounded number of ops, so that shared operands cannot make it
 * explode. */
#include "pass/util.h"

enum { MAX_DEPTH = 32, MAX_OPS = 128 };

typedef struct asking {
  const ir_kernel *kernel;
  uint32_t ops; /* looked at so far */
} asking;

static const pass_range everything = {INT64_MIN, INT64_MAX};

static pass_range of_type(ir_dtype dtype) {
  const ir_dtype_info *info = ir_dtype_get(dtype);
  switch (info->class) {
    case IR_CLASS_BOOL: return (pass_range){0, 1};
    case IR_CLASS_SINT: return (pass_range){INT64_MIN >> (64 - info->bits), INT64_MAX >> (64 - info->bits)};
    case IR_CLASS_UINT: return (pass_range){0, INT64_MAX >> (info->bits < 64 ? 63 - info->bits : 0)};
    default: return everything;
  }
}

/* What wraps may be anything of its type. */
static pass_range within_type(pass_range r, ir_dtype dtype) {
  pass_range whole = of_type(dtype);
  return r.low >= whole.low && r.high <= whole.high ? r : whole;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

static pass_range product(pass_range a, pass_range b) {
  int64_t corner[4];
  if (!i64_mul(a.low, b.low, &corner[0]) || !i64_mul(a.low, b.high, &corner[1]) ||
      !i64_mul(a.high, b.low, &corner[2]) || !i64_mul(a.high, b.high, &corner[3]))
    return everything;
  pass_range r = {corner[0], corner[0]};
  for (int i = 1; i < 4; i++) r = (pass_range){least(r.low, corner[i]), most(r.high, corner[i])};
  return r;
}

static pass_range sum(pass_range a, pass_range b) {
  pass_range r;
  return i64_add(a.low, b.low, &r.low) && i64_add(a.high, b.high, &r.high) ? r : everything;
}

static pass_range negated(pass_range a) {
  return a.low == INT64_MIN || a.high == INT64_MIN ? everything : (pass_range){-a.high, -a.low};
}

static pass_range quotient(pass_range a, pass_range b) {
  if (b.low != b.high || b.low <= 0) return everything;
  return (pass_range){a.low / b.low, a.high / b.low};
}

static pass_range remainder_of(pass_range a, pass_range b) {
  if (b.low <= 0) return everything;
  if (a.low >= 0 && a.high < b.low) return a;
  return (pass_range){a.low < 0 ? 1 - b.high : 0, b.high - 1};
}

static pass_range either(pass_range a, pass_range b) { return (pass_range){least(a.low, b.low), most(a.high, b.high)}; }

static pass_range range_at(asking *q, const ir_value *v, uint32_t depth);

static pass_range of_op(asking *q, const ir_op *op, uint32_t depth) {
  pass_range in[3] = {everything, everything, everything};
  for (uint32_t i = 0; i < op->operand_count && i < 3; i++) in[i] = range_at(q, op->operands[i], depth + 1);
  switch (op->code) {
    case IR_full: {
      int64_t value = ir_bits_to_i64(op->results[0]->type.dtype, op->attrs->bits);
      return (pass_range){value, value};
    }
    case IR_iota: return (pass_range){0, most(0, ir_extent(&op->results[0]->type, (uint32_t)op->attrs->axis) - 1)};
    case IR_size: return (pass_range){op->attrs->dim->value, op->attrs->dim->value};
    case IR_add: return sum(in[0], in[1]);
    case IR_sub: return sum(in[0], negated(in[1]));
    case IR_mul: return product(in[0], in[1]);
    case IR_div: return quotient(in[0], in[1]);
    case IR_rem: return remainder_of(in[0], in[1]);
    case IR_neg: return negated(in[0]);
    case IR_min: return (pass_range){least(in[0].low, in[1].low), least(in[0].high, in[1].high)};
    case IR_max: return (pass_range){most(in[0].low, in[1].low), most(in[0].high, in[1].high)};
    case IR_select: return either(in[1], in[2]);
    case IR_clamp:
      return (pass_range){most(least(in[1].low, in[2].low), in[0].low),
                          least(most(in[1].high, in[0].high), in[2].high)};
    case IR_convert:
    case IR_broadcast:
    case IR_reshape:
    case IR_transpose:
    case IR_reverse:
    case IR_slice: return in[0];
    default: return everything;
  }
}

/* The counter of a `for` with a positive step: from its begin to below its end. */
static pass_range of_argument(asking *q, const ir_value *v, uint32_t depth) {
  const ir_op *loop = v->region->owner;
  if (!loop || loop->code != IR_for || v->region->args[0] != v) return everything;
  pass_range begin = range_at(q, loop->operands[0], depth + 1), end = range_at(q, loop->operands[1], depth + 1);
  pass_range step = range_at(q, loop->operands[2], depth + 1);
  if (step.low <= 0 || end.high == INT64_MIN) return everything;
  return (pass_range){begin.low, most(begin.low, end.high - 1)};
}

static pass_range of_axis(const ir_kernel *k, const ir_value *v) {
  for (uint32_t i = 0; i < k->axis_count; i++) {
    if (k->axes[i].index != v) continue;
    if (k->axes[i].bound) return (pass_range){0, INT32_MAX - 1};
    if (k->axes[i].extent->value > 0) return (pass_range){0, k->axes[i].extent->value - 1};
  }
  for (uint32_t i = 0; i < k->team_count; i++)
    if (k->teams[i].index == v) return (pass_range){0, k->teams[i].extent->value - 1};
  return everything;
}

static pass_range range_at(asking *q, const ir_value *v, uint32_t depth) {
  ir_class class = ir_dtype_get(v->type.dtype)->class;
  if (class == IR_CLASS_FLOAT || v->type.kind != IR_TILE) return everything;
  pass_range r = everything;
  if (depth > MAX_DEPTH || q->ops++ > MAX_OPS)
    r = everything;
  else if (v->def)
    r = of_op(q, v->def, depth);
  else
    r = v->region ? of_argument(q, v, depth) : of_axis(q->kernel, v);
  return within_type(r, v->type.dtype);
}

pass_range pass_range_of(const ir_kernel *k, const ir_value *v) {
  asking q = {k, 0};
  return range_at(&q, v, 0);
}
