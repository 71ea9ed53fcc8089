# The same seed gives the same text on any kernel set; another seed another one.
generate() { "$TACIT" generate -n 24 --prompt "The answer" "$@"; }
generate --seed 7 >seven
[ -s seven ] || fails "no text"
generate --seed 7 | cmp - seven
generate --seed 7 --isa reference -T 1 | cmp - seven
[ "$(generate --seed 8)" != "$(cat seven)" ] || fails "the seed does not matter"
generate --temperature 0 --seed 1 >greedy
generate --temperature 0 --seed 2 | cmp - greedy
generate --top-k 1 --seed 3 | cmp - greedy
generate --temperature 0.7 --top-p 0.9 --min-p 0.05 --top-k 40 --seed 4 >/dev/null
expect 2 generate --temperature=-1 2>/dev/null
[ -z "$("$TACIT" generate -n 0)" ] || fails "text without tokens"
"$TACIT" generate -n 4 --prompt= >/dev/null
# Where a text ends, a blank line and another text follow; --stop-at-eos stops there, and never draws BOS.
"$TACIT" generate --seed 3 -n 1500 >several
"$TACIT" generate --seed 3 -n 1500 --stop-at-eos >one
[ "$(wc -c <several)" -gt 1500 ] || fails "too little text"
! cmp -s one several || fails "one text only"
grep -q '^$' several || fails "no blank line"
