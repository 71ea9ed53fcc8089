#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Tests of the command line: run.sh TACIT [NAME...]
#
# Each cases/NAME.sh runs in an empty folder with the binary in $TACIT and support.sh at hand. Its exit code, standard
# output and standard error must equal NAME.exit (0 where absent), NAME.stdout and NAME.stderr (not compared where
# absent). No models but the built-in one are found unless the case says where. Exit code 77 means skipped, and the
# last line on standard error says why. Tests that need a second model look in $TACIT_SHARED. Exit code: 1 if a case
# failed.
set -u

if [ $# -lt 1 ] || [ ! -x "$1" ]; then
  echo "usage: run.sh TACIT [NAME...]" >&2
  exit 2
fi
TACIT=$(realpath "$1")
shift
here=$(realpath "$(dirname "$0")")
: "${TACIT_SHARED:=$here/../../../shared}"
export TACIT TACIT_SHARED
export LC_ALL=C

scratch=$(mktemp -d)
trap 'chmod -R u+rwx "$scratch"; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

# difference EXPECTED ACTUAL: prints how they differ and returns 1; an absent EXPECTED equals everything.
difference() {
  [ ! -e "$1" ] || diff -u --label "expected $(basename "$1")" --label "found" "$1" "$2"
}

# run_case NAME: 0 passed, 1 failed, 77 skipped. What went wrong is printed.
run_case() {
  local case_file=$here/cases/$1.sh expected_code=0 code outcome=0
  local out=$scratch/$1.out err=$scratch/$1.err
  [ -f "$case_file" ] || { echo "no such case: $1"; return 1; }
  [ ! -e "$here/cases/$1.exit" ] || expected_code=$(cat "$here/cases/$1.exit")
  mkdir "$scratch/$1"
  (cd "$scratch/$1" && unset TACIT_MODEL_PATH && XDG_CACHE_HOME=$scratch/$1.cache \
    exec bash -eu -o pipefail -c '. "$1"; . "$2"' case "$here/support.sh" "$case_file") \
    </dev/null >"$out" 2>"$err"
  code=$?
  [ $code -ne 77 ] || return 77
  if [ $code -ne "$expected_code" ]; then
    echo "exit code: expected $expected_code, found $code"
    outcome=1
  fi
  difference "$here/cases/$1.stdout" "$out" || outcome=1
  difference "$here/cases/$1.stderr" "$err" || outcome=1
  [ $outcome -eq 0 ] || { echo "standard error:"; tail -n 20 "$err"; }
  return $outcome
}

if [ $# -eq 0 ]; then
  for case_file in "$here"/cases/*.sh; do set -- "$@" "$(basename "$case_file" .sh)"; done
fi
passed=0 failed=0
for name in "$@"; do
  report=$(run_case "$name")
  case $? in
    0) passed=$((passed + 1)); echo "ok $name" ;;
    77) echo "ok $name # skipped: $(tail -n 1 "$scratch/$name.err")" ;;
    *) failed=$((failed + 1)); echo "not ok $name"; printf '%s\n' "$report" | sed 's/^/  # /' ;;
  esac
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
