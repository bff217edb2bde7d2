/* Integer arithmetic with folding and facts: ranges, multiples and constant differences. */
#include "spirv/code.h"

static bool fits(int64_t low, int64_t high) { return low >= INT32_MIN && high <= INT32_MAX; }

static uint32_t common_divisor(uint64_t a, uint64_t b) {
  while (b) {
    uint64_t rest = a % b;
    a = b;
    b = rest;
  }
  return (uint32_t)(a > UINT32_C(1) << 30 ? UINT32_C(1) << 30 : a);
}

spv_id spv_int(spv_code *c, int64_t value) {
  spv_id id = spv_const_u32(c->m, (uint32_t)value);
  spv_fact *fact = spv_fact_of(c, id);
  if (fact->base) {
    int64_t exact = (int32_t)(uint32_t)value;
    *fact = (spv_fact){.low = exact, .high = exact, .add = exact};
    fact->multiple = (uint32_t)(exact < 0 ? -exact : exact);
  }
  return id;
}

bool spv_is_int(spv_code *c, spv_id id, int64_t *value) {
  const spv_fact *fact = spv_fact_of(c, id);
  if (fact->base) return false;
  *value = fact->add;
  return true;
}

/* Notes what is known of a fresh result, unless it may wrap. */
static spv_id know(spv_code *c, spv_id id, int64_t low, int64_t high, uint64_t multiple) {
  if (fits(low, high)) spv_range(c, id, low, high, (uint32_t)(multiple > UINT32_C(1) << 30 ? 1 : multiple));
  return id;
}

/* ---- what an integer is in each lane ---- */

bool spv_in_lane(spv_code *c, spv_id id, uint32_t lane, int64_t *value) {
  const spv_fact *fact = spv_fact_of(c, id);
  if (!fact->base) return *value = fact->add, true;
  if (!fact->each) return false;
  *value = fact->each[lane];
  return true;
}

void spv_set_lane(spv_code *c, spv_id id) {
  int32_t *each = ARENA_ARRAY(c->arena, int32_t, c->lanes);
  for (uint32_t lane = 0; lane < c->lanes; lane++) each[lane] = (int32_t)lane;
  spv_range(c, id, 0, (int64_t)c->lanes - 1, 1);
  spv_fact_of(c, id)->each = each;
}

typedef int64_t (*number_fn)(int64_t a, int64_t b);
static int64_t plus(int64_t a, int64_t b) { return a + b; }
static int64_t minus(int64_t a, int64_t b) { return a - b; }
static int64_t times(int64_t a, int64_t b) { return a * b; }
static int64_t divided(int64_t a, int64_t b) { return (int64_t)((uint32_t)a / (uint32_t)b); }
static int64_t modulo(int64_t a, int64_t b) { return (int64_t)((uint32_t)a % (uint32_t)b); }
static int64_t masked(int64_t a, int64_t b) { return a & b; }
static int64_t shifted(int64_t a, int64_t b) { return (uint32_t)a << b; }
static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* Follows `id` = fn(a, b) in each lane. */
static spv_id follow(spv_code *c, spv_id id, number_fn fn, spv_id a, spv_id b) {
  bool known = spv_fact_of(c, a)->each || spv_fact_of(c, b)->each;
  if (!known || spv_fact_of(c, id)->each) return id;
  int32_t *each = ARENA_ARRAY(c->arena, int32_t, c->lanes);
  for (uint32_t lane = 0; lane < c->lanes; lane++) {
    int64_t x, y;
    if (!spv_in_lane(c, a, lane, &x) || !spv_in_lane(c, b, lane, &y)) return id;
    each[lane] = (int32_t)(uint32_t)fn(x, y);
  }
  spv_fact_of(c, id)->each = each;
  return id;
}

/* ---- arithmetic ---- */

static spv_id add_const(spv_code *c, spv_id a, int64_t value) {
  spv_fact fact = *spv_fact_of(c, a);
  if (value == 0) return a;
  if (!fact.base) return spv_int(c, fact.add + value);
  bool exact = fits(fact.low + value, fact.high + value);
  if (exact && fact.base != a) return add_const(c, fact.base, fact.add + value);
  spv_id id = follow(c, spv_op2(c, SpvOpIAdd, c->u32, a, spv_int(c, value)), plus, a, spv_int(c, value));
  know(c, id, fact.low + value, fact.high + value,
       common_divisor(fact.multiple, (uint64_t)(value < 0 ? -value : value)));
  if (exact) {
    spv_fact *result = spv_fact_of(c, id);
    result->base = a;
    result->add = value;
  }
  return id;
}

spv_id spv_add(spv_code *c, spv_id a, spv_id b) {
  int64_t value;
  if (spv_is_int(c, b, &value)) return add_const(c, a, value);
  if (spv_is_int(c, a, &value)) return add_const(c, b, value);
  spv_fact x = *spv_fact_of(c, a), y = *spv_fact_of(c, b);
  bool exact = fits(x.low + y.low, x.high + y.high);
  if (exact && (x.base != a || y.base != b)) /* constants outward: equal sums then meet in one id */
    return add_const(c, spv_add(c, x.base, y.base), x.add + y.add);
  spv_id id = follow(c, spv_op2(c, SpvOpIAdd, c->u32, a, b), plus, a, b);
  return know(c, id, x.low + y.low, x.high + y.high, common_divisor(x.multiple, y.multiple));
}

spv_id spv_sub(spv_code *c, spv_id a, spv_id b) {
  int64_t value;
  if (a == b) return spv_int(c, 0);
  if (spv_is_int(c, b, &value)) return add_const(c, a, -value);
  spv_fact x = *spv_fact_of(c, a), y = *spv_fact_of(c, b);
  spv_id id = follow(c, spv_op2(c, SpvOpISub, c->u32, a, b), minus, a, b);
  return know(c, id, x.low - y.high, x.high - y.low, common_divisor(x.multiple, y.multiple));
}

spv_id spv_mul(spv_code *c, spv_id a, spv_id b) {
  int64_t x_value = 0, y_value = 0;
  bool x_known = spv_is_int(c, a, &x_value), y_known = spv_is_int(c, b, &y_value);
  if (x_known && y_known) return spv_int(c, (int64_t)((uint64_t)x_value * (uint64_t)y_value));
  if (x_known) return spv_mul(c, b, a);
  if (y_known && y_value == 1) return a;
  if (y_known && y_value == 0) return b;
  spv_fact x = *spv_fact_of(c, a), y = *spv_fact_of(c, b);
  int64_t corners[4] = {x.low * y.low, x.low * y.high, x.high * y.low, x.high * y.high};
  int64_t low = smaller(smaller(corners[0], corners[1]), smaller(corners[2], corners[3]));
  int64_t high = larger(larger(corners[0], corners[1]), larger(corners[2], corners[3]));
  if (y_known && x.base != a && fits(low, high)) /* constants outward, as above */
    return add_const(c, spv_mul(c, x.base, b), x.add * y_value);
  spv_id id = follow(c, spv_op2(c, SpvOpIMul, c->u32, a, b), times, a, b);
  return know(c, id, low, high, (uint64_t)x.multiple * y.multiple);
}

/* a = base + quotient * b + rest, with base a multiple of b and rest in [0, b): division and remainder take it apart.
 */
static bool takes_apart(spv_code *c, spv_id a, uint32_t b, spv_fact *fact, int64_t *quotient, int64_t *rest) {
  *fact = *spv_fact_of(c, a);
  if (!fact->base || fact->base == a || fact->low < 0) return false;
  const spv_fact *base = spv_fact_of(c, fact->base);
  *rest = (fact->add % b + b) % b;
  *quotient = (fact->add - *rest) / b;
  return base->low >= 0 && base->multiple && base->multiple % b == 0;
}

spv_id spv_div_const(spv_code *c, spv_id a, uint32_t b) {
  int64_t value, rest;
  spv_fact fact;
  if (b == 1) return a;
  if (spv_is_int(c, a, &value)) return spv_int(c, (int64_t)((uint32_t)value / b));
  if (takes_apart(c, a, b, &fact, &value, &rest)) return add_const(c, spv_div_const(c, fact.base, b), value);
  fact = *spv_fact_of(c, a);
  if (fact.low >= 0 && fact.high < b) return spv_int(c, 0);
  bool power = (b & (b - 1)) == 0;
  spv_id id = power ? spv_op2(c, SpvOpShiftRightLogical, c->u32, a, spv_int(c, __builtin_ctz(b)))
                    : spv_op2(c, SpvOpUDiv, c->u32, a, spv_int(c, b));
  follow(c, id, divided, a, spv_int(c, b));
  if (fact.low < 0) return id;
  return know(c, id, fact.low / b, fact.high / b, fact.multiple % b == 0 ? fact.multiple / b : 1);
}

spv_id spv_mod_const(spv_code *c, spv_id a, uint32_t b) {
  int64_t value, rest;
  spv_fact fact;
  if (b == 1) return spv_int(c, 0);
  if (spv_is_int(c, a, &value)) return spv_int(c, (int64_t)((uint32_t)value % b));
  if (takes_apart(c, a, b, &fact, &value, &rest)) return spv_int(c, rest);
  fact = *spv_fact_of(c, a);
  if (fact.low >= 0 && fact.multiple % b == 0) return spv_int(c, 0);
  if (fact.low >= 0 && fact.high < b) return a;
  bool power = (b & (b - 1)) == 0;
  spv_id id = power ? spv_op2(c, SpvOpBitwiseAnd, c->u32, a, spv_int(c, (int64_t)b - 1))
                    : spv_op2(c, SpvOpUMod, c->u32, a, spv_int(c, b));
  follow(c, id, modulo, a, spv_int(c, b));
  return know(c, id, 0, (int64_t)b - 1, common_divisor(fact.multiple, b));
}

spv_id spv_and_const(spv_code *c, spv_id a, uint32_t b) {
  int64_t value;
  if (spv_is_int(c, a, &value)) return spv_int(c, (int64_t)((uint32_t)value & b));
  spv_id id = follow(c, spv_op2(c, SpvOpBitwiseAnd, c->u32, a, spv_int(c, b)), masked, a, spv_int(c, b));
  return b <= INT32_MAX ? know(c, id, 0, b, b ? b & (~b + 1) : 0) : id;
}

spv_id spv_shl_const(spv_code *c, spv_id a, uint32_t b) {
  int64_t value;
  if (b == 0) return a;
  if (spv_is_int(c, a, &value)) {
    uint32_t shifted = (uint32_t)value << b;
    return spv_int(c, shifted);
  }
  spv_fact fact = *spv_fact_of(c, a);
  spv_id id = follow(c, spv_op2(c, SpvOpShiftLeftLogical, c->u32, a, spv_int(c, b)), shifted, a, spv_int(c, b));
  return know(c, id, fact.low * (INT64_C(1) << b), fact.high * (INT64_C(1) << b), (uint64_t)fact.multiple << b);
}

spv_id spv_shr_const(spv_code *c, spv_id a, uint32_t b) {
  if (b == 0) return a;
  const spv_fact *fact = spv_fact_of(c, a);
  if (fact->low >= 0 && b < 31) return spv_div_const(c, a, UINT32_C(1) << b);
  return spv_op2(c, SpvOpShiftRightLogical, c->u32, a, spv_int(c, b));
}

spv_id spv_min(spv_code *c, spv_id a, spv_id b) {
  spv_fact x = *spv_fact_of(c, a), y = *spv_fact_of(c, b);
  if (x.high <= y.low) return a;
  if (y.high <= x.low) return b;
  spv_id id = follow(c, spv_glsl2(c, GLSLstd450SMin, c->u32, a, b), smaller, a, b);
  return know(c, id, smaller(x.low, y.low), smaller(x.high, y.high), common_divisor(x.multiple, y.multiple));
}

spv_id spv_max(spv_code *c, spv_id a, spv_id b) {
  spv_fact x = *spv_fact_of(c, a), y = *spv_fact_of(c, b);
  if (x.low >= y.high) return a;
  if (y.low >= x.high) return b;
  spv_id id = follow(c, spv_glsl2(c, GLSLstd450SMax, c->u32, a, b), larger, a, b);
  return know(c, id, larger(x.low, y.low), larger(x.high, y.high), common_divisor(x.multiple, y.multiple));
}
