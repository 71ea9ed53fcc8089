# -v prints a summary of each file, with true numbers; -q keeps errors.
sample >chat.txt
"$TACIT" compress -v chat.txt 2>message
original=$(wc -c <chat.txt)
archive=$(wc -c <chat.txt.tct)
ratio=$(awk -v a="$original" -v b="$archive" 'BEGIN { printf "%.2f", a / b }')
diff - message <<<"chat.txt : ${ratio}x ($original -> $archive bytes, chat.txt.tct)"
"$TACIT" decompress -v -o out chat.txt.tct 2>message
diff - message <<<"chat.txt.tct : ${ratio}x ($archive -> $original bytes, out)"
"$TACIT" -v <chat.txt 2>message >archive
diff - message <<<"standard input : ${ratio}x ($original -> $archive bytes, standard output)"
"$TACIT" test -v chat.txt.tct 2>message
diff - message <<<"chat.txt.tct : ok, $original bytes"
expect 4 "$TACIT" -q missing
