#!/usr/bin/env bash
# debian-dynamic.sh DIR: prepares what tests/ladder.rs runs, in DIR (a cache; safe to delete):
#   DIR/root         a Debian trixie riscv64 system with shells, tools, languages and a compiler, as their packages have them, and
#                    esbuild, ruff and uv, as npm and PyPI have them
#   DIR/ladder.ext4  the same as an ext4 image, made by mke2fs
# Packages and what they depend on come as debian-apt.sh says. No package's scripts are run. Needs npm and Python's venv. Quick when
# all is there.
set -euo pipefail

dir=${1:?usage: debian-dynamic.sh DIR}
here=$(cd "$(dirname "$0")" && pwd)
packages=(dash bash coreutils sed mawk gawk grep tar gzip bzip2 xz-utils zstd findutils diffutils patch file bc m4 less procps
    util-linux hostname debianutils base-files base-passwd libc-bin python3 sqlite3 lua5.4 perl jq tcl8.6 git openssl vim-tiny
    gcc libc6-dev binutils make ninja-build bison redis-server redis-tools)

image=$dir/ladder.ext4
if [ -f "$image" ] && [ "$image" -nt "$0" ]; then exit 0; fi

echo "test inputs: downloading ${#packages[@]} Debian packages and what they need (riscv64)"
cache=$dir/apt root=$dir/root
rm -rf "$root" "$image"
mkdir -p "$root"
. "$here/debian-apt.sh"
debian_apt "$cache"
rm -f "$cache"/archives/*.deb
"${apt[@]}" -o APT::Install-Recommends=false install --download-only -y "${packages[@]}" >/dev/null

# dpkg-deb would make /bin a directory where the archive means a link to usr/bin.
mkdir -p "$root"/usr/{bin,sbin,lib} "$root"/{dev,etc,home,proc,root,run,sys,tmp,var/tmp}
ln -s usr/bin usr/sbin usr/lib "$root/"
for deb in "$cache"/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --no-same-owner -C "$root" \
        --exclude './usr/share/doc*' --exclude './usr/share/man*' --exclude './usr/share/locale*' --exclude './usr/share/lintian*'
done
rm -f "$cache"/archives/*.deb
# What the packages' scripts would do.
chmod 1777 "$root/tmp" "$root/var/tmp"
ln -sf mawk "$root/usr/bin/awk"
ln -sf dash "$root/usr/bin/sh"
cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
echo '127.0.0.1 localhost' >"$root/etc/hosts"
qemu-riscv64 -L "$root" "$root/usr/sbin/ldconfig" -r "$root" 2>/dev/null || true
qemu-riscv64 -L "$root" "$root/usr/bin/python3" -m compileall -q -s "$root" -p / --invalidation-mode unchecked-hash \
    "$root"/usr/lib/python3*

# A Go program and two in Rust.
echo "test inputs: downloading esbuild, ruff and uv (riscv64)"
(cd "$cache" && npm pack --silent @esbuild/linux-riscv64@0.25.12 >/dev/null)
tar -xzf "$cache"/esbuild-linux-riscv64-*.tgz -C "$root/usr" --strip-components 1 package/bin/esbuild
python3 -m venv "$cache/venv"
"$cache/venv/bin/pip" download -q --no-deps --only-binary=:all: --platform manylinux_2_31_riscv64 -d "$cache" ruff==0.14.6 uv==0.9.11
for wheel in "$cache"/*.whl; do
    python3 -m zipfile -e "$wheel" "$cache/wheel"
    install "$cache"/wheel/*.data/scripts/* "$root/usr/bin"
    rm -rf "$cache/wheel" "$wheel"
done

echo "test inputs: making $image"
export E2FSPROGS_FAKE_TIME=1700000000
PATH=$PATH:/sbin:/usr/sbin mke2fs -q -t ext4 -b 4096 -U 464f4c49-4f00-4000-8000-000000000003 \
    -E hash_seed=464f4c49-4f00-4000-8000-000000000004,root_owner=0:0 -d "$root" "$image.new" 1400M
mv "$image.new" "$image"
