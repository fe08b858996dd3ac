#!/usr/bin/env bash
# test-inputs.sh DIR: prepares what tests/guest_programs.rs runs, in DIR (a cache; safe to delete):
#   DIR/root         a small riscv64 system: Debian's static programs, and our own in root/programs
#   DIR/debian.ext4  the same as an ext4 image, made by mke2fs
# Quick when both are there and nothing they are made from has changed.
set -euo pipefail

dir=${1:?usage: test-inputs.sh DIR}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$dir"
"$here/debian-static.sh" "$dir/root"
"$here/static-programs.sh" "$dir/root"

image=$dir/debian.ext4
if [ -f "$image" ] && [ -z "$(find "$dir/root" "$here" -newer "$image" -print -quit)" ]; then exit 0; fi
echo "test inputs: making $image"
# A fixed identity and time: the same tree gives the same image.
export E2FSPROGS_FAKE_TIME=1700000000
truncate -s 64M "$image.new.tmp" && mv "$image.new.tmp" "$image.new"
PATH=$PATH:/sbin:/usr/sbin mke2fs -q -t ext4 -b 4096 -U 464f4c49-4f00-4000-8000-000000000001 \
    -E hash_seed=464f4c49-4f00-4000-8000-000000000002,root_owner=0:0 -d "$dir/root" "$image.new"
mv "$image.new" "$image"
