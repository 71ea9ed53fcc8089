# A model whose file is cut short while it is in use is an error that says so, and leaves nothing. (Rows of the
# embedding are read from the file as they are needed.)
[ -d /proc/self ] || skip "no /proc"
cp "$support_folder/../../models/tacit-small-q8_0.gguf" model.gguf
mkfifo text
"$TACIT" compress -m model.gguf -o out.tct - <text 2>message &
exec 3>text
until grep -q model.gguf "/proc/$!/maps" 2>/dev/null; do sleep 0.05; done
: >model.gguf
(sample 200 >&3) || true # it may have ended before it read anything
exec 3>&-
code=0
wait $! || code=$?
[ $code -eq 4 ] || fails "exit code $code: $(cat message)"
grep -q 'cut short' message || fails "$(cat message)"
only model.gguf text message
