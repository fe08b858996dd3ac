# Folio: each target does its own set-up on a fresh Debian-like machine, then calls plain cargo.
# After set-up, `cargo run -- …`, `cargo test`, `cargo bench` and `cargo build --release` work by themselves.

.PHONY: run test quick campaign bench setup setup-test lint

# The demo: a program that uses little of what it owns, and the story of its page faults.
run: setup
	cargo run --release -- run --stats demand

# Everything that must hold: formatting, lints, the whole suite; the last lines tell how it went.
test: setup-test
	@bash tests/suite.sh

# A part of it for while one works: what is pure, the instructions, the command line. At most two minutes when built.
quick: setup
	@bash tests/suite.sh quick

# What soaks for hours: goes on where it was interrupted, and says what is left.
campaign: setup-test
	@bash tests/campaign.sh

# Criterion benches, and whole-process comparisons where QEMU or Spike is installed.
bench: setup
	cargo bench --workspace

lint:
	cargo fmt --all --check
	cargo fmt --all --check --manifest-path programs/Cargo.toml
	cargo clippy --workspace --all-targets --quiet -- -D warnings

# What building Folio needs: the Rust target of the guest.
setup:
	@bash tests/setup/setup.sh build

# What the suite needs besides: Debian packages and the riscv64 programs it runs.
setup-test:
	@bash tests/setup/setup.sh test
