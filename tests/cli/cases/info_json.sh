# One object for one file, a list for several; keys are a promise.
command -v python3 >/dev/null || skip "no python3"
sample >chat.txt
"$TACIT" chat.txt
"$TACIT" info --json chat.txt.tct >one.json
"$TACIT" info --json - <chat.txt.tct >stdin.json
expect 4 "$TACIT" info --json chat.txt.tct missing chat.txt.tct >several.json 2>/dev/null
expect 4 "$TACIT" info --json missing >none.json 2>/dev/null
[ ! -s none.json ] || fails "JSON about a missing file"
for file in one stdin several; do python3 -m json.tool $file.json >/dev/null; done
python3 - "$(wc -c <chat.txt)" "$(wc -c <chat.txt.tct)" <<'END'
import json, sys
one, stdin, several = (json.load(open(name + ".json")) for name in ("one", "stdin", "several"))
original_bytes, archive_bytes = int(sys.argv[1]), int(sys.argv[2])
assert several == [one, one]
assert stdin == {**one, "file": "-"}
assert one["file"] == "chat.txt.tct"
assert one["original_bytes"] == original_bytes and one["archive_bytes"] == archive_bytes
assert abs(one["ratio"] - original_bytes / archive_bytes) < 1e-9
assert abs(one["bits_per_byte"] - 8 * archive_bytes / original_bytes) < 1e-9
assert one["model_is_builtin"] is True and len(one["model_fingerprint"]) == 64
assert one["segment_count"] == one["model_segment_count"] + one["fallback_segment_count"]
print(*one)
END
