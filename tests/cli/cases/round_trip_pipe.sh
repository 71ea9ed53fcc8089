# Standard input to standard output, both ways, with and without "-".
sample >original
"$TACIT" compress <original >archive
"$TACIT" decompress <archive | cmp - original
cat original | "$TACIT" -c - | "$TACIT" -d - | cmp - original
"$TACIT" test <archive
