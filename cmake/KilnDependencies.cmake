# What libkiln links, as the one target kiln_dependencies. The build includes this file, and so does the installed
# package (KILN_PACKAGE set): a static libkiln needs the same libraries again, though not their headers.
#
#   Threads, libm        always
#   a CBLAS              always: OpenBLAS, BLIS or another
#   SLEEF                with KILN_SLEEF: vector math; libm otherwise
#   SPIRV-Tools          with KILN_VULKAN: validation and disassembly. Static C++ archives, hence the C++ runtime
#   Vulkan, SPIRV        with KILN_VULKAN: headers only
if(TARGET kiln_dependencies)
  return()
endif()
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
add_library(kiln_dependencies INTERFACE IMPORTED GLOBAL)
target_link_libraries(kiln_dependencies INTERFACE Threads::Threads m)
set(KILN_LINK_FLAGS -pthread -lm)  # the same for kiln.pc

macro(kiln_missing what)
  if(KILN_PACKAGE)
    set(kiln_FOUND FALSE)
    set(kiln_NOT_FOUND_MESSAGE "libkiln was built with ${what}, which is not here")
  else()
    message(FATAL_ERROR "Kiln needs ${what}; ci/setup installs it, or prints what to install")
  endif()
endmacro()

# kiln_link(<variable> <what> <names>...): links the first library of these names.
macro(kiln_link variable what)
  find_library(${variable} NAMES ${ARGN})
  mark_as_advanced(${variable})
  if(${variable})
    target_link_libraries(kiln_dependencies INTERFACE ${${variable}})
    cmake_path(GET ${variable} STEM kiln_link_stem)
    string(REGEX REPLACE "^lib" "-l" kiln_link_flag ${kiln_link_stem})
    list(APPEND KILN_LINK_FLAGS ${kiln_link_flag})
  else()
    kiln_missing("${what}")
  endif()
endmacro()

# kiln_header(<variable> <what> <header> [<folder suffix>...]): the header's folder is searched; nothing for a package.
macro(kiln_header variable what header)
  if(NOT KILN_PACKAGE)
    find_path(${variable} ${header} PATH_SUFFIXES ${ARGN})
    mark_as_advanced(${variable})
    if(${variable})
      target_include_directories(kiln_dependencies INTERFACE ${${variable}})
    else()
      kiln_missing("${what}")
    endif()
  endif()
endmacro()

kiln_link(KILN_CBLAS_LIBRARY "a CBLAS such as OpenBLAS" openblas blis cblas)
kiln_header(KILN_CBLAS_INCLUDE "a CBLAS such as OpenBLAS" cblas.h openblas blis)

if(KILN_SLEEF)
  kiln_link(KILN_SLEEF_LIBRARY SLEEF sleef)
  kiln_header(KILN_SLEEF_INCLUDE SLEEF sleef.h)
  target_compile_definitions(kiln_dependencies INTERFACE KILN_SLEEF=1)
endif()

if(KILN_VULKAN)
  kiln_link(KILN_SPIRV_TOOLS_LIBRARY SPIRV-Tools SPIRV-Tools)
  target_link_libraries(kiln_dependencies INTERFACE stdc++ ${CMAKE_DL_LIBS})
  list(APPEND KILN_LINK_FLAGS -lstdc++ -ldl)
  kiln_header(KILN_SPIRV_TOOLS_INCLUDE SPIRV-Tools spirv-tools/libspirv.h)
  kiln_header(KILN_VULKAN_INCLUDE "the Vulkan headers" vulkan/vulkan.h)
  kiln_header(KILN_SPIRV_INCLUDE SPIRV-Headers spirv/unified1/spirv.h)
endif()
