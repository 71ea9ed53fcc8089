# Good models and those that cannot be used are listed, one a line; nothing that lies in the folders stops the others.
command -v python3 >/dev/null || skip "no python3"
builtin=$support_folder/../../models/tacit-small-q8_0.gguf
export TACIT_MODEL_PATH=models:missing::models
mkdir -p models/deep more
cp "$builtin" models/a-good.gguf
head -c 5000 "$builtin" >models/b-damaged.gguf
python3 "$support_folder/gguf.py" "$builtin" models/deep/c-unsupported.gguf general.architecture=clips
python3 "$support_folder/gguf.py" "$builtin" models/deep/d-tokenizer.gguf tokenizer.ggml.model=pilum
echo text >models/e-text.gguf
echo text >models/notes.txt
ln -s .. models/deep/loop
ln -s self.gguf models/self.gguf
ln -s a-good.gguf models/f-again.gguf
mkfifo models/g-pipe.gguf
cp "$builtin" more/odd.bin
flip_byte more/odd.bin 4000000
timeout 60 "$TACIT" models >table || fails "exit code $?"
"$TACIT" models | cmp - table
[ "$(wc -l <table)" -eq 6 ] || fails "$(cat table)"
fingerprint=$(sha256sum "$builtin" | cut -d' ' -f1)
grep -Eq "^[^ ]+ +${fingerprint:0:12}  4\.4 MB +llama +\(built in\)\$" <<<"$(sed -n 1p table)" || fails "$(cat table)"
grep -Eq "  llama +$PWD/models/a-good.gguf\$" table || fails "$(cat table)"
grep -Eq "$PWD/models/b-damaged.gguf: cannot be used: offset " table || fails "$(cat table)"
grep -Eq "  clips +$PWD/models/deep/c-unsupported.gguf: cannot be used: .*clips" table || fails "$(cat table)"
grep -Eq "  llama +$PWD/models/deep/d-tokenizer.gguf: cannot be used: .*pilum" table || fails "$(cat table)"
# Paths come on top, whatever they are called; one that is not there is a failure and does not stop the others.
"$TACIT" models more/odd.bin | tail -n 1 | grep -q "$PWD/more/odd.bin\$" || fails "odd.bin"
expect 4 "$TACIT" models missing more >several 2>message
[ "$(wc -l <several)" -eq 6 ] || fails "$(cat several)"
[ "$(cat message)" = "tacit: missing: No such file or directory" ] || fails "$(cat message)"
expect 4 "$TACIT" models models/g-pipe.gguf >/dev/null 2>message
"$TACIT" models --json more/odd.bin >list.json
python3 - "$fingerprint" <<'PYTHON'
import json, sys
models = json.load(open("list.json"))
assert [model["is_builtin"] for model in models] == [True] + [False] * 6
assert models[0]["fingerprint"] == models[1]["fingerprint"] == sys.argv[1] and models[0]["file"] is None
assert [model["problem"] is None for model in models] == [True, True, False, False, False, False, True]
assert all(len(model["fingerprint"]) == 64 for model in models)
print(*models[0])
PYTHON
