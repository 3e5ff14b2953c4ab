#!/bin/sh
# Each header compiles alone, as C17. Usage: headers.sh SOURCE COMPILER
set -eu
cd "$1"
bad=0
for header in $(find common proto coordinator agent tests -name '*.h' | sort); do
    printf '#include "%s"\ntypedef int not_empty;\n' "$header" |
        "$2" -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror -I. -Icommon/include -fsyntax-only -x c - || bad=1
done
exit $bad
