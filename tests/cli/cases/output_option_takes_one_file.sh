# Several results cannot go to one file, nor several archives into one stream.
sample 2 >a
sample 2 >b
expect 2 "$TACIT" compress -o out a b
expect 2 "$TACIT" compress -c a b
only a b
