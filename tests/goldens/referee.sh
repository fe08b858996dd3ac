#!/usr/bin/env bash
# referee.sh VMTESTS [ARGUMENT]…: runs the guest's self-test under qemu-riscv64, on this machine's Linux. What fails there is a fault of the
# test, not of Folio. VMTESTS is the program (target/guest/riscv64gc-unknown-none-elf/guest/vmtests after a build).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
program=$(realpath "${1:?usage: referee.sh VMTESTS}")
if [ -z "${TREE:-}" ]; then exec "$here/../setup/riscv-namespace.sh" "$here/../../target/test-inputs" "$0" "$@"; fi
cp "$program" "$TREE/tmp/vmtests"
env -i "$(command -v chroot)" "$TREE" /tmp/vmtests -u "${@:2}"
