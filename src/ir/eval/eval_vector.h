/* Private to eval_isa.inc: which rows of tile_ops.def have a vector loop. */
#ifndef KILN_SRC_IR_EVAL_EVAL_VECTOR_H
#define KILN_SRC_IR_EVAL_EVAL_VECTOR_H

#include <sleef.h>

#include "ir/eval/eval.h"

/* HAS_VECTOR(id) is 1 for a row listed here, else 0: a listed name expands to two arguments, of which the second is
 * taken. sinh, cosh, asinh, acosh and log1p are left to libm: SLEEF's overflow before the result does. */
#define VECTOR_pow ~, 1
#define VECTOR_cbrt ~, 1
#define VECTOR_exp ~, 1
#define VECTOR_exp2 ~, 1
#define VECTOR_expm1 ~, 1
#define VECTOR_log ~, 1
#define VECTOR_log2 ~, 1
#define VECTOR_logistic ~, 1
#define VECTOR_sin ~, 1
#define VECTOR_cos ~, 1
#define VECTOR_tan ~, 1
#define VECTOR_asin ~, 1
#define VECTOR_acos ~, 1
#define VECTOR_atan ~, 1
#define VECTOR_atan2 ~, 1
#define VECTOR_tanh ~, 1
#define VECTOR_atanh ~, 1
#define VECTOR_erf ~, 1
#define SECOND_(a, b, ...) b
#define SECOND(...) SECOND_(__VA_ARGS__, 0, 0)
#define HAS_VECTOR(id) SECOND(VECTOR_##id)
#define IF_0(...)
#define IF_1(...) __VA_ARGS__
#define IF_VECTOR(id, ...) PASTE2(IF_, HAS_VECTOR(id))(__VA_ARGS__)

#endif
