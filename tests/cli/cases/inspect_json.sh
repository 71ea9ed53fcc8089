# One object: its keys are a promise, its numbers agree with each other and with info, and its tokens are the text.
command -v python3 >/dev/null || skip "no python3"
sample >chat.txt
printf 'odd \xff\xfe bytes, a\ttab, "quotes" \\ and \xf0\x9f\x99\x82\n' >>chat.txt
"$TACIT" chat.txt
"$TACIT" inspect --json chat.txt >text.json
"$TACIT" inspect --json chat.txt.tct >archive.json
"$TACIT" inspect --json <chat.txt >stdin.json
"$TACIT" inspect --json -o out.json chat.txt
cmp out.json text.json
"$TACIT" inspect --json --limit 5 chat.txt >five.json
"$TACIT" inspect --json --limit 0 chat.txt | cmp - text.json
"$TACIT" inspect --json --lanes 1 --window 64 --top-k 40 chat.txt >stated.json
: >empty
"$TACIT" inspect --json empty >empty.json
noise 600 | tr 'A-Za-z' '\200-\263' | head -c 300 >noise
"$TACIT" inspect --json noise >noise.json
"$TACIT" info --json chat.txt.tct >info.json
python3 - <<'END'
import json, math
def load(name):
    def refuse(constant): raise ValueError(constant)
    return json.load(open(name + ".json"), parse_constant=refuse)
text, archive, stdin, five, stated, info = map(load, ("text", "archive", "stdin", "five", "stated", "info"))
empty, noise = load("empty"), load("noise")
original = open("chat.txt", "rb").read()
assert archive == {**text, "file": "chat.txt.tct"} and stdin == {**text, "file": "-"}
assert {**five, "tokens": text["tokens"]} == text and five["tokens"] == text["tokens"][:5]
assert stated["window"] == 64 and stated["totals"]["archive_bytes"] != text["totals"]["archive_bytes"]

totals = text["totals"]
for key in "original_bytes", "archive_bytes", "ratio", "bits_per_byte":
    assert totals[key] == info[key], key
assert totals["tokens"]["count"] == info["token_count"] == len(text["tokens"])
assert abs(totals["tokens"]["bits"] - 8 * info["model_coded_bytes"]) < 64

def content(span):
    return bytes.fromhex(span["hex"]) if span["text"] is None else span["text"].encode()
tokens = text["tokens"]
assert b"".join(map(content, tokens)) == original
assert any(token["text"] is None for token in tokens)
for token in tokens:
    assert token["byte_count"] == len(content(token))
    assert abs(2 ** -token["bits"] - token["probability"]) < 1e-4
    assert abs(sum(token["experts"].values()) - 1) < 0.01
    assert len(token["alternatives"]) == 5
assert math.isclose(sum(token["bits"] for token in tokens), totals["tokens"]["bits"], rel_tol=1e-3)
for sums in totals["codings"], totals["experts"]:
    assert math.isclose(sum(entry["bits"] for entry in sums.values()), totals["tokens"]["bits"], rel_tol=1e-3)
assert sum(entry["count"] for entry in totals["codings"].values()) == len(tokens)
assert sum(entry["paid_most"] for entry in totals["experts"].values()) == len(tokens)
assert sum(span["token_count"] for span in text["timeline"]) == len(tokens)
costs = [token["bits"] for token in text["expensive"]]
assert costs == sorted((token["bits"] for token in tokens), reverse=True)[:20]

assert empty["tokens"] == [] and empty["totals"]["bits_per_byte"] is None and empty["timeline"] == []
assert [(span["coding"], span["byte_count"]) for span in noise["tokens"]] == [("raw", 300)], noise["tokens"]
assert noise["model_name"] is None and noise["totals"]["stored"] == {"count": 1, "bytes": 300, "bits": 2400.0}
print(*text), print(*totals), print(*text["timeline"][0]), print(*tokens[-1])
print(*next(a for token in tokens for a in token["alternatives"] if a["text"] is not None))
print(*noise["tokens"][0])
END
