# Without a command: compress, -d, -t, flags run together, long names, -- before odd names.
sample 3 >chat.txt
"$TACIT" chat.txt
"$TACIT" -t chat.txt.tct
"$TACIT" --test chat.txt.tct
"$TACIT" -dc chat.txt.tct | cmp - chat.txt
"$TACIT" -dfT1 chat.txt.tct
"$TACIT" --decompress --stdout --threads=2 <chat.txt.tct | cmp - chat.txt
cp chat.txt ./-dash
"$TACIT" -- -dash
"$TACIT" -dc -- -dash.tct | cmp - chat.txt
