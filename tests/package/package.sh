#!/bin/sh
# Installs into a scratch folder, moves that, and builds and runs a project of somebody else's against it: once with
# CMake, once with pkg-config, in C and in C++ where there is a compiler for it, with either library.
# Usage: package.sh BUILD SOURCE CC CXX|"" GENERATOR
set -eu
build=$1 outside=$2/tests/package/outside cc=$3 cxx=$4 generator=$5
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
unset CFLAGS CXXFLAGS LDFLAGS

DESTDIR="$scratch/staged" cmake --install "$build" --prefix /opt/clobber >"$scratch/log"
mv "$scratch/staged/opt/clobber" "$scratch/prefix"
prefix=$scratch/prefix
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name clobber.pc)")
LD_LIBRARY_PATH=$(dirname "$PKG_CONFIG_PATH")
export PKG_CONFIG_PATH LD_LIBRARY_PATH
languages=C
if [ -n "$cxx" ]; then
    languages="C;CXX"
else
    echo "no C++ compiler: the C++ program is not tried"
fi

cmake -G "$generator" -S "$outside" -B "$scratch/cmake" -DCMAKE_PREFIX_PATH="$prefix" -DLANGUAGES="$languages" \
    -DCMAKE_C_COMPILER="$cc" ${cxx:+-DCMAKE_CXX_COMPILER="$cxx"} >>"$scratch/log" ||
    { cat "$scratch/log"; exit 1; }
cmake --build "$scratch/cmake" >>"$scratch/log" || { cat "$scratch/log"; exit 1; }
ran=0
for program in "$scratch"/cmake/outside_*; do
    timeout 20 "$program" || { echo "$program: exit $?"; exit 1; }
    ran=$((ran + 1))
done

# shellcheck disable=SC2046 # word splitting is what is wanted
with_pkg_config() { # COMPILER SOURCE STANDARD
    "$1" -std="$3" -Wall -Wextra -Wpedantic -Werror -o "$scratch/shared" "$outside/$2" \
        $(pkg-config --cflags --libs clobber)
    timeout 20 "$scratch/shared"
    "$1" -std="$3" -o "$scratch/static" "$outside/$2" $(pkg-config --cflags clobber) \
        "$LD_LIBRARY_PATH/libclobber.a" $(pkg-config --static --libs-only-l clobber | sed 's/-lclobber//') -pthread
    timeout 20 "$scratch/static"
    ran=$((ran + 2))
}
with_pkg_config "$cc" main.c c11
[ -z "$cxx" ] || with_pkg_config "$cxx" main.cxx c++17
echo "$ran programs ran"
