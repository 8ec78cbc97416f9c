idle() { [ "$(sinfo -h -N -t idle -o %N | sort -u | wc -l)" -eq "$COUNT" ]; }
await 90 idle || {
    sinfo -N -l >&2
    exit 1
}
told=$(cd / && runuser -u "$LOGIN" -- timeout 90 srun -N "$COUNT" hostname | sort -u | wc -l)
[ "$told" -eq "$COUNT" ] || {
    echo "srun over $COUNT nodes was answered by $told" >&2
    exit 1
}
