# Pipes and devices are read and written as streams, and stay what they are. The device is reached by a link, so that a
# tacit that would replace it takes the link only.
sample >chat.txt
mkfifo in out
expect 4 "$TACIT" compress in
cat chat.txt >in &
"$TACIT" compress -c in | "$TACIT" -d | cmp - chat.txt
wait
cat out >archive &
"$TACIT" compress -o out chat.txt
wait
"$TACIT" -dc archive | cmp - chat.txt
ln -s /dev/null null
"$TACIT" compress -f -o null chat.txt
[ -L null ] || fails "a device was replaced"
[ -p in ] && [ -p out ] || fails "a pipe was replaced"
"$TACIT" -dc <("$TACIT" -c chat.txt) | cmp - chat.txt
"$TACIT" test <(cat archive)
"$TACIT" info <(cat archive) >/dev/null
only archive chat.txt in null out
