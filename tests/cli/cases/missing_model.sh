# The message names the model file, and nothing is done.
sample 2 >chat.txt
"$TACIT" chat.txt
cp chat.txt not-a-model.gguf
echo '[1]' >ids.json
for model in nope.gguf not-a-model.gguf .; do
  for arguments in "compress -f chat.txt" "decompress -f chat.txt.tct" "test chat.txt.tct" "tokenize chat.txt" \
    "inspect --json chat.txt" "generate" "eval --tokens ids.json --print-hash"; do
    expect 3 "$TACIT" $arguments -m $model 2>message
    grep -qF "tacit: $model: " message || fails "$arguments: $(cat message)"
  done
done
# A file that is no model is named once, as it was given.
mkdir folder
echo text >folder/no-model.gguf
expect 3 "$TACIT" -m folder/no-model.gguf -c folder/no-model.gguf 2>message >/dev/null
grep -q '^tacit: folder/no-model.gguf: [^/]*$' message || fails "$(cat message)"
! grep -q 'no-model.gguf.*no-model.gguf' message || fails "$(cat message)"
