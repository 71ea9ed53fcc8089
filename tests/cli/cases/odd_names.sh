# Names are taken as they are; what messages show of them cannot steer a terminal.
for name in '[a,b]' '%%' 'two words' $'new\nline' "quote'" 'ünï' '*'; do
  sample 2 >"$name"
  "$TACIT" compress "$name"
  "$TACIT" -dc "$name.tct" | cmp - "$name"
done
[ "$(ls -A | wc -l)" -eq 16 ] || fails "$(ls -A)" # 14 names, two of them on two lines
expect 4 "$TACIT" compress $'\e[31mred'
