# What could not be written is reported, by every command that writes to standard output.
[ -c /dev/full ] || skip "no /dev/full here"
sample 2 >chat.txt
"$TACIT" chat.txt
expect 4 "$TACIT" compress -c chat.txt >/dev/full
expect 4 "$TACIT" decompress -c chat.txt.tct >/dev/full
expect 4 "$TACIT" info chat.txt.tct >/dev/full
expect 4 "$TACIT" tokenize chat.txt >/dev/full
expect 4 "$TACIT" generate -n 4 >/dev/full
echo '[1, 2]' >ids.json
expect 4 "$TACIT" eval --tokens ids.json --logits - >/dev/full
expect 4 "$TACIT" eval --tokens ids.json --print-hash >/dev/full
expect 4 "$TACIT" --help >/dev/full
ln -s /dev/full full # so that a tacit that would replace the device takes the link only
expect 4 "$TACIT" compress -o full chat.txt
expect 4 "$TACIT" eval --tokens ids.json --logits full
[ -L full ] || fails "the device was replaced"
