# Fails unless the file PAGE holds exactly what `KILN ops --markdown` prints.
execute_process(COMMAND ${KILN} ops --markdown OUTPUT_VARIABLE printed COMMAND_ERROR_IS_FATAL ANY)
file(READ ${PAGE} kept)
if(NOT printed STREQUAL kept)
  message(FATAL_ERROR "docs/ops.md is stale: build/dev/kiln ops --markdown >docs/ops.md")
endif()
