# A process that is told to stop removes its unfinished output and ends by the signal.
words 2000000 >big.txt
set -m # otherwise the shell starts background processes deaf to SIGINT
interrupt() {
  local signal=$1 code=0
  shift
  "$TACIT" compress "$@" <big.txt 2>message &
  wait_for '*.tct*'
  kill -s "$signal" $!
  wait $! || code=$?
  [ $code -eq $((128 + $(kill -l "$signal"))) ] || fails "$*, SIG$signal: exit code $code"
  [ ! -s message ] || fails "$(cat message)"
  only big.txt message
}
for signal in INT TERM HUP; do
  interrupt $signal big.txt
  interrupt $signal -o out.tct -
done
interrupt INT --rm big.txt
