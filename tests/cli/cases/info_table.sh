# The table, with what depends on the model and the format's state replaced by N.
sample >chat.txt
"$TACIT" chat.txt
"$TACIT" info chat.txt.tct chat.txt.tct |
  sed -E 's/[0-9a-f]{64}/FINGERPRINT/; s/^(  model +).* \(built in\)/\1NAME (built in)/' |
  sed -E '/original/!s/[0-9]+(\.[0-9]+)?/N/g'
