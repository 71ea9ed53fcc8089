# -o names the result, wherever it is; - is standard output.
sample >chat.txt
mkdir folder
"$TACIT" compress -o folder/archive chat.txt
"$TACIT" decompress -o restored folder/archive
cmp restored chat.txt
"$TACIT" compress --output=- chat.txt | "$TACIT" -d -o - | cmp - chat.txt
"$TACIT" compress -o /dev/stdout chat.txt | "$TACIT" -d | cmp - chat.txt
only chat.txt folder restored
