# Nothing comes back as nothing.
: >empty
"$TACIT" compress empty
"$TACIT" test empty.tct
"$TACIT" info empty.tct >/dev/null
"$TACIT" info --json empty.tct | grep -q '"bits_per_byte": null' || fails "bits per byte of nothing"
rm empty
"$TACIT" decompress empty.tct
[ -f empty ] && [ ! -s empty ] || fails "not an empty file"
: | "$TACIT" | "$TACIT" -d | cmp - empty
