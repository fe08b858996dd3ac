#!/usr/bin/env bash
# vmtests-on-linux.sh [TEST]…: runs the guest's self-test, which a build has left in target, by qemu-riscv64 on this machine's Linux.
# What fails there is a fault of the test, not of Folio. Its status is vmtests'.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
target=$here/../../target
batch=$(mktemp -d)
trap 'rm -rf "$batch"' EXIT
mkdir "$batch/programs"
cp "$target/guest/riscv64gc-unknown-none-elf/guest/vmtests" "$batch/programs"
printf '%s\0' /tmp/vmtests -u "$@" >"$batch/vmtests.argv"
: >"$batch/vmtests.stdin"
"$here/on-linux.sh" "$target/test-inputs" "$batch"
cat "$batch/vmtests.stdout"
exit "$(cat "$batch/vmtests.status")"
