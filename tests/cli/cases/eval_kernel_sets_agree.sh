# Every kernel set and thread count gives the same bits.
echo '[1, 17, 300, 42, 5, 99, 1000, 2, 64, 7, 8, 31]' >ids.json
expected=$("$TACIT" eval --tokens ids.json --print-hash)
for set in reference avx2 avx512 neon dotprod; do
  code=0
  hash=$("$TACIT" eval --tokens ids.json --print-hash --isa $set 2>message) || code=$?
  if [ $code -eq 2 ] && grep -q 'this machine can run' message; then continue; fi
  [ $code -eq 0 ] && [ "$hash" = "$expected" ] || fails "$set: $hash instead of $expected"
done
for threads in 1 2; do
  [ "$("$TACIT" eval --tokens ids.json --print-hash -T $threads)" = "$expected" ] ||
    fails "$threads threads: another hash"
done
[ "$(echo '[1, 17, 300, 42, 5, 99, 1000, 2, 64, 7, 8, 32]' | "$TACIT" eval --tokens - --print-hash)" != "$expected" ] ||
  fails "other tokens, same hash"
