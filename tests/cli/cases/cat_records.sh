# Records come back one by one, in ranges, through files and pipes; the whole text without --record.
sample 20 >log.txt
printf 'no newline at the end' >>log.txt
"$TACIT" compress --records --segment 300 log.txt
"$TACIT" info log.txt.tct | grep -qx '  records           21'
"$TACIT" cat log.txt.tct | cmp - log.txt
for range in 0 7 20; do
  "$TACIT" cat log.txt.tct --record $range | cmp - <(tail -n +$((range + 1)) log.txt | head -n 1)
done
"$TACIT" cat --record 3-11 log.txt.tct | cmp - <(sed -n 4,12p log.txt)
"$TACIT" cat --record=18- <log.txt.tct | cmp - <(tail -n +19 log.txt)
"$TACIT" cat log.txt.tct log.txt.tct | cmp - <(cat log.txt log.txt)

# Another record than there are, an archive without records, no archive, a damaged block: nothing on standard output.
expect 2 "$TACIT" cat --record 21 log.txt.tct >none
expect 2 "$TACIT" cat --record 5-21 log.txt.tct >>none
"$TACIT" compress -f log.txt -o whole.tct
expect 2 "$TACIT" cat --record 0 whole.tct >>none
expect 1 "$TACIT" cat --record 0 log.txt >>none
expect 4 "$TACIT" cat --record 0 missing.tct >>none
expect 4 "$TACIT" cat --record 0 log.txt.tct >/dev/full
flip_byte log.txt.tct 300
expect 1 "$TACIT" cat --record 0 log.txt.tct >>none
[ ! -s none ]

