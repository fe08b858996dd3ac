#!/usr/bin/env bash
# suite.sh [quick]: the lints, then `cargo test --workspace --no-fail-fast`, or its quick part. All is run, whatever fails; the last lines
# say at a glance what failed, what was not run and why, and how many:
#
#     not run: 3 tests: a piece of make campaign
#     1234 passed, 0 failed, 3 skipped
#
# A test says that something it needs is not there by support::missing, through the file FOLIO_NOT_RUN: it counts as skipped, not as
# passed. A part of a test that is not run counts as one more. Test programs that end without a result, and lints, count as failed.
set -uo pipefail
cd "$(dirname "$0")/.."

mkdir -p target
log=target/suite.log
export FOLIO_NOT_RUN=$PWD/target/not-run.tsv
: >"$FOLIO_NOT_RUN"

what=(--workspace)
if [ "${1:-}" = quick ]; then
    # Those that take seconds: no machine that boots Linux, no referee, no Debian programs.
    what=(--lib --workspace)
    for program in bad_boot bad_input bare_metal children cli comparisons debugger determinism growth guest_view hostile isa_page isa_rows mechanisms paging readme \
        scripts smp snapshot softfloat test_command tidy touched_pages; do
        what+=(--test "$program")
    done
fi

lints=0
make --no-print-directory lint || lints=1
# Colours would be read as text.
CARGO_TERM_COLOR=never cargo test --no-fail-fast "${what[@]}" 2>&1 | tee "$log"
cargo=${PIPESTATUS[0]}

echo
awk -F '\t' -v lints="$lints" -v cargo="$cargo" -f tests/summary.awk "$FOLIO_NOT_RUN" "$log"
