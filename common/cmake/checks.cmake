# Formatting and static checks, as targets.
file(GLOB_RECURSE CLOBBER_FILES CONFIGURE_DEPENDS
     "${CMAKE_SOURCE_DIR}/common/*.[ch]" "${CMAKE_SOURCE_DIR}/proto/*.[ch]"
     "${CMAKE_SOURCE_DIR}/coordinator/*.[ch]" "${CMAKE_SOURCE_DIR}/agent/*.[ch]"
     "${CMAKE_SOURCE_DIR}/tests/*.[ch]" "${CMAKE_SOURCE_DIR}/docs/*.[ch]")
add_custom_target(format COMMAND clang-format -i ${CLOBBER_FILES} COMMENT "Formatting" VERBATIM)
add_custom_target(format-check COMMAND clang-format --dry-run -Werror ${CLOBBER_FILES} COMMENT "Checking the format" VERBATIM)

set(CLOBBER_SOURCES ${CLOBBER_FILES})
list(FILTER CLOBBER_SOURCES INCLUDE REGEX "\\.c$")
list(FILTER CLOBBER_SOURCES EXCLUDE REGEX "/(tests|docs)/")
add_custom_target(tidy
  COMMAND cppcheck --quiet -j 2 --error-exitcode=1 --std=c11 --inline-suppr --enable=warning,portability,performance
          --suppress=missingIncludeSystem -D_GNU_SOURCE -I "${CMAKE_SOURCE_DIR}" ${CLOBBER_SOURCES}
  COMMAND clang-tidy --quiet --extra-arg=-Wno-unknown-warning-option -p "${CMAKE_BINARY_DIR}" ${CLOBBER_SOURCES}
  COMMENT "Static checks" VERBATIM)
# Without the path-sensitive analyser, which takes minutes: what every test run can afford.
add_custom_target(tidy-quick
  COMMAND clang-tidy --quiet --checks=-clang-analyzer-* --extra-arg=-Wno-unknown-warning-option
          -p "${CMAKE_BINARY_DIR}" ${CLOBBER_SOURCES}
  COMMENT "Quick static checks" VERBATIM)
