# --rm only where the result is a file that was verified.
sample 2 >chat.txt
mkfifo pipe
refused compress --rm --no-verify chat.txt
refused --rm --no-verify chat.txt
refused compress --rm --keep chat.txt
refused compress --rm -c chat.txt
refused compress --rm -o - chat.txt
refused compress --rm -
refused -t --rm chat.txt
expect 2 "$TACIT" compress --rm -o pipe chat.txt
only chat.txt pipe
