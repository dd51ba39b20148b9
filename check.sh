#!/usr/bin/env bash
# The whole test command: sets up the peers that tests compare with, then format, lints, docs and all tests.
# Each step's time is printed; the first failure ends the run.
set -euo pipefail
cd "$(dirname "$0")"
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"

step() {
  local title=$1 start=$SECONDS
  shift
  printf '==> %s\n' "$title"
  "$@"
  printf '<== %s: %d s\n' "$title" $((SECONDS - start))
}

step "peers: Apache ZooKeeper and other clients" bash conformance/peers/setup.sh
step "format" cargo fmt --all --check
step "clippy" cargo clippy --workspace --all-targets --locked -- -D warnings
step "clippy of the mutants" cargo clippy -p zk-tree -p zk-node -p zk-server --features zk-server/mutants --bin vivarium-mutant \
  --locked -- -D warnings
step "rustdoc" env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
step "build of what tests start" cargo build --locked --bins
step "build of the mutants" cargo build --locked -p zk-server --features mutants --bin vivarium-mutant
step "tests" cargo test --workspace --locked --no-fail-fast
step "bugs put back" cargo test -p zk-sim --features mutants --test bugs --test paths --locked
