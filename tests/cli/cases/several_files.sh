# A bad file does not keep the others from being done, and the worst failure is the exit code: damage (1) before
# input and output (4), and those before usage (2).
sample 3 >a
sample 4 >c
expect 4 "$TACIT" compress a missing c
cp a.tct already.tct
expect 4 "$TACIT" compress -f missing already.tct
rm already.tct.tct
cp a.tct bad.tct
flip_byte bad.tct $(($(wc -c <bad.tct) / 2))
expect 4 "$TACIT" test a.tct missing.tct c.tct
expect 1 "$TACIT" test a.tct missing.tct bad.tct c.tct
expect 1 "$TACIT" test bad.tct missing.tct
mv a a.original
mv c c.original
expect 4 "$TACIT" decompress a.tct no-suffix missing.tct c.tct
cmp a a.original
cmp c c.original
only a a.original a.tct already.tct bad.tct c c.original c.tct
