# libclobber, as it is installed: a shared library with clobber_* as its only symbols, a static one whose own symbols
# are local too, headers, a package for CMake and a .pc file.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# Compiled apart from the rest: position-independent whatever the executable is, and without link-time optimisation,
# whose archives only the very same compiler can read.
get_target_property(control_sources clobber_control SOURCES)
list(TRANSFORM control_sources PREPEND common/)
add_library(clobber_objects OBJECT
  ${control_sources}
  common/base/check.c common/base/clock.c common/base/error.c common/base/harmless.c
  common/base/histogram.c
  common/clobber.c common/due.c common/sized.c common/tally.c common/tuned_pool.c)
target_include_directories(clobber_objects PRIVATE common/include)
target_compile_options(clobber_objects PRIVATE -fPIC)
set_target_properties(clobber_objects PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)

# The static archive holds one object in which what is hidden is local, so that it cannot meet a name of its user's.
set(clobber_object "${CMAKE_CURRENT_BINARY_DIR}/clobber.o")
add_custom_command(OUTPUT ${clobber_object}
  COMMAND ${CMAKE_LINKER} -r -o ${clobber_object} $<TARGET_OBJECTS:clobber_objects>
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${clobber_object}
  DEPENDS clobber_objects $<TARGET_OBJECTS:clobber_objects>
  COMMAND_EXPAND_LISTS VERBATIM COMMENT "Joining libclobber's objects")

add_library(clobber_shared SHARED $<TARGET_OBJECTS:clobber_objects>)
add_library(clobber_static STATIC ${clobber_object})
set_source_files_properties(${clobber_object} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
set_target_properties(clobber_shared PROPERTIES EXPORT_NAME clobber INTERPROCEDURAL_OPTIMIZATION OFF
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
set_target_properties(clobber_static PROPERTIES LINKER_LANGUAGE C)
foreach(library clobber_shared clobber_static)
  set_target_properties(${library} PROPERTIES OUTPUT_NAME clobber LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}"
    ARCHIVE_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
  target_include_directories(${library} INTERFACE
    $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/common/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endforeach()
add_library(clobber::clobber ALIAS clobber_shared)
add_library(clobber::clobber_static ALIAS clobber_static)
target_link_libraries(clobber_shared PRIVATE m Threads::Threads)
target_link_libraries(clobber_static INTERFACE m Threads::Threads)

install(TARGETS clobber_shared clobber_static EXPORT clobber
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES common/include/clobber/clobber.h common/include/clobber/pool.h common/include/clobber/plugin.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/clobber)
set(package "${CMAKE_INSTALL_LIBDIR}/cmake/clobber")
install(EXPORT clobber NAMESPACE clobber:: FILE clobber-targets.cmake DESTINATION ${package})
configure_package_config_file(common/cmake/clobber-config.cmake.in clobber-config.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(clobber-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/clobber-config.cmake" "${CMAKE_CURRENT_BINARY_DIR}/clobber-config-version.cmake"
  DESTINATION ${package})
file(RELATIVE_PATH CLOBBER_PC_UP "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
configure_file(common/cmake/clobber.pc.in clobber.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/clobber.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
