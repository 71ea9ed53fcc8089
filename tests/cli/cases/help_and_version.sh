# The help is complete, goes to standard output, and ends well.
"$TACIT" --help
for command in compress decompress cat test info eval tokenize generate inspect models; do
  "$TACIT" $command --help | head -n 1
  "$TACIT" $command -h | cmp - <("$TACIT" $command --help)
done
"$TACIT" -h | cmp - <("$TACIT" --help)
"$TACIT" --version | grep -Eq '^tacit [0-9]+\.[0-9]+\.[0-9]+$'
"$TACIT" -V | cmp - <("$TACIT" --version)
"$TACIT" --help | awk 'length > 80 { exit 1 }'
