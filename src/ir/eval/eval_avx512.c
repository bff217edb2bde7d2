/* Lane loops for AVX-512 F, DQ, BW and VL; compiled with those flags (CMakeLists.txt). */
#define EVAL_TABLE eval_avx512
#define VECTOR_F32 __m512
#define VECTOR_F64 __m512d
#define SLEEF_F32 f16
#define SLEEF_F64 d8
#define SLEEF_SUFFIX avx512f
#include "ir/eval/eval_isa.inc"
