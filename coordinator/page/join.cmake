# Joins the page's sources into one style and one script, so that each has one hash:
# cmake -DSOURCE=DIR -DDYGRAPHS=DIR -DBINARY=DIR -P join.cmake
set(styles ${DYGRAPHS}/dygraph.css ${SOURCE}/page.css)
set(modules numbers elements series chart time_charts distribution capacity answers agents ledger
            thresholds figures main)

set(style "")
foreach(file ${styles})
  file(READ ${file} text)
  string(APPEND style "${text}")
endforeach()
file(WRITE ${BINARY}/page.css "${style}")

# The library names a map of itself beside it, which a page of one file has not.
file(READ ${DYGRAPHS}/dygraph.min.js library)
string(REGEX REPLACE "\n//# sourceMappingURL=[^\n]*" "" library "${library}")
set(script "${library}\n(() => {\n'use strict';\n")
foreach(module ${modules})
  file(READ ${SOURCE}/${module}.js text)
  string(APPEND script "\n/* ${module}.js */\n${text}")
endforeach()
file(WRITE ${BINARY}/page.js "${script}})();\n")

configure_file(${SOURCE}/page.html ${BINARY}/page.html COPYONLY)
