for node in $NODES; do
    await 60 ping -c 1 -W 1 "$node" || {
        echo "$NAME does not reach $node" >&2
        exit 1
    }
done
