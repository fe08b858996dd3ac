#!/usr/bin/env bash
# on-linux.sh DIR BATCH [alone]: what Linux makes of riscv64 programs, for this folder's tests. DIR is test-inputs.sh's. BATCH is a
# folder with NAME.argv (arguments, each ended by a NUL; the first is a path in DIR/root) and NAME.stdin for each command; it gets
# NAME.stdout, NAME.stderr and NAME.status. What is in BATCH/programs, if that is there, is in /tmp for each command.
#
# The programs and their children run by qemu-riscv64, on this machine's kernel, as riscv-namespace.sh says. With `alone`
# (where that namespace cannot be had) only programs that execute no other can be asked for: DIR/root is seen by qemu's -L.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
dir=$(cd "${1:?usage: on-linux.sh DIR BATCH [alone]}" && pwd)
batch=$(cd "${2:?usage: on-linux.sh DIR BATCH [alone]}" && pwd)
alone=${3:-}
if [ -z "$alone" ] && [ -z "${TREE:-}" ]; then
    exec "$here/../setup/riscv-namespace.sh" "$dir" "$here/on-linux.sh" "$dir" "$batch"
fi

environment=(env -i PATH=/bin:/sbin HOME=/root)
qemu=$(command -v qemu-riscv64)
chroot=$(PATH=$PATH:/usr/sbin:/sbin command -v chroot)
cd /
for list in "$batch"/*.argv; do
    name=${list%.argv}
    mapfile -d '' argv <"$list"
    if [ -n "$alone" ]; then
        linux=("$qemu" -L "$dir/root" -0 "${argv[0]}" "$dir/root${argv[0]}" "${argv[@]:1}")
    else
        linux=("$chroot" "$TREE" "${argv[@]}")
        if [ -d "$batch/programs" ]; then cp "$batch"/programs/* "$TREE/tmp"; fi
    fi
    status=0
    "${environment[@]}" "${linux[@]}" <"$name.stdin" >"$name.stdout" 2>"$name.stderr" || status=$?
    echo "$status" >"$name.status"
    if [ -z "$alone" ]; then rm -rf "${TREE:?}"/tmp/*; fi
done
