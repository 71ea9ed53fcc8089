# Files and folders that may not be read are listed with the reason.
[ "$(id -u)" -ne 0 ] || skip "root may read everything"
builtin=$support_folder/../../models/tacit-small-q8_0.gguf
export TACIT_MODEL_PATH=models
mkdir -p models/locked
cp "$builtin" models/a.gguf
cp "$builtin" models/b.gguf
cp "$builtin" models/locked/c.gguf
chmod a-r models/a.gguf
chmod a-rwx models/locked
"$TACIT" models >table
[ "$(wc -l <table)" -eq 4 ] || fails "$(cat table)"
grep -q '  -  .*/models/a.gguf: cannot be used: .*Permission denied$' table || fails "$(cat table)"
grep -q '/models/b.gguf$' table || fails "$(cat table)"
grep -q '/models/locked: cannot be used: Permission denied$' table || fails "$(cat table)"
