#!/bin/sh
# The hardening flags are read back from the ELF file. Usage: hardened.sh EXECUTABLE
set -eu
file=$1
bad=0
want() { # what, pattern, text
    if ! printf '%s\n' "$3" | grep -qE "$2"; then
        echo "$file: not hardened: no $1" >&2
        bad=1
    fi
}
headers=$(readelf -W -h -l -d "$file")
landings=$(objdump -d "$file" | grep -c endbr64)
symbols=$(readelf -W --dyn-syms "$file")
want "position-independent executable" 'Type: +DYN' "$headers"
want "RELRO" 'GNU_RELRO' "$headers"
want "immediate binding" 'BIND_NOW|FLAGS_1.*NOW' "$headers"
want "non-executable stack" 'GNU_STACK.* RW ' "$headers"
want "stack protector" '__stack_chk_fail' "$symbols"
want "fortified library calls" '__[a-z]+_chk' "$symbols"
# The file's own note is no witness: the linker drops it, for Debian 12 builds glibc's start files without.
want "landing pads of control-flow protection" '^[0-9]{3,}$' "$landings"
exit $bad
