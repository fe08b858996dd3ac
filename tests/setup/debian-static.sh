#!/usr/bin/env bash
# debian-static.sh ROOT: puts Debian trixie's static riscv64 programs into the directory tree ROOT.
#
# Packages come as debian-apt.sh says. Quick when ROOT is complete.
set -euo pipefail

root=${1:?usage: debian-static.sh ROOT}
packages=(busybox-static bash-static zsh-static tini libc-bin)
# Not installed into ROOT: unpacked to ROOT.apt/musl, for static-programs.sh.
libraries=(musl-dev)
# What a test runs. A package that no longer holds its file is an error here, not in a test.
programs=(usr/bin/busybox usr/bin/bash-static usr/bin/zsh-static usr/bin/tini-static usr/sbin/ldconfig)

complete() {
    local program
    [ -f "$root/packages.txt" ] && [ -d "$root.apt/musl" ] || return 1
    for program in "${programs[@]}"; do [ -x "$root/$program" ] || return 1; done
}
if complete; then exit 0; fi

echo "test inputs: downloading ${packages[*]} (Debian, riscv64)"
cache=$root.apt
rm -rf "$root"
mkdir -p "$root" "$cache/deb"
. "$(dirname "$0")/debian-apt.sh"
debian_apt "$cache"
cache=$(cd "$cache" && pwd)

# Whatever the archive has now: the tests compare with what Linux makes of the same files.
(cd "$cache/deb" && rm -f ./*.deb && "${apt[@]}" download "${libraries[@]}" "${packages[@]}")
rm -rf "$cache/musl" && mkdir "$cache/musl"
for library in "${libraries[@]}"; do
    dpkg-deb --extract "$cache"/deb/"$library"_*.deb "$cache/musl"
    rm "$cache"/deb/"$library"_*.deb
done

# dpkg-deb would make /bin a directory where the archive means a link to usr/bin.
mkdir -p "$root"/usr/{bin,sbin,lib} "$root"/{dev,etc,home,proc,root,tmp,opt}
ln -s usr/bin usr/sbin usr/lib "$root/"
chmod 1777 "$root/tmp"
for deb in "$cache"/deb/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --no-same-owner -C "$root" \
        --exclude './usr/share/doc*' --exclude './usr/share/man*' --exclude './usr/share/locale*' --exclude './usr/share/lintian*'
done
for applet in sh cat echo find wc sort head tail grep sed awk gzip gunzip cmp sha256sum true false ls mkdir rm seq tr; do
    [ -e "$root/usr/bin/$applet" ] || ln -s busybox "$root/usr/bin/$applet"
done
for program in "${programs[@]}"; do
    [ -x "$root/$program" ] || { echo "test inputs: no $program in ${packages[*]}" >&2; exit 1; }
done
(cd "$cache/deb" && for deb in *.deb; do dpkg-deb --show --showformat '${Package} ${Version}\n' "$deb"; done) >"$root/packages.txt"
