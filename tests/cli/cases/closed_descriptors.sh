# Closed descriptors: messages go nowhere, least of all into the archive; using standard input or output fails.
sample >chat.txt
expect 4 "$TACIT" compress -v chat.txt missing <&- 2>&-
"$TACIT" -dc chat.txt.tct | cmp - chat.txt
expect 4 "$TACIT" compress -c chat.txt >&-
expect 4 "$TACIT" compress -o out - <&-
only chat.txt chat.txt.tct
