# Under nohup a hang-up must not stop the work.
noise 20000 >text
(trap '' HUP; exec "$TACIT" compress text) &
wait_for 'text.tct*'
kill -s HUP $! 2>/dev/null || true
wait $!
"$TACIT" -dc text.tct | cmp - text
