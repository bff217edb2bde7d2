# What libkiln links, as the one target kiln_dependencies. The build includes this file, and so does the installed
# package: a static libkiln needs the same libraries again. Expects KILN_VULKAN to be set.
#
#   Threads, libm        always
#   a CBLAS              always: OpenBLAS, BLIS or another
#   SLEEF                when found: vector math; libm otherwise
#   SPIRV-Tools          with KILN_VULKAN: validation and disassembly. Static C++ archives, hence the C++ runtime
#   Vulkan, volk, SPIRV  with KILN_VULKAN: headers only, needed to build Kiln and not to use it
if(TARGET kiln_dependencies)
  return()
endif()
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
add_library(kiln_dependencies INTERFACE IMPORTED GLOBAL)
target_link_libraries(kiln_dependencies INTERFACE Threads::Threads m)
set(KILN_PKGCONFIG_LIBS -pthread -lm)  # for kiln.pc

# kiln_find_library(<variable> <names>...): a library that must be there.
function(kiln_find_library variable what)
  find_library(${variable} NAMES ${ARGN})
  mark_as_advanced(${variable})
  if(NOT ${variable})
    message(FATAL_ERROR "Kiln needs ${what}; ci/setup installs it or prints the packages")
  endif()
endfunction()
function(kiln_find_header variable what header)
  find_path(${variable} ${header} PATH_SUFFIXES ${ARGN})
  mark_as_advanced(${variable})
  if(NOT ${variable})
    message(FATAL_ERROR "Kiln needs ${what}; ci/setup installs it or prints the packages")
  endif()
endfunction()

kiln_find_library(KILN_CBLAS_LIBRARY "a CBLAS such as OpenBLAS" openblas blis cblas)
kiln_find_header(KILN_CBLAS_INCLUDE "a CBLAS such as OpenBLAS" cblas.h openblas blis)
target_link_libraries(kiln_dependencies INTERFACE ${KILN_CBLAS_LIBRARY})
target_include_directories(kiln_dependencies INTERFACE ${KILN_CBLAS_INCLUDE})
cmake_path(GET KILN_CBLAS_LIBRARY STEM LAST_ONLY kiln_cblas_name)
string(REGEX REPLACE "^lib" "-l" kiln_cblas_name ${kiln_cblas_name})
list(APPEND KILN_PKGCONFIG_LIBS ${kiln_cblas_name})

find_library(KILN_SLEEF_LIBRARY NAMES sleef)
find_path(KILN_SLEEF_INCLUDE sleef.h)
mark_as_advanced(KILN_SLEEF_LIBRARY KILN_SLEEF_INCLUDE)
if(KILN_SLEEF_LIBRARY AND KILN_SLEEF_INCLUDE)
  target_link_libraries(kiln_dependencies INTERFACE ${KILN_SLEEF_LIBRARY})
  target_include_directories(kiln_dependencies INTERFACE ${KILN_SLEEF_INCLUDE})
  target_compile_definitions(kiln_dependencies INTERFACE KILN_SLEEF=1)
  list(APPEND KILN_PKGCONFIG_LIBS -lsleef)
endif()

if(KILN_VULKAN)
  kiln_find_library(KILN_SPIRV_OPT_LIBRARY SPIRV-Tools SPIRV-Tools-opt)
  kiln_find_library(KILN_SPIRV_TOOLS_LIBRARY SPIRV-Tools SPIRV-Tools)
  kiln_find_header(KILN_SPIRV_TOOLS_INCLUDE SPIRV-Tools spirv-tools/libspirv.h)
  target_link_libraries(kiln_dependencies INTERFACE
    ${KILN_SPIRV_OPT_LIBRARY} ${KILN_SPIRV_TOOLS_LIBRARY} stdc++ ${CMAKE_DL_LIBS})
  list(APPEND KILN_PKGCONFIG_LIBS -lSPIRV-Tools-opt -lSPIRV-Tools -lstdc++ -ldl)
  if(NOT KILN_PACKAGE)
    kiln_find_header(KILN_VULKAN_INCLUDE "the Vulkan headers" vulkan/vulkan.h)
    kiln_find_header(KILN_VOLK_INCLUDE volk volk.h . volk)
    kiln_find_header(KILN_SPIRV_INCLUDE SPIRV-Headers spirv/unified1/spirv.h)
    target_include_directories(kiln_dependencies INTERFACE
      ${KILN_VULKAN_INCLUDE} ${KILN_VOLK_INCLUDE} ${KILN_SPIRV_INCLUDE} ${KILN_SPIRV_TOOLS_INCLUDE})
  endif()
endif()
