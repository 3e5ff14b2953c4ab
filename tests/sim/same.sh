#!/bin/sh
# The same seeds, the same run: compares the hash of all that happens between two builds of sim_world. Skipped, loudly,
# where the other was not built from what is in the tree now; where CI is set that is a failure.
set -eu
one=$1 other=$2 seeds=$3 source=$4
if [ ! -x "$other" ] || [ -n "$(find "$source/common" "$source/proto" "$source/agent" "$source/coordinator" \
    "$source/tests/sim" -name '*.[ch]' -newer "$other" | head -1)" ]; then
    echo "NOT TESTED: $other is not there, or older than the tree; ./tests/run builds both" >&2
    [ -z "${CI:-}" ] || exit 1
    exit 77
fi
left=$("$one" --seeds "$seeds" --hash)
right=$("$other" --seeds "$seeds" --hash)
if [ "$left" != "$right" ]; then
    printf '%s: %s\n%s: %s\n' "$one" "$left" "$other" "$right" >&2
    exit 1
fi
echo "$left"
