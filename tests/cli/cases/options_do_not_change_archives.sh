# Threads and kernel sets never change an archive; window and lanes may, and say so in it.
sample 8 >chat.txt
"$TACIT" compress -c chat.txt >expected
"$TACIT" compress -c -T 1 chat.txt | cmp - expected
"$TACIT" compress -c -T 2 --isa reference chat.txt | cmp - expected
"$TACIT" compress -c --no-verify chat.txt | cmp - expected
"$TACIT" compress -q -o file.tct chat.txt
cmp file.tct expected
"$TACIT" compress -c --window 64 --lanes 3 chat.txt >small
"$TACIT" info small | grep -q '^  window  *64 tokens$' || fails "info: $("$TACIT" info small)"
"$TACIT" -dc small | cmp - chat.txt
