# One id per line, or a JSON list that eval reads; from a file or standard input.
printf 'Hello world' >text
"$TACIT" tokenize text >lines
grep -Eqv '^[0-9]+$' lines && fails "not only ids: $(cat lines)"
[ -s lines ] || fails "no ids"
"$TACIT" tokenize <text | cmp - lines
"$TACIT" tokenize --json - <text >list.json
[ "$(tr -d '[]' <list.json | tr ',' '\n')" = "$(cat lines)" ] || fails "other ids as JSON: $(cat list.json)"
"$TACIT" eval --tokens list.json --print-hash >/dev/null
"$TACIT" tokenize --special text >special
grep -qxF "$(cat lines)" special
if model=$(the_other_model); then # its flags ask for BOS
  "$TACIT" tokenize -m "$model" --special text | tail -n +2 | cmp - <("$TACIT" tokenize -m "$model" text)
fi
[ "$(: | "$TACIT" tokenize --json)" = '[]' ] || fails "ids of an empty text"
