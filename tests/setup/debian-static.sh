#!/usr/bin/env bash
# debian-static.sh ROOT: puts Debian trixie's static riscv64 programs into the directory tree ROOT.
#
# Packages come through apt-get with a configuration of its own (the machine's architectures, lists and installed packages
# are not touched), from the mirror that the machine's own sources name. Needs no root rights. Quick when ROOT is complete.
set -euo pipefail

root=${1:?usage: debian-static.sh ROOT}
suite=trixie
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

echo "test inputs: downloading ${packages[*]} (Debian $suite, riscv64)"
cache=$root.apt
rm -rf "$root"
mkdir -p "$root" "$cache"/{lists/partial,archives/partial,deb}
cache=$(cd "$cache" && pwd)

# The archive that this machine installs Debian packages from, whatever the format of its sources.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -E '/debian/?$' | head -n 1 || true)
if [ -z "$mirror" ]; then
    echo "test inputs: apt's sources name no Debian archive; add one (see sources.list(5)) and try again" >&2
    exit 1
fi
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keyring] $mirror $suite main" >"$cache/sources.list"
: >"$cache/status"
apt=(apt-get -qq
    -o Dir::State="$cache" -o Dir::State::status="$cache/status" -o Dir::Cache="$cache"
    -o Dir::Etc::sourcelist="$cache/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o APT::Architecture=riscv64 -o APT::Architectures=riscv64 -o APT::Sandbox::User=root
    -o Acquire::Languages=none -o Acquire::Retries=3)

if ! "${apt[@]}" update; then
    # An old keyring may not know the suite's key yet.
    echo "test inputs: refreshing debian-archive-keyring"
    apt-get -qq update && apt-get -qq install -y debian-archive-keyring
    "${apt[@]}" update
fi
# The versions that the goldens were recorded with, while the archive still has them; else what it has now.
pinned=("${packages[@]}")
recorded=$(cd "$(dirname "$0")" && pwd)/../goldens/guest/packages.txt
if [ -f "$recorded" ]; then mapfile -t pinned < <(sed 's/ /=/' "$recorded"); fi
(cd "$cache/deb" && rm -f ./*.deb && "${apt[@]}" download "${libraries[@]}" &&
    { "${apt[@]}" download "${pinned[@]}" 2>/dev/null || "${apt[@]}" download "${packages[@]}"; })
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
