#!/usr/bin/env bash
# The searches that are too long for every push, one after the other and each within limits of time and memory, then the
# results table of model/README.md. A search that hits a limit is recorded as cut, with how far it got.
#
#     bash model/deep.sh                 # all searches by recipe, then all mutants in full
#     bash model/deep.sh G1-3222 mutants # some of them
#
# SECONDS_EACH (default 7200) and MIB_EACH (default 6144) are the limits of one search.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --locked -p zab-checker
checker=target/release/zab-checker
commit=$(git rev-parse --short=10 HEAD)
git diff --quiet HEAD -- model/zab model/properties model/checker/src || commit="$commit+"
failed=0

if [ $# -gt 0 ]; then runs=("$@"); else mapfile -t runs < <("$checker" list --tier push; "$checker" list --tier deep; echo mutants); fi
for run in "${runs[@]}"; do
  if [ "$run" = mutants ]; then
    "$checker" mutants || failed=1
    continue
  fi
  # A cut search fails too: it verified nothing.
  nice -n 15 "$checker" check "$run" --seconds "${SECONDS_EACH:-7200}" --memory "${MIB_EACH:-6144}" \
    --store model/results --source "$commit" || failed=1
  "$checker" table model/results --write model/README.md
done
exit "$failed"
