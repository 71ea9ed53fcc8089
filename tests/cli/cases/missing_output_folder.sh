# The message names the output, not only the input.
sample 2 >chat.txt
expect 4 "$TACIT" compress -o nowhere/out chat.txt 2>message
grep -q '^tacit: .*nowhere/out.*No such file or directory$' message || fails "$(cat message)"
expect 4 "$TACIT" compress -o nowhere/out - <chat.txt
expect 4 "$TACIT" decompress -o nowhere/out - <chat.txt
only chat.txt message
