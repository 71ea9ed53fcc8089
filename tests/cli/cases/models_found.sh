# An archive's model is found in the search path; -m wins; without it the message says where to put it.
command -v python3 >/dev/null || skip "no python3"
builtin=$support_folder/../../models/tacit-small-q8_0.gguf
mkdir models
cp "$builtin" other.gguf
flip_byte other.gguf 4000000
sample >chat.txt
"$TACIT" compress -m other.gguf -o chat.tct chat.txt
for command in decompress test "inspect --json"; do
  expect 3 "$TACIT" $command chat.tct >/dev/null 2>message
  grep -qF 'TACIT_MODEL_PATH' message || fails "$command: $(cat message)"
done
export TACIT_MODEL_PATH=$PWD/models
expect 3 "$TACIT" test chat.tct 2>message
grep -qF "looked for it in $PWD/models, $XDG_CACHE_HOME/tacit/models (0 GGUF files)" message || fails "$(cat message)"
# The wrong one of the same name, and one that cannot be used, are passed over.
cp other.gguf models/a.gguf
flip_byte models/a.gguf 4000001
echo text >models/b.gguf
mv other.gguf models/c.gguf
"$TACIT" test chat.tct
"$TACIT" decompress -c chat.tct | cmp - chat.txt
"$TACIT" decompress -c - <chat.tct | cmp - chat.txt
"$TACIT" decompress -c chat.tct chat.tct | cmp - <(cat chat.txt chat.txt)
"$TACIT" inspect --json chat.tct >inspected
# A cache that says so of the wrong file is found out.
fingerprint=$(sha256sum models/c.gguf | cut -d' ' -f1)
cache=$XDG_CACHE_HOME/tacit/fingerprints
"$TACIT" models >/dev/null
sed -i "s/^[0-9a-f]* \(.*a.gguf\)\$/$fingerprint \1/" $cache
[ "$(grep -c "^$fingerprint" $cache)" -eq 2 ] || fails "$(cat $cache)"
"$TACIT" decompress -c chat.tct | cmp - chat.txt
expect 3 "$TACIT" test -m models/a.gguf chat.tct 2>message
grep -qF "the one given is" message || fails "$(cat message)"
! grep -q "looked" message || fails "$(cat message)"
# In the cache folder it needs no variable.
unset TACIT_MODEL_PATH
mkdir $XDG_CACHE_HOME/tacit/models
mv models/c.gguf $XDG_CACHE_HOME/tacit/models
"$TACIT" test chat.tct
