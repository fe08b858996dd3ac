#!/usr/bin/env bash
# record.sh [DIR]: records tests/goldens/guest/*.{stdout,status} again, from qemu-riscv64. DIR is test-inputs.sh's (default
# target/test-inputs). Run it after a new Debian release changed a program, or after adding a NAME.argv; read the diff.
#
# NAME.argv holds one argument a line, as a JSON string; NAME.stdin, if there is one, is the standard input (else: empty).
# Needs jq, and what riscv-namespace.sh needs.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
dir=$(cd "${1:-$here/../../target/test-inputs}" && pwd)
if [ -z "${TREE:-}" ]; then exec "$here/../setup/riscv-namespace.sh" "$dir" "$0" "$dir"; fi

for list in "$here"/guest/*.argv; do
    case=${list%.argv}
    mapfile -d '' argv < <(jq -j '. + "\u0000"' "$list")
    input=/dev/null
    [ -f "$case.stdin" ] && input=$case.stdin
    status=0
    env -i PATH=/bin:/sbin HOME=/root "$(command -v chroot)" "$TREE" "${argv[@]}" <"$input" >"$case.stdout" 2>"$TREE/tmp.stderr" || status=$?
    rm -rf "${TREE:?}"/tmp/*
    echo "$status" >"$case.status"
    echo "$(basename "$case"): $status, $(wc -c <"$case.stdout") bytes; $(head -c 100 "$TREE/tmp.stderr" | tr '\n' ' ')"
done
cp "$dir/root/packages.txt" "$here/guest/packages.txt"
