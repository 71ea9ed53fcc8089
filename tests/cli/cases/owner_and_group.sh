# The result belongs to whom its source belongs, as far as the user may say so; a group that cannot be kept gets no
# right.
[ "$(id -u)" -eq 0 ] || skip "only root can make another user's file"
command -v setpriv >/dev/null || skip "no setpriv here"
sample 3 >chat.txt
chmod 640 chat.txt
chown 65534:4 chat.txt
state() { stat -c '%a %u:%g' "$1"; }
"$TACIT" compress chat.txt
[ "$(state chat.txt.tct)" = '640 65534:4' ] || fails "by root: $(state chat.txt.tct)"
"$TACIT" decompress --rm -f chat.txt.tct
[ "$(state chat.txt)" = '640 65534:4' ] || fails "back, by root: $(state chat.txt)"

mkdir folder
cp -p chat.txt folder
chown 65534:65534 folder
chmod a+x .. ../..
cd folder
as() { setpriv --reuid=65534 --regid=65534 "$@"; }
as --groups=4 "$TACIT" compress chat.txt
[ "$(state chat.txt.tct)" = '640 65534:4' ] || fails "by a member of the group: $(state chat.txt.tct)"
as --clear-groups "$TACIT" compress -f chat.txt
[ "$(state chat.txt.tct)" = '600 65534:65534' ] || fails "by none: $(state chat.txt.tct)"
