#!/usr/bin/env bash
# campaign.sh [list|again] [PIECE]…: what soaks longer than `make test` may, in pieces that are kept. `make campaign` runs the pieces that are
# left, and prints what it ran and what is left; interrupted, it goes on at the first piece that is not done. A piece that
# failed is told and is left, so the next call runs it again. `list` only prints; `again` forgets what is done; names limit
# all of them to these pieces. tests/campaign.pieces is the list, and says how to add to it.
#
# State is in target/campaign: NAME.SEED.done (with the commit that did it), .failed, and .log, the output of the last run.
# FOLIO_CAMPAIGN_PIECES and FOLIO_CAMPAIGN_STATE name another list and folder.
set -uo pipefail
cd "$(dirname "$0")/.."

names=() first=() last=() commands=()
piece() {
    names+=("$1")
    first+=("${2%..*}")
    last+=("${2#*..}")
    commands+=("$3")
}

# shellcheck source=tests/campaign.pieces
. "${FOLIO_CAMPAIGN_PIECES:-tests/campaign.pieces}"

state=${FOLIO_CAMPAIGN_STATE:-$PWD/target/campaign}
# Longest time for one piece, in seconds.
limit=7200
mkdir -p "$state"

mode=run
case "${1:-}" in list | again) mode=$1; shift ;; esac
wanted=("$@")

# is_wanted NAME: whether the call names it, or none.
is_wanted() {
    local name
    # With its status, always: in a trap a bare `return` has that of the command which was interrupted.
    [ ${#wanted[@]} = 0 ] && return 0
    for name in "${wanted[@]}"; do [ "$name" = "$1" ] && return 0; done
    return 1
}
for name in "${wanted[@]}"; do
    case " ${names[*]} " in *" $name "*) ;; *) echo "campaign: no piece is called $name; there are: ${names[*]}" >&2; exit 2 ;; esac
done

# Calls "$@" NUMBER SEED KEY for each piece that is wanted.
each() {
    local number seed
    for number in "${!names[@]}"; do
        is_wanted "${names[number]}" || continue
        for ((seed = first[number]; seed <= last[number]; seed++)); do
            "$@" "$number" "$seed" "${names[number]}.$seed"
        done
    done
}

# The tree that a piece is run on.
tree() { echo "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)$(git diff --quiet HEAD 2>/dev/null || echo +changes)"; }

forget() { rm -f "$state/$3".{done,failed,log}; }

tell() {
    if [ -e "$state/$3.done" ]; then echo "  done    $3  $(cat "$state/$3.done")"
    elif [ -e "$state/$3.failed" ]; then echo "  failed  $3  $(cat "$state/$3.failed"), see $state/$3.log"
    else echo "  left    $3"; fi
}

left=0 failed=0 ran=0
count() {
    [ -e "$state/$3.done" ] && return 0
    if [ -e "$state/$3.failed" ]; then failed=$((failed + 1)); else left=$((left + 1)); fi
}

job=
stop() {
    trap - INT TERM HUP
    echo "campaign: interrupted"
    # The piece is the leader of a process group: `setsid` below.
    if [ -n "$job" ]; then kill -TERM -- "-$job" 2>/dev/null; wait "$job" 2>/dev/null; fi
    finish
}

finish() {
    left=0 failed=0
    each count
    echo "campaign: $ran run by this call; of $(each echo | wc -l) pieces $failed failed and $left are left"
    if [ "$failed" != 0 ] || [ "$left" != 0 ]; then each tell | grep -v '^  done'; exit 1; fi
    exit 0
}

run() {
    local key=$3 started=$SECONDS status missing=$state/$3.missing took
    [ -e "$state/$key.done" ] && return 0
    echo "campaign: $key, $(date +%H:%M:%S)"
    rm -f "$state/$key.failed" "$missing"
    SEED=$2 FOLIO_NOT_RUN=$missing CARGO_TERM_COLOR=never setpriv --pdeathsig TERM setsid timeout --kill-after=10 "$limit" \
        bash -c "${commands[$1]}" >"$state/$key.log" 2>&1 </dev/null &
    job=$!
    wait "$job"
    status=$?
    job=
    took="$((SECONDS - started)) s, $(tree)"
    ran=$((ran + 1))
    if [ -s "$missing" ]; then
        echo "  not run: $(cut -f 3 "$missing" | sort -u)"
    elif [ "$status" = 0 ] && grep -q '^test result:' "$state/$key.log" && ! grep -q '^test result: ok. [1-9]' "$state/$key.log"; then
        echo "no test ran, $took" >"$state/$key.failed"
        echo "  FAILED: no test has the name that the piece asks for"
    elif [ "$status" = 0 ]; then
        echo "$took" >"$state/$key.done"
        echo "  done, $took"
    else
        echo "status $status, $took" >"$state/$key.failed"
        echo "  FAILED, status $status, $took; the end of $state/$key.log:"
        tail -n 5 "$state/$key.log" | sed 's/^/    /'
    fi
    rm -f "$missing"
}

case "$mode" in
    list) each tell ;;
    again) each forget ;;
    run)
        trap stop INT TERM HUP
        each run
        finish
        ;;
esac
