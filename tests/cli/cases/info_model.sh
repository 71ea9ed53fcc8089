# What a model is and what it takes to run it.
command -v python3 >/dev/null || skip "no python3"
builtin=$support_folder/../../models/tacit-small-q8_0.gguf
cp "$builtin" model.gguf
"$TACIT" info -m model.gguf | grep -v '^  fingerprint'
"$TACIT" info -m model.gguf --json >info.json
python3 - "$(sha256sum model.gguf | cut -d' ' -f1)" <<'PYTHON'
import json, os, sys
info = json.load(open("info.json"))
assert info["fingerprint"] == sys.argv[1] and info["file_bytes"] == os.path.getsize("model.gguf")
types = info["tensor_types"]
assert sum(entry["parameter_count"] for entry in types) == info["parameter_count"]
assert types == sorted(types, key=lambda entry: -entry["bytes"])
assert sum(entry["bytes"] for entry in types) < info["file_bytes"]
print(*info), print(*types[0])
PYTHON
