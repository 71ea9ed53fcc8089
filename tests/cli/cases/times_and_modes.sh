# The result has the source's permissions and time, both ways.
sample 3 >chat.txt
chmod 640 chat.txt
touch -d '2001-02-03 04:05:06.789 UTC' chat.txt
expected=$(stat -c '%a %.3Y' chat.txt)
"$TACIT" compress chat.txt
[ "$(stat -c '%a %.3Y' chat.txt.tct)" = "$expected" ] || fails "archive: $(stat -c '%a %.3Y' chat.txt.tct)"
"$TACIT" decompress --rm -f chat.txt.tct
[ "$(stat -c '%a %.3Y' chat.txt)" = "$expected" ] || fails "text: $(stat -c '%a %.3Y' chat.txt)"
umask 027
"$TACIT" -o piped.tct - <chat.txt
[ "$(stat -c '%a' piped.tct)" = 640 ] || fails "mode of a piped result: $(stat -c '%a' piped.tct)"
