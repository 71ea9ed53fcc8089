# A source whose result did not come about stays, in both directions.
sample >chat.txt
cp chat.txt original
expect 4 "$TACIT" compress --rm -o no-such-folder/out chat.txt
echo taken >chat.txt.tct
expect 4 "$TACIT" compress --rm chat.txt
expect 3 "$TACIT" compress --rm -f -m nope.gguf chat.txt
cmp chat.txt original
[ "$(cat chat.txt.tct)" = taken ] || fails "the other file was touched"
"$TACIT" compress -o archive.tct chat.txt
flip_byte archive.tct $(($(wc -c <archive.tct) / 2))
cp archive.tct damaged
expect 1 "$TACIT" decompress --rm archive.tct
cmp archive.tct damaged
only archive.tct chat.txt chat.txt.tct damaged original
