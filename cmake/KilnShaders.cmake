# kiln_shaders(<target> <prefix> <file.comp>...): compiles each GLSL file to SPIR-V and to a header
# "shaders/<prefix>_<stem>.h" that defines `const uint32_t <prefix>_<stem>[]`; <target> finds it and waits for it.
find_program(KILN_GLSLANG NAMES glslangValidator glslang)
mark_as_advanced(KILN_GLSLANG)

function(kiln_shaders target prefix)
  if(NOT KILN_GLSLANG)
    message(FATAL_ERROR "Kiln needs glslangValidator to build with Vulkan; ci/setup installs it or prints the packages")
  endif()
  set(folder ${PROJECT_BINARY_DIR}/generated/shaders)
  file(MAKE_DIRECTORY ${folder})
  set(headers)
  foreach(source IN LISTS ARGN)
    cmake_path(GET source STEM stem)
    set(name ${prefix}_${stem})
    add_custom_command(OUTPUT ${folder}/${name}.h DEPENDS ${source} VERBATIM
      COMMAND ${KILN_GLSLANG} --quiet -V --target-env vulkan1.1 --vn ${name} -o ${folder}/${name}.h ${source})
    list(APPEND headers ${folder}/${name}.h)
  endforeach()
  add_custom_target(${prefix}_shaders DEPENDS ${headers})
  add_dependencies(${target} ${prefix}_shaders)
  target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR}/generated)
endfunction()
