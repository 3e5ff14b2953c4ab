#!/bin/sh
# libclobber shows the functions of its headers and nothing else, needs nothing but the C library, and is found by
# its version. Usage: symbols.sh LIBRARY ARCHIVE
set -eu
bad=0
wrong() {
    echo "$1" >&2
    bad=1
}
functions="clobber_pool_look clobber_pool_start clobber_pool_stop clobber_tuner_create clobber_tuner_destroy clobber_tuner_retarget clobber_tuner_step"
for shown in "nm -D --defined-only $1" "nm --extern-only --defined-only $2"; do
    # shellcheck disable=SC2086 # a command with its arguments
    found=$($shown | awk 'NF == 3 { print $3 }' | sort | tr '\n' ' ')
    [ "$found" = "$functions " ] || wrong "$shown: $found"
done
needed=$(readelf -W -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort | tr '\n' ' ')
for library in $needed; do
    case $library in
    libc.so.* | libm.so.* | libpthread.so.* | ld-linux*) ;;
    *) wrong "$1 needs $library" ;;
    esac
done
readelf -W -d "$1" | grep -qE 'SONAME.*\[libclobber\.so\.[0-9]+\]' || wrong "$1 has no SONAME with a version"
exit $bad
