# A folder is no input, and no output.
mkdir folder folder.tct
sample 2 >chat.txt
expect 4 "$TACIT" compress folder
expect 4 "$TACIT" decompress folder.tct
expect 4 "$TACIT" test folder
expect 4 "$TACIT" compress -f -o folder chat.txt
expect 4 "$TACIT" compress -f -o folder - <chat.txt
expect 4 "$TACIT" tokenize folder
expect 4 "$TACIT" compress <folder
expect 4 "$TACIT" info folder 2>/dev/null
only chat.txt folder folder.tct
