# Text that was appended while the file was compressed is not in the archive, so the file stays.
noise 100000 >log.txt
"$TACIT" compress --rm log.txt &
wait_for 'log.txt.tct*'
echo more >>log.txt
expect 4 wait $!
only log.txt log.txt.tct
