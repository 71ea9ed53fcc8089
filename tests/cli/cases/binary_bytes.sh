# Bytes that are no text at all come back too.
head -c 3000 "$TACIT" >original
"$TACIT" -c original | "$TACIT" -dc | cmp - original
