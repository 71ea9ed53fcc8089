# Files are hashed once; a cache that is broken or cannot be written changes nothing but the time.
builtin=$support_folder/../../models/tacit-small-q8_0.gguf
export TACIT_MODEL_PATH=$PWD/models XDG_CACHE_HOME=$PWD/cache
mkdir models
cp "$builtin" models/a.gguf
"$TACIT" models >table
cache=cache/tacit/fingerprints
grep -q " $PWD/models/a.gguf\$" $cache || fails "no cache"
[ "$(ls -A cache/tacit)" = fingerprints ] || fails "something is left behind"
sed -i 's/^[0-9a-f]\{12\}/000000000000/' $cache
"$TACIT" models | grep -q "  000000000000  .*a.gguf" || fails "the file was hashed again"
touch -d @1 models/a.gguf
"$TACIT" models | cmp - table
for text in '' nonsense 'tacit fingerprints 1' $'tacit fingerprints 1\nx 1 2 3 4\n\n'; do
  printf '%s' "$text" >$cache
  "$TACIT" models | cmp - table
done
head -c 100000 /dev/zero >$cache
"$TACIT" models | cmp - table
rm -r cache
for place in /dev/null/cache relative "$PWD/models/a.gguf"; do
  HOME=/dev/null XDG_CACHE_HOME=$place "$TACIT" models | cmp - table
done
# Without a cache folder too.
env -u XDG_CACHE_HOME -u HOME "$TACIT" models | cmp - table
only models table
