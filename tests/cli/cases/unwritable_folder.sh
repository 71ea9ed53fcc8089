# A folder that may not be written to.
[ "$(id -u)" -ne 0 ] || skip "root may write everywhere"
mkdir locked
sample 2 >locked/chat.txt
chmod a-w locked
expect 4 "$TACIT" compress locked/chat.txt
expect 4 "$TACIT" compress -o locked/out - <locked/chat.txt
[ "$(ls -A locked)" = chat.txt ] || fails "something is left behind"
