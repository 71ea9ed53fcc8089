# An archive of which no segment needs a model says so.
noise 5000 >noise
"$TACIT" noise
"$TACIT" info noise.tct | grep -E '^  (model|fingerprint|bits per token) '
"$TACIT" info --json noise.tct | grep -E '"(model_name|model_fingerprint|bits_per_token)"'
