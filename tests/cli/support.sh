# SPDX-License-Identifier: MIT
# What the cases share. They run under bash -eu -o pipefail: any command that fails unexpectedly fails the case.

support_folder=$(dirname "${BASH_SOURCE[0]}")

# sample [N]: N lines of prose, about 90 bytes each; the same on each call. Each of the 24 lines is its own, so that a
# language model shrinks up to 24 of them more than zstd does; after them they return.
sample() {
  local lines i
  mapfile -t lines <"$support_folder/sample.txt"
  for ((i = 0; i < ${1:-20}; ++i)); do echo "${lines[i % ${#lines[@]}]}"; done
}

# noise BYTES: text that nothing shrinks much, the same on each call.
noise() {
  awk -v bytes="$1" 'BEGIN { srand(7); for (i = 0; i < bytes; ++i) printf "%c", 33 + int(rand() * 94) }'
}

# words BYTES: text that the model is slow and right to code, the same on each call.
words() {
  awk -v bytes="$1" 'BEGIN { srand(7) } { for (i = 1; i <= NF; ++i) word[n++] = $i }
    END { for (size = 0; size < bytes; size += length(w) + 1) printf "%s ", w = word[int(rand() * n)] }' \
    "$support_folder/sample.txt"
}

# expect CODE COMMAND...: runs it and fails the case unless it exits with CODE.
expect() {
  local wanted=$1 code=0
  shift
  "$@" || code=$?
  if [ $code -ne "$wanted" ]; then
    echo "expected exit code $wanted, found $code: $*" >&2
    exit 1
  fi
}

# refused ARGUMENT...: fails the case unless tacit calls that wrong usage, in one sentence and with nothing on standard
# output. The sentences of the option parser are not pinned.
refused() {
  local message code=0
  message=$("$TACIT" "$@" 2>&1 >refused.stdout) || code=$?
  [ $code -eq 2 ] || fails "expected exit code 2, found $code: tacit $*"
  [[ $message =~ ^'tacit: '[^$'\n']+$'\nTry '\''tacit --help'\''.'$ ]] || fails "tacit $*: $message"
  [ ! -s refused.stdout ] || fails "tacit $*: something on standard output"
  rm refused.stdout
}

# fails WHY: ends the case.
fails() {
  echo "$1" >&2
  exit 1
}

# skip WHY: ends the case without a verdict.
skip() {
  echo "$1" >&2
  exit 77
}

# only FILE...: fails the case unless the folder holds exactly these.
only() {
  local wanted found
  wanted=$(printf '%s\n' "$@" | sort)
  found=$(ls -A | sort)
  [ "$found" = "$wanted" ] || fails "expected the files: $(echo $wanted); found: $(echo $found)"
}

# flip_byte FILE OFFSET: inverts the bits of one byte.
flip_byte() {
  local byte
  byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
  printf "\\x$(printf %02x $((255 - byte)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# wait_for PATTERN: until a file of that name appears, 10 seconds at most.
wait_for() {
  local i
  for ((i = 0; i < 1000; ++i)); do
    compgen -G "$1" >/dev/null && return 0
    sleep 0.01
  done
  fails "no file $1 appeared"
}

# the_other_model: the path of a model that is not the built-in one, or skips the case.
the_other_model() {
  local path=$TACIT_SHARED/models/seed7m-f16.gguf
  [ -r "$path" ] || return 1
  echo "$path"
}

# on_terminal COMMAND...: runs it with standard input, output and error on a terminal, which is copied to standard
# output. It is stopped after a minute: a command that waits for keys must not stop the tests.
on_terminal() {
  timeout 60 python3 -c 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' "$@"
}
