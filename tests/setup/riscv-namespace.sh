#!/usr/bin/env bash
# riscv-namespace.sh DIR COMMAND [ARGUMENT]…: runs COMMAND where riscv64 programs can be executed, children of a shell included, by
# qemu-riscv64. TREE in its environment is a copy of DIR/root (test-inputs.sh made it) to chroot into, which is gone afterwards.
#
# It is a private user and mount namespace with a binfmt_misc of its own (Linux 6.7 or newer). Needs qemu-user and unshare.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

dir=$(cd "${1:?usage: riscv-namespace.sh DIR COMMAND...}" && pwd)
if [ "${2:-}" != --inside ]; then
    shift
    exec unshare --user --map-root-user --mount --pid --fork --kill-child "$0" "$dir" --inside "$@"
fi
shift 2

# Others who do the same at this time have another mount there.
export TREE=$dir/tree
mkdir -p "$TREE"
mount -t tmpfs none "$TREE"
cp -a "$dir/root/." "$TREE"
# The libraries of qemu's own binary, where it looks for them (none, if it is a static one).
for library in $(ldd "$(command -v qemu-riscv64)" 2>/dev/null | grep -o '/[^ ]*' || true); do
    mkdir -p "$TREE$(dirname "$library")"
    cp -L "$library" "$TREE$library"
done
for device in null zero full urandom; do
    touch "$TREE/dev/$device"
    mount --bind "/dev/$device" "$TREE/dev/$device"
done
mount -t tmpfs none "$TREE/tmp"
mkdir -p "$TREE/dev/shm"
mount -t tmpfs none "$TREE/dev/shm"
mount -t proc none "$TREE/proc"
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xf3\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
echo ":riscv64:M::$magic:$mask:$(command -v qemu-riscv64):PF" >/proc/sys/fs/binfmt_misc/register
exec "$@"
