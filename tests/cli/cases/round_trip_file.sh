# FILE to FILE.tct and back; without a word where no terminal reads.
sample >chat.txt
cp chat.txt original
"$TACIT" compress chat.txt
cmp chat.txt original
only chat.txt chat.txt.tct original
[ "$(wc -c <chat.txt.tct)" -lt "$(wc -c <original)" ] || fails "the archive is not smaller"
rm chat.txt
"$TACIT" decompress chat.txt.tct
cmp chat.txt original
only chat.txt chat.txt.tct original
