# An archive says which model it needs; with that model it is read.
model=$(the_other_model) || skip "no second model in TACIT_SHARED"
sample >chat.txt
"$TACIT" compress -m "$model" -o other.tct chat.txt
fingerprint=$(sha256sum "$model" | cut -d' ' -f1)
for command in decompress test; do
  expect 3 "$TACIT" $command other.tct 2>message
  grep -qF "${fingerprint:0:16}" message || fails "$command: $(cat message)"
done
only chat.txt message other.tct
"$TACIT" info other.tct | grep -qF "$fingerprint" || fails "info does not name the model"
"$TACIT" decompress -m "$model" -c other.tct | cmp - chat.txt
# Whoever has tacit has the built-in model, also next to another.
"$TACIT" compress -o builtin.tct chat.txt
"$TACIT" test -m "$model" builtin.tct
