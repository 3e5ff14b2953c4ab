#!/bin/sh
# Every limit in common/base/limits.h gives the reason for its size, or stands under a heading with the one
# beside it. Usage: limits.sh SOURCE
set -eu
awk '/^#define [A-Z_]+ / && !/CLOBBER_BASE_LIMITS_H/ {
         if ($0 !~ /\/\*/ && previous !~ /\*\//) { print FILENAME ":" FNR ": no reason: " $0; bad = 1 }
     }
     { previous = $0 }
     END { exit bad }' "$1/common/base/limits.h"
