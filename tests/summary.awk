# The last lines of suite.sh. Reads the list of what tests said they had not run, then cargo's output; lints and cargo are 0 where
# `make lint` and `cargo test` ended well. Exits with 1 if anything failed.

function why(reason, what) { reasons[reason " " what]++ }
FILENAME == ARGV[1] {
    if (seen[$0]++) next
    if ($1 == "whole") { missing++; why($3, "test") } else { parts++; why($3, "part") }
    next
}
/^ +Running .*\(.*\)$|^ +Doc-tests / {
    if (open) broken[program] = 1
    # Of "Running unittests src/lib.rs (target/debug/deps/fs-0123)": fs.
    program = $0; sub(/.*[\/ ]/, "", program); sub(/-[0-9a-f]*\)$/, "", program); open = 1
}
/^test result: / { split($0, word, " "); open = 0; passed += word[4]; failed += word[6]; ignored += word[8] }
/^test .* \.\.\. FAILED$/ { split($0, word, " "); failures = failures "\n    " program ": " word[2] }
/^test .* \.\.\. ignored/ { sub(/.* \.\.\. ignored(, )?/, ""); why($0 == "" ? "ignored" : $0, "test") }
END {
    if (open) broken[program] = 1
    for (program in broken) { failed++; failures = failures "\n    " program ": ended without a result" }
    if (cargo != 0 && failed == 0) { failed++; failures = "\n    cargo test, status " cargo }
    if (lints) { failed++; failures = failures "\n    make lint" }
    if (failed) print "failed:" failures
    for (reason in reasons) {
        match(reason, / [^ ]*$/)
        n = reasons[reason]
        print "not run: " n substr(reason, RSTART) (n == 1 ? "" : "s") ": " substr(reason, 1, RSTART - 1)
    }
    printf "%d passed, %d failed, %d skipped\n", passed - missing, failed, ignored + missing + parts
    exit failed != 0
}
