/* Float formats as numbers: the columns of types.def, and the patterns that follow from them. All functions are inline
 * and without loops, so that for a format known to the compiler they are constants.
 *
 * A pattern is the bits of an element without its sign. Patterns grow with the value, so rounding may carry from one to
 * the next, and what comes out above the largest finite one has overflowed. */
#ifndef KILN_SRC_IR_EVAL_FLOAT_FORMAT_H
#define KILN_SRC_IR_EVAL_FLOAT_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

typedef enum ir_specials {
  IR_SPECIALS_NONE, /* no float */
  IR_SPECIALS_IEEE, /* exponent all ones: infinity, or NaN with a mantissa. Too large is infinity */
  IR_SPECIALS_FN,   /* all ones is NaN, there is no infinity. Too large is NaN */
  IR_SPECIALS_FNUZ, /* the sign alone is NaN: no infinity, no negative zero. Too large is NaN */
  IR_SPECIALS_FNU,  /* powers of two without a sign: no zero, no mantissa. All ones is NaN, and so is what is negative,
                       zero or too large; what is too small is the smallest */
  IR_SPECIALS_FINITE, /* neither infinity nor NaN. Too large is the largest; NaN becomes negative zero, as in XLA */
} ir_specials;

typedef struct ir_float_format {
  uint32_t exponent, mantissa; /* bits */
  int32_t bias;
  ir_specials specials;
} ir_float_format;

static inline uint64_t ir_low_ones(uint32_t count) { return count >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1; }

static inline uint64_t ir_float_sign(ir_float_format f) {
  return f.specials == IR_SPECIALS_FNU ? 0 : UINT64_C(1) << (f.exponent + f.mantissa);
}

/* What is too large becomes: infinity where there is one. */
static inline uint64_t ir_float_over(ir_float_format f) {
  uint64_t ones = ir_low_ones(f.exponent + f.mantissa);
  if (f.specials == IR_SPECIALS_FNUZ) return ones + 1;
  return f.specials == IR_SPECIALS_IEEE ? ones - ir_low_ones(f.mantissa) : ones;
}

static inline uint64_t ir_float_nan(ir_float_format f) {
  if (f.specials == IR_SPECIALS_FINITE) return ir_float_sign(f);
  return f.specials == IR_SPECIALS_IEEE ? ir_float_over(f) | UINT64_C(1) << (f.mantissa - 1) : ir_float_over(f);
}

static inline uint64_t ir_float_largest(ir_float_format f) {
  return ir_float_over(f) - (f.specials == IR_SPECIALS_FINITE ? 0 : 1);
}

/* A pattern, or NaN, as an element. Zero of a format that has none is the caller's matter. */
static inline uint64_t ir_float_signed(ir_float_format f, uint64_t pattern, bool negative) {
  if (f.specials == IR_SPECIALS_FNU) return negative ? ir_float_nan(f) : pattern;
  if (f.specials == IR_SPECIALS_FNUZ && pattern == 0) return 0;
  return negative ? pattern | ir_float_sign(f) : pattern;
}

static inline bool ir_float_has_infinity(ir_float_format f) { return f.specials == IR_SPECIALS_IEEE; }

#endif
