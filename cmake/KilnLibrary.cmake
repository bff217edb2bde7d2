# The library that others link: kiln, alias kiln::kiln, and its installation.
#
# Only names marked KILN_API may be seen from outside, in an archive too: an embedder may have a str_equal or a volk of
# its own. So the archive holds one object, linked from all the others, in which every hidden name is made local.
if(NOT BUILD_SHARED_LIBS AND CMAKE_OBJCOPY AND CMAKE_LINKER AND CMAKE_SYSTEM_NAME STREQUAL Linux)
  set(kiln_object ${CMAKE_CURRENT_BINARY_DIR}/kiln${CMAKE_C_OUTPUT_EXTENSION})
  add_custom_command(OUTPUT ${kiln_object}
    COMMAND ${CMAKE_LINKER} -r -o ${kiln_object} $<TARGET_OBJECTS:kiln_objects>
    COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${kiln_object}
    DEPENDS kiln_objects $<TARGET_OBJECTS:kiln_objects>
    COMMENT "Linking libkiln's one object" COMMAND_EXPAND_LISTS VERBATIM)
  set_source_files_properties(${kiln_object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  add_library(kiln STATIC ${kiln_object})
else()
  add_library(kiln $<TARGET_OBJECTS:kiln_objects>)
endif()
add_library(kiln::kiln ALIAS kiln)
set_target_properties(kiln PROPERTIES
  LINKER_LANGUAGE C VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
target_include_directories(kiln INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
target_link_libraries(kiln PRIVATE kiln_dependencies)
if(BUILD_SHARED_LIBS AND CMAKE_SYSTEM_NAME STREQUAL Linux AND NOT KILN_SANITIZE)
  target_link_options(kiln PRIVATE -Wl,--no-undefined -Wl,--exclude-libs,ALL)  # nor the names of archives that it uses
endif()
if(KILN_SANITIZE)
  target_link_options(kiln INTERFACE $<BUILD_INTERFACE:-fsanitize=${KILN_SANITIZE}>)
endif()

if(NOT PROJECT_IS_TOP_LEVEL)
  return()
endif()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(kiln_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/kiln)
install(TARGETS kiln EXPORT kiln-targets)
install(DIRECTORY include/kiln TYPE INCLUDE)
install(EXPORT kiln-targets NAMESPACE kiln:: DESTINATION ${kiln_package_dir})
configure_package_config_file(cmake/kiln-config.cmake.in kiln-config.cmake INSTALL_DESTINATION ${kiln_package_dir})
write_basic_package_version_file(kiln-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/kiln-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/kiln-config-version.cmake
  cmake/KilnDependencies.cmake DESTINATION ${kiln_package_dir})

list(JOIN KILN_LINK_FLAGS " " KILN_LINK_FLAGS)
if(BUILD_SHARED_LIBS)
  set(KILN_LINK_FLAGS "")
endif()
set(kiln_prefix .)  # kiln.pc names its folders from where it lies, so an installation can be moved
cmake_path(RELATIVE_PATH kiln_prefix BASE_DIRECTORY ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
configure_file(cmake/kiln.pc.in kiln.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/kiln.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
