#!/usr/bin/env bash
# linux-boot.sh DIR: what tests/linux_boot.rs boots, in DIR: Debian trixie's Linux (Image, and the modules that it mounts an ext4
# disk with), Debian's OpenSBI (fw_jump.elf, fw_dynamic.elf) and busybox. Packages come as debian-apt.sh says.
#
# The modules lose what only debuggers read, and with it their signature: loading them then takes half the instructions.
# Needs riscv64-linux-gnu-strip and xz. Quick when DIR is complete.
set -euo pipefail

dir=${1:?usage: linux-boot.sh DIR}
modules=(virtio_mmio virtio_blk crc16 crc32c_generic mbcache jbd2 ext4 failover net_failover virtio_net virtio-rng)

complete() {
    local file
    for file in packages.txt Image fw_jump.elf fw_dynamic.elf busybox; do [ -f "$dir/$file" ] || return 1; done
    for file in "${modules[@]}"; do [ -f "$dir/modules/$file.ko" ] || return 1; done
}
if complete; then exit 0; fi

echo "test inputs: downloading Debian's Linux and OpenSBI"
cache=$dir.apt
rm -rf "$dir" "$cache/deb"
mkdir -p "$dir/modules" "$cache"/{deb,unpacked}
. "$(dirname "$0")/debian-apt.sh"
debian_apt "$cache"
cache=$(cd "$cache" && pwd)

# linux-image-riscv64 is a name for the newest one.
image=$("${apt[@]/#apt-get/apt-cache}" depends linux-image-riscv64 | sed -n 's/.*Depends: \(linux-image-[^ ]*\).*/\1/p' | head -n 1)
(cd "$cache/deb" && "${apt[@]}" download "$image" opensbi busybox-static)
rm -rf "$cache/unpacked" && mkdir "$cache/unpacked"
for deb in "$cache"/deb/*.deb; do dpkg-deb --extract "$deb" "$cache/unpacked"; done

cp "$cache"/unpacked/boot/vmlinu?-* "$dir/Image"
cp "$cache"/unpacked/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_{jump,dynamic}.elf "$dir"
cp "$cache/unpacked/usr/bin/busybox" "$dir"
for module in "${modules[@]}"; do
    packed=$(find "$cache/unpacked" -name "$module.ko.xz" -print -quit)
    [ -n "$packed" ] || { echo "test inputs: $image has no module $module" >&2; exit 1; }
    xz --decompress --stdout "$packed" >"$dir/modules/$module.ko"
    riscv64-linux-gnu-strip --strip-debug --remove-section=.BTF "$dir/modules/$module.ko"
done
(cd "$cache/deb" && for deb in *.deb; do dpkg-deb --show --showformat '${Package} ${Version}\n' "$deb"; done) >"$dir/packages.txt"
rm -rf "$cache"
