# What is no list of token ids is wrong usage, and leaves no output.
for text in '' 'x' '{}' '{"tokens": 3}' '[1.5]' '["1"]' '[-1]' '[4294967296]' '[1, 2' '[2147483647]'; do
  printf '%s' "$text" >ids.json
  expect 2 "$TACIT" eval --tokens ids.json --logits out.f32 2>message
  grep -q '^tacit: ' message || fails "no message for $text"
done
only ids.json message
