# How Kiln's own code is compiled: kiln_options carries it and is linked privately, so none of it reaches an embedder.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release)
endif()

if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_C_COMPILER_LAUNCHER)
  find_program(KILN_CCACHE ccache)
  mark_as_advanced(KILN_CCACHE)
  if(KILN_CCACHE)
    set(CMAKE_C_COMPILER_LAUNCHER ${KILN_CCACHE})
  endif()
endif()

add_library(kiln_options INTERFACE)
target_compile_options(kiln_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
  # One rounding per operation: the host's numbers must not depend on which multiplications a compiler fuses.
  -ffp-contract=off
  # Kiln reads neither errno after a math call nor the floating-point exception flags; without these sqrt and
  # conversions do not vectorise.
  -fno-math-errno -fno-trapping-math
  -fno-strict-aliasing
  # Clang warns where it does not vectorise a loop that was marked so, which is no fault (sanitizers never do).
  $<$<C_COMPILER_ID:Clang,AppleClang>:-Wno-pass-failed>)
if(KILN_WERROR)
  target_compile_options(kiln_options INTERFACE -Werror)
endif()
if(KILN_CHECK)
  target_compile_definitions(kiln_options INTERFACE KILN_CHECK=1)
endif()
if(KILN_VULKAN)
  target_compile_definitions(kiln_options INTERFACE KILN_VULKAN=1)
endif()
if(KILN_SANITIZE)
  target_compile_options(kiln_options INTERFACE
    -fsanitize=${KILN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(kiln_options INTERFACE -fsanitize=${KILN_SANITIZE})
endif()
