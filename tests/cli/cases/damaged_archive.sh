# Whichever byte is flipped: exit code 1 (3 where the byte names the model), a message that names the file, no output.
sample >chat.txt
"$TACIT" compress -o good.tct chat.txt
size=$(wc -c <good.tct)
for ((i = 0; i < 24; ++i)); do
  offset=$((i * (size - 1) / 23))
  cp good.tct bad.tct
  flip_byte bad.tct $offset
  for command in decompress test; do
    code=0
    "$TACIT" $command bad.tct 2>message || code=$?
    [ $code -eq 1 ] || [ $code -eq 3 -a $offset -lt 400 ] || fails "$command, offset $offset: exit code $code"
    grep -q '^tacit: bad.tct: ' message || fails "$command, offset $offset: $(cat message)"
  done
  only bad.tct chat.txt good.tct message
done
expect 1 "$TACIT" decompress -o out - <bad.tct 2>message
grep -q '^tacit: standard input: ' message || fails "$(cat message)"
only bad.tct chat.txt good.tct message
