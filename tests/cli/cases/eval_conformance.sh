# A row has one logit per token of the vocabulary: against the size of logits from another engine.
kit=$TACIT_SHARED/conformance/models
[ -r "$kit/llama2.gguf" ] || skip "no conformance kit in TACIT_SHARED"
for name in llama2 llama_tied; do
  "$TACIT" eval -m "$kit/$name.gguf" --tokens "$kit/$name.tokens.json" --logits $name.f32
  [ "$(wc -c <$name.f32)" -eq "$(wc -c <"$kit/$name.logits.f32")" ] || fails "$name: $(wc -c <$name.f32) bytes"
done
