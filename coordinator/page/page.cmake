# The report page, embedded into the binary: page_assets.c reads the joined files with .incbin.
find_path(DYGRAPHS_FOLDER dygraph.min.js PATHS /usr/share/javascript/dygraphs /usr/share/nodejs/dygraphs/dist
          DOC "Folder of dygraph.min.js and dygraph.css (Debian: libjs-dygraphs)" REQUIRED NO_DEFAULT_PATH)
set(page_folder ${CMAKE_CURRENT_BINARY_DIR}/page)
file(GLOB page_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*)
add_custom_command(
  OUTPUT ${page_folder}/page.html ${page_folder}/page.css ${page_folder}/page.js
  COMMAND ${CMAKE_COMMAND} -DSOURCE=${CMAKE_CURRENT_LIST_DIR} -DDYGRAPHS=${DYGRAPHS_FOLDER} -DBINARY=${page_folder}
          -P ${CMAKE_CURRENT_LIST_DIR}/join.cmake
  DEPENDS ${page_sources} ${DYGRAPHS_FOLDER}/dygraph.min.js ${DYGRAPHS_FOLDER}/dygraph.css
  COMMENT "Joining the report page" VERBATIM)
set_source_files_properties(page_assets.c PROPERTIES
  COMPILE_OPTIONS -fno-lto # what the assembler reads belongs to no function that a link-time optimiser could move along
  COMPILE_DEFINITIONS PAGE_FOLDER="${page_folder}"
  OBJECT_DEPENDS "${page_folder}/page.html;${page_folder}/page.css;${page_folder}/page.js")
