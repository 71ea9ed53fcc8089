# Archives are not compressed again, and only FILE.tct has an obvious result.
sample 3 >chat.txt
"$TACIT" compress -o archive chat.txt
cp archive twice.tct
cp archive .tct
expect 2 "$TACIT" compress twice.tct
expect 2 "$TACIT" decompress archive .tct
only .tct archive chat.txt twice.tct
"$TACIT" compress -f twice.tct
"$TACIT" -dc twice.tct.tct | cmp - archive
"$TACIT" decompress -o out archive
cmp out chat.txt
