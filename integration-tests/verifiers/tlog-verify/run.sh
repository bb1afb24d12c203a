#!/usr/bin/env bash
# Builds the Go verifier and runs it on sample logs: the good ones must verify, every changed one must be refused.
# Usage: run.sh [FOLDER OF sample_log]. Needs Debian's golang-go and golang-golang-x-mod-dev.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$work/go"
(cd "$here" && go vet verify.go && go build -o "$work/tlog-verify" verify.go)
samples=${1:-$work/samples}
if [ $# -eq 0 ]; then
    (cd "$here/../../.." && cargo run --quiet -p mayag-audit --example sample_log -- "$samples")
fi
check() { "$work/tlog-verify" "$1/log" "$1/keys" 2 "$1/older" "$1/receipt.tlog-proof" "$1/entry"; }
good=0 refused=0
for log in "$samples"/good/*; do
    check "$log" >"$work/said" || { echo "$log does not verify:"; cat "$work/said"; exit 1; }
    good=$((good + 1))
done
for log in "$samples"/changed/*; do
    # Leaving with 1 is a refusal; anything else is a verifier that broke.
    code=0
    check "$log" >"$work/said" || code=$?
    [ "$code" = 1 ] && grep -q '^FAIL' "$work/said" || { echo "$log was not refused ($code)"; cat "$work/said"; exit 1; }
    refused=$((refused + 1))
done
[ "$good" -gt 0 ] && [ "$refused" -gt 100 ] || { echo "no samples"; exit 1; }
echo "tlog-verify: $good logs verify, $refused changed logs are refused"
