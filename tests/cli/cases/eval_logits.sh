# Raw float32 [positions, vocabulary], the same by file and by pipe, from both forms of the list.
echo '[1, 5, 9, 2]' >list.json
echo '{"tokens": [1, 5, 9, 2]}' >object.json
echo '[1, 5, 9, 2, 7, 3, 11, 12]' >double.json
"$TACIT" eval --tokens list.json --logits list.f32
echo old >object.f32
"$TACIT" eval --tokens object.json --logits object.f32
"$TACIT" eval --tokens - --logits - <list.json | cmp - list.f32
cmp list.f32 object.f32
"$TACIT" eval --tokens double.json --logits double.f32
size=$(wc -c <list.f32)
[ "$size" -gt 0 ] && [ $((size % 16)) -eq 0 ] || fails "$size bytes for 4 positions"
[ "$(wc -c <double.f32)" -eq $((2 * size)) ] || fails "twice the positions are not twice the bytes"
cmp -n "$size" list.f32 double.f32
hash=$("$TACIT" eval --tokens list.json --print-hash)
[[ $hash =~ ^[0-9a-f]{16}$ ]] || fails "hash: $hash"
[ "$("$TACIT" eval --tokens list.json --logits again.f32 --print-hash)" = "$hash" ] ||
  fails "another hash with --logits"
cmp list.f32 again.f32
if command -v xxhsum >/dev/null; then
  # "XXH3 (list.f32) = 0123456789abcdef"
  [ "$(xxhsum -H3 --tag list.f32 2>/dev/null)" = "XXH3 (list.f32) = $hash" ] || fails "not XXH3-64 of the file's bytes"
fi
only again.f32 double.f32 double.json list.f32 list.json object.f32 object.json
