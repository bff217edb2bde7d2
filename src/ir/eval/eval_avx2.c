/* Lane loops for AVX2 with FMA and F16C; compiled with those flags (CMakeLists.txt). */
#define EVAL_TABLE eval_avx2
#define VECTOR_F32 __m256
#define VECTOR_F64 __m256d
#define SLEEF_F32 f8
#define SLEEF_F64 d4
#define SLEEF_SUFFIX avx2
#include "ir/eval/eval_isa.inc"
