# Sources stay, unless --rm was given.
sample >chat.txt
cp chat.txt original
"$TACIT" compress -k chat.txt
only chat.txt chat.txt.tct original
rm chat.txt.tct
"$TACIT" compress --rm chat.txt
only chat.txt.tct original
"$TACIT" decompress --rm chat.txt.tct
only chat.txt original
cmp chat.txt original
