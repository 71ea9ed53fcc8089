# Other files are told from archives.
sample >text.tct
: >empty.tct
for file in text.tct empty.tct; do
  expect 1 "$TACIT" decompress $file 2>message
  grep -q "^tacit: $file: " message || fails "$(cat message)"
  expect 1 "$TACIT" test $file 2>/dev/null
  expect 1 "$TACIT" info $file 2>/dev/null
  expect 1 "$TACIT" info - <$file 2>/dev/null
done
only empty.tct message text.tct
# The file is named whatever it is called: these words stand in the message itself.
: >empty
expect 1 "$TACIT" -dc empty 2>message
grep -q '^tacit: empty: offset 0: magic: ' message || fails "$(cat message)"
