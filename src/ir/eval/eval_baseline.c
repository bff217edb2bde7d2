/* Lane loops for what every x86-64, or any other CPU, has. */
#define EVAL_TABLE eval_baseline
#if !defined(__x86_64__)
#undef KILN_SLEEF
#endif
#define VECTOR_F32 __m128
#define VECTOR_F64 __m128d
#define SLEEF_F32 f4
#define SLEEF_F64 d2
#define SLEEF_SUFFIX sse2
#include "ir/eval/eval_isa.inc"
