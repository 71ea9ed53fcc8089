# -m takes a file, or the name of a file, the model's own, or the beginning of its fingerprint.
command -v python3 >/dev/null || skip "no python3"
builtin=$support_folder/../../models/tacit-small-q8_0.gguf
export TACIT_MODEL_PATH=$PWD/models
mkdir -p models/sub
python3 "$support_folder/gguf.py" "$builtin" models/a.gguf general.name=tacit-alph1
cp models/a.gguf models/sub/a.gguf
python3 "$support_folder/gguf.py" "$builtin" models/b.gguf general.name=tacit-alph2
flip_byte models/b.gguf 4000000
fingerprint=$(sha256sum models/a.gguf | cut -d' ' -f1)
for name in models/a.gguf a a.gguf tacit-alph1 "$fingerprint" "${fingerprint:0:8}"; do
  "$TACIT" info -m "$name" | grep -q "  fingerprint  *$fingerprint\$" || fails "$name"
done
sample 2 >chat.txt
"$TACIT" -m tacit-alph2 chat.txt
"$TACIT" test chat.txt.tct
# The built-in model has a name too.
"$TACIT" models | head -n 1 >first
"$TACIT" info -m "$(cut -d' ' -f1 first)" | grep -q "$(sha256sum "$builtin" | cut -d' ' -f1)" || fails "built-in"
# Absent: too short, a path, nothing.
for name in "${fingerprint:0:7}" models/a nothing; do
  expect 3 "$TACIT" info -m "$name" 2>message
  grep -q "^tacit: $name: " message || fails "$(cat message)"
done
cp models/b.gguf models/sub/b.gguf
flip_byte models/sub/b.gguf 4000001
for name in b tacit-alph2; do
  expect 3 "$TACIT" tokenize -m $name chat.txt 2>message
  grep -q "several models are called so, $PWD/models/b.gguf (.*) and $PWD/models/sub/b.gguf (.*)" message ||
    fails "$(cat message)"
done
refused info -m a chat.txt.tct
refused models --yaml
