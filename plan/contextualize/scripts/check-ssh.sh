hop='ssh -n -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=5'
for node in $REACHED; do
    for login in root "$LOGIN"; do
        # shellcheck disable=SC2086
        await 30 runuser -u "$login" -- $hop "$node" "$hop $HEAD true" || {
            echo "$login cannot go from $HEAD to $node and back by ssh" >&2
            exit 1
        }
    done
done
