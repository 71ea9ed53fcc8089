# An existing file stays as it is, unless -f was given.
sample 2 >chat.txt
echo taken >chat.txt.tct
expect 4 "$TACIT" compress chat.txt
expect 4 "$TACIT" compress -o chat.txt.tct - <chat.txt
[ "$(cat chat.txt.tct)" = taken ] || fails "overwritten"
"$TACIT" compress -f chat.txt
cp chat.txt original
echo taken >chat.txt
expect 4 "$TACIT" decompress chat.txt.tct
expect 4 "$TACIT" decompress -o chat.txt - <chat.txt.tct
[ "$(cat chat.txt)" = taken ] || fails "overwritten"
"$TACIT" decompress -f chat.txt.tct
cmp chat.txt original
echo taken >chat.txt
"$TACIT" decompress -f -o chat.txt - <chat.txt.tct
cmp chat.txt original
only chat.txt chat.txt.tct original
