#!/usr/bin/env bash
# static-programs.sh ROOT: builds small static riscv64 programs into ROOT/programs, one for each way that people link them:
# C with glibc (hello-c, lazymalloc-c, cowfork-c), C with musl (hello-musl) and Rust with std (hello-rust).
#
# Needs riscv64-linux-gnu-gcc with libc6-dev-riscv64-cross, and the Rust target riscv64gc-unknown-linux-gnu (`make setup` installs
# both). musl's headers and archive are Debian's riscv64 package, fetched by debian-static.sh. Quick when all is built.
set -euo pipefail

root=${1:?usage: static-programs.sh ROOT}
here=$(cd "$(dirname "$0")" && pwd)
sources=$here/../../programs
out=$root/programs
work=$root.apt/programs
musl=$root.apt/musl
programs=("$out"/{hello-c,lazymalloc-c,cowfork-c,hello-musl,hello-rust})

stale=0
for program in "${programs[@]}"; do
    if [ ! -x "$program" ]; then stale=1; continue; fi
    for source in "$sources"/c/*.c "$here"/hello-rust.rs; do [ "$source" -nt "$program" ] && stale=1; done
done
if [ "$stale" = 0 ]; then exit 0; fi

echo "test inputs: building static C, musl and Rust programs"
rm -rf "$work"
mkdir -p "$out" "$work"
cc=(riscv64-linux-gnu-gcc -static -O2)
for name in hello lazymalloc cowfork; do
    "${cc[@]}" -o "$work/$name-c" "$sources/c/$name.c"
done

# The start files and the order of the archives are those of musl's own specs file; libgcc is the cross compiler's. The linker is
# the one that comes with Rust: older binutils fail on relocations that musl's archive has.
lib=$musl/usr/lib/riscv64-linux-musl
gcc_include=$(riscv64-linux-gnu-gcc -print-file-name=include)
linker=$(find "$(rustc --print sysroot)" -name ld.lld -print -quit)
"${cc[@]}" -nostdinc -isystem "$musl/usr/include/riscv64-linux-musl" -isystem "$gcc_include" -nostdlib -no-pie \
    -fuse-ld=lld ${linker:+-B"$(dirname "$linker")"} -o "$work/hello-musl" "$lib"/crt1.o "$lib"/crti.o "$sources/c/hello.c" \
    -L"$lib" -Wl,--start-group -lc -lgcc -Wl,--end-group "$lib"/crtn.o

rustc --edition 2024 -O --target riscv64gc-unknown-linux-gnu -C linker=riscv64-linux-gnu-gcc -C target-feature=+crt-static \
    -C relocation-model=static -C strip=debuginfo -o "$work/hello-rust" "$here/hello-rust.rs"
mv "$work"/* "$out"
