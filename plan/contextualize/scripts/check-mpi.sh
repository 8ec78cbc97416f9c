# The participants' login compiles in its home, which all nodes share, and runs one rank a node.
folder="/home/$LOGIN/.practicum-ring"
trap 'rm -rf "$folder"' EXIT
install -d -o "$LOGIN" -g "$(id -g "$LOGIN")" "$folder"
cat >"$folder/ring.c"
chown "$LOGIN" "$folder/ring.c"
runuser -u "$LOGIN" -- mpicc -o "$folder/ring" "$folder/ring.c"
told=$(cd "$folder" && runuser -u "$LOGIN" -- timeout 90 mpirun --map-by node -np "$RANKS" "$folder/ring")
[ "$told" = "ring of $RANKS" ] || {
    echo "the ring of $RANKS ranks said: $told" >&2
    exit 1
}
