# Every command that reads a file names the one that is not there.
expect 4 "$TACIT" compress nowhere
for command in decompress test info tokenize; do
  expect 4 "$TACIT" $command nowhere.tct 2>message
  grep -q '^tacit: nowhere.tct: .*No such file or directory$' message || fails "$command: $(cat message)"
done
expect 4 "$TACIT" eval --print-hash --tokens nowhere.json
only message
