# What goes wrong has its exit code, and leaves nothing behind.
sample >chat.txt
"$TACIT" chat.txt
refused inspect chat.txt
refused inspect --json chat.txt chat.txt
refused inspect --html page.html -o out chat.txt
refused inspect --json --html - chat.txt
refused inspect --json -o same --html same chat.txt
refused inspect --limit many --json chat.txt
expect 4 "$TACIT" inspect --json missing
expect 4 "$TACIT" inspect --html page.html .
expect 4 "$TACIT" inspect --html . chat.txt
expect 4 "$TACIT" inspect --html no/folder/page.html chat.txt
expect 2 "$TACIT" inspect --html ./chat.txt -f chat.txt
expect 3 "$TACIT" inspect --html page.html -m nope.gguf chat.txt
cp chat.txt.tct bad.tct
flip_byte bad.tct $(($(wc -c <bad.tct) / 2))
expect 1 "$TACIT" inspect --html page.html --json -o out.json bad.tct
cp chat.txt not-one.tct
expect 1 "$TACIT" inspect --html page.html not-one.tct
expect 4 "$TACIT" inspect --json chat.txt >/dev/full
only bad.tct chat.txt chat.txt.tct not-one.tct
echo taken >page.html
expect 4 "$TACIT" inspect --html page.html chat.txt
[ "$(cat page.html)" = taken ] || fails "overwritten"
"$TACIT" inspect -f --html page.html chat.txt
grep -q '^<!doctype html>' page.html || fails "not overwritten"
cmp chat.txt.tct <("$TACIT" -c chat.txt)
