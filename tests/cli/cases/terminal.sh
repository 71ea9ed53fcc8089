# On a terminal: no archive without -f; a progress line that is wiped, then a summary; nothing with -q.
command -v python3 >/dev/null || skip "no python3"
sample 24 >chat.txt
expect 2 on_terminal "$TACIT" -c chat.txt >screen
grep -q '^tacit: no archive is written to a terminal' screen || fails "$(cat screen)"
expect 2 on_terminal "$TACIT" >screen
expect 2 on_terminal "$TACIT" -d >screen
grep -q '^tacit: no archive is read from a terminal' screen || fails "$(cat screen)"
on_terminal "$TACIT" -cf chat.txt >screen
! grep -aq 'tokens/s' screen || fails "a progress line among the bytes of an archive"
on_terminal "$TACIT" chat.txt >screen
grep -q 'chat.txt  \[.*tokens/s' screen || fails "no progress line: $(cat screen)"
grep -q verifying screen || fails "no word of verifying: $(cat screen)"
summary=$'^\e\\[Kchat.txt : [0-9.]+x \\([0-9]+ -> [0-9]+ bytes, chat.txt.tct\\)$'
tr '\r' '\n' <screen | tail -n 2 | head -n 1 | grep -Eq "$summary" ||
  fails "no summary on a clean line: $(cat -v screen)"
on_terminal "$TACIT" -qf chat.txt >screen
[ ! -s screen ] || fails "-q is not quiet: $(cat -v screen)"
on_terminal "$TACIT" -t chat.txt.tct >screen
grep -q 'chat.txt.tct : ok' screen || fails "$(cat -v screen)"
