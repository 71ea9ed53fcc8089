# An archive that was cut anywhere, or that more bytes follow, is not one.
sample >chat.txt
"$TACIT" compress -o good.tct chat.txt
size=$(wc -c <good.tct)
for length in 1 8 $((size / 2)) $((size - 8)) $((size - 1)); do
  head -c $length good.tct >bad.tct
  expect 1 "$TACIT" decompress bad.tct 2>/dev/null
  expect 1 "$TACIT" test bad.tct 2>/dev/null
  expect 1 "$TACIT" info bad.tct 2>/dev/null
done
(cat good.tct; echo) >bad.tct
expect 1 "$TACIT" test bad.tct 2>/dev/null
only bad.tct chat.txt good.tct
