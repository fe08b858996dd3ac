#!/usr/bin/env bash
# record.sh [DIR]: records tests/goldens/guest/*.{stdout,status} again, from qemu-riscv64. DIR is test-inputs.sh's (default
# target/test-inputs). Run it after a new Debian release changed a program, or after adding a NAME.argv; read the diff.
#
# NAME.argv holds one argument a line, as a JSON string; NAME.stdin, if there is one, is the standard input (else: empty).
# Children of a shell must be executable too, so everything runs in a private user and mount namespace that has a binfmt_misc of its own
# (Linux 6.7 or newer), changed-rooted into a copy of the same tree. Needs qemu-user, jq and unshare.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
dir=$(cd "${1:-$here/../../target/test-inputs}" && pwd)
if [ "${2:-}" != inside ]; then
    exec unshare --user --map-root-user --mount --pid --fork "$0" "$dir" inside
fi

# Inside: a copy of the tree, with the host's libraries where qemu's own binary looks for them.
tree=$(mktemp -d)
mount -t tmpfs none "$tree"
cp -a "$dir/root/." "$tree"
mkdir -p "$tree/lib64" "$tree/usr/lib/x86_64-linux-gnu"
mount --rbind /lib64 "$tree/lib64"
mount --rbind /usr/lib/x86_64-linux-gnu "$tree/usr/lib/x86_64-linux-gnu"
for device in null zero urandom; do
    touch "$tree/dev/$device"
    mount --bind "/dev/$device" "$tree/dev/$device"
done
mount -t tmpfs none "$tree/tmp"
mount -t proc none "$tree/proc"
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xf3\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
echo ":riscv64:M::$magic:$mask:$(command -v qemu-riscv64):PF" >/proc/sys/fs/binfmt_misc/register

for list in "$here"/guest/*.argv; do
    case=${list%.argv}
    mapfile -d '' argv < <(jq -j '. + "\u0000"' "$list")
    input=/dev/null
    [ -f "$case.stdin" ] && input=$case.stdin
    status=0
    env -i PATH=/bin:/sbin HOME=/root chroot "$tree" "${argv[@]}" <"$input" >"$case.stdout" 2>"$tree/tmp.stderr" || status=$?
    rm -rf "${tree:?}"/tmp/*
    echo "$status" >"$case.status"
    echo "$(basename "$case"): $status, $(wc -c <"$case.stdout") bytes; $(head -c 100 "$tree/tmp.stderr" | tr '\n' ' ')"
done
cp "$dir/root/packages.txt" "$here/guest/packages.txt"
