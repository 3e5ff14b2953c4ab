#!/bin/sh
# Plants a bug: copies the files that PATCH changes from SOURCE to TARGET, and changes them there. A patch that does not
# fit any more, be it by a line, fails the build: it is to be made anew, and the bug to be caught again.
set -eu
source=$1 target=$2 patch=$3
for file in $(sed -n 's|^+++ b/||p' "$patch"); do
    mkdir -p "$target/$(dirname "$file")"
    cp "$source/$file" "$target/$file"
done
cd "$target"
if ! patch --strip=1 --fuzz=0 --no-backup-if-mismatch --reject-file=- --silent <"$patch"; then
    echo "$patch does not apply any more: make it anew" >&2
    exit 1
fi
