#!/usr/bin/env bash
# u-boot.sh DIR: what tests/u_boot.rs boots, in DIR: Debian trixie's U-Boot for QEMU's board, as it runs below an SBI (smode.bin) and without
# one (mmode.bin). The package comes as debian-apt.sh says. Quick when DIR is complete; DIR.unavailable says that it could not be fetched.
set -uo pipefail

dir=${1:?usage: u-boot.sh DIR}
rm -f "$dir.unavailable"
[ -f "$dir/packages.txt" ] && exit 0

fetch() (
    set -e
    rm -rf "$dir" "$dir.apt"
    mkdir -p "$dir" "$dir.apt/deb"
    . "$(dirname "$0")/debian-apt.sh"
    debian_apt "$dir.apt"
    cd "$dir.apt/deb"
    "${apt[@]}" download u-boot-qemu
    dpkg-deb --extract u-boot-qemu_*.deb unpacked
    cd - >/dev/null
    cp "$dir.apt/deb/unpacked/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin" "$dir/smode.bin"
    cp "$dir.apt/deb/unpacked/usr/lib/u-boot/qemu-riscv64/u-boot.bin" "$dir/mmode.bin"
    dpkg-deb --show --showformat '${Package} ${Version}\n' "$dir.apt"/deb/u-boot-qemu_*.deb >"$dir/packages.txt"
    rm -rf "$dir.apt"
)
echo "test inputs: downloading Debian's U-Boot"
fetch
[ -f "$dir/packages.txt" ] || { mkdir -p "$(dirname "$dir")" && touch "$dir.unavailable"; }
