# Exit code 2, a message, and nothing done.
sample 2 >chat.txt
refused --no-such-option chat.txt
refused compress --no-such-option chat.txt
refused compress -Z chat.txt
refused compress -T abc chat.txt
refused compress -T -1 chat.txt
refused compress -T 1x chat.txt
refused compress --lanes 257 chat.txt
refused compress --isa mmx chat.txt
refused compress -c -o out chat.txt
refused compress -o
refused -d -t chat.txt
refused -d --no-verify chat.txt
refused -d --window 8 chat.txt
refused -t --lanes 8 chat.txt
refused -t -c chat.txt
refused -q -v chat.txt
refused compress --segment 100 chat.txt
refused cat --record chat.txt
refused cat --record x chat.txt
refused cat --record 5-3 chat.txt
refused cat --record -1 chat.txt
refused cat --record 1 chat.txt chat.txt
refused cat -o out --record 1 chat.txt
refused test -o out chat.txt
refused info --yaml chat.txt
refused tokenize chat.txt chat.txt
refused generate chat.txt
refused generate -n many
refused eval --print-hash
refused eval --tokens chat.txt
refused eval --tokens chat.txt --print-hash --logits -
only chat.txt
"$TACIT" compress --isa mmx chat.txt
