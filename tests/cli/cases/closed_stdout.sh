# When the reader has gone, tacit stops without a word.
sample 2 >chat.txt
"$TACIT" chat.txt
for arguments in "-c chat.txt" "-dc chat.txt.tct" "info chat.txt.tct" "generate -n 4" "--help"; do
  # The reader is gone long before tacit writes.
  (sleep 0.3; code=0; "$TACIT" $arguments || code=$?; echo $code >code) | true
  [ "$(cat code)" -eq 4 ] || fails "tacit $arguments: exit code $(cat code)"
done
