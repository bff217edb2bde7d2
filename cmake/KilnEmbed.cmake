# kiln_embed(<target> <prefix> <header> <file>...): the files as zero-terminated strings `static const char
# <prefix>_<stem>[]` in <header>, which <target> finds and waits for. Also runs as a script: cmake -P, see the end.
set(KILN_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})

function(kiln_embed target prefix header)
  set(output ${PROJECT_BINARY_DIR}/generated/${header})
  add_custom_command(OUTPUT ${output} DEPENDS ${ARGN} ${KILN_EMBED_SCRIPT} VERBATIM
    COMMAND ${CMAKE_COMMAND} -D prefix=${prefix} -D output=${output} -D "files=${ARGN}" -P ${KILN_EMBED_SCRIPT})
  add_custom_target(${target}_${prefix}_embedded DEPENDS ${output})
  add_dependencies(${target} ${target}_${prefix}_embedded)
  target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR}/generated)
endfunction()

if(CMAKE_SCRIPT_MODE_FILE)
  set(code "/* Made by cmake/KilnEmbed.cmake. */\n")
  foreach(file IN LISTS files)
    cmake_path(GET file STEM stem)
    file(READ ${file} bytes HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
    string(APPEND code "static const char ${prefix}_${stem}[] = {${bytes}0};\n")
  endforeach()
  file(WRITE ${output} "${code}")
endif()
