# Formatting and static checks, as targets.
file(GLOB_RECURSE CLOBBER_FILES CONFIGURE_DEPENDS
     "${CMAKE_SOURCE_DIR}/common/*.[ch]" "${CMAKE_SOURCE_DIR}/proto/*.[ch]"
     "${CMAKE_SOURCE_DIR}/coordinator/*.[ch]" "${CMAKE_SOURCE_DIR}/agent/*.[ch]"
     "${CMAKE_SOURCE_DIR}/tests/*.[ch]")
add_custom_target(format COMMAND clang-format -i ${CLOBBER_FILES} COMMENT "Formatting" VERBATIM)
