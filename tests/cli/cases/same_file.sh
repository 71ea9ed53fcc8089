# A file is not written onto itself, not even by force.
sample 3 >chat.txt
ln chat.txt link
cp chat.txt original
expect 2 "$TACIT" compress -f -o chat.txt chat.txt
expect 2 "$TACIT" compress -f -o link chat.txt
expect 2 "$TACIT" compress -c chat.txt >>chat.txt
cmp chat.txt original
only chat.txt link original
