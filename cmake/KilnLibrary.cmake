# The library that others link: kiln, alias kiln::kiln.
add_library(kiln include/kiln/kiln.h $<TARGET_OBJECTS:kiln_objects>)
add_library(kiln::kiln ALIAS kiln)
set_target_properties(kiln PROPERTIES
  LINKER_LANGUAGE C VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
target_include_directories(kiln INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
target_link_libraries(kiln PRIVATE $<BUILD_INTERFACE:kiln_options> $<BUILD_INTERFACE:kiln_dependencies>)
