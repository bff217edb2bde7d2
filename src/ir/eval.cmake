# Lane loops: one template, compiled once per instruction set of the host and chosen at run time; optimised in every build.
target_sources(kiln_objects PRIVATE eval/eval.c eval/eval_baseline.c)
set(lanes eval/eval_baseline.c)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_sources(kiln_objects PRIVATE eval/eval_avx2.c eval/eval_avx512.c)
  target_compile_definitions(kiln_objects PRIVATE KILN_EVAL_X86=1)
  list(APPEND lanes eval/eval_avx2.c eval/eval_avx512.c)
  set_property(SOURCE eval/eval_avx2.c TARGET_DIRECTORY kiln_objects APPEND PROPERTY COMPILE_OPTIONS -mavx2 -mfma -mf16c)
  set_property(SOURCE eval/eval_avx512.c TARGET_DIRECTORY kiln_objects APPEND PROPERTY COMPILE_OPTIONS
    -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mf16c -mprefer-vector-width=512)
endif()
set_property(SOURCE ${lanes} TARGET_DIRECTORY kiln_objects APPEND PROPERTY COMPILE_OPTIONS -O3)
