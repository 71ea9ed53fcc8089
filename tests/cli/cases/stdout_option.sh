# -c writes no file. Several texts may follow one another, as cat would write them.
sample 3 >a
sample 5 >b
"$TACIT" -c a >a.tct
"$TACIT" compress -c b >b.tct
only a a.tct b b.tct
"$TACIT" -dc a.tct b.tct | cmp - <(cat a b)
"$TACIT" -d -o - a.tct b.tct | cmp - <(cat a b)
