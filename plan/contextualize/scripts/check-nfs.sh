hop='ssh -n -o BatchMode=yes -o ConnectTimeout=5'
mark=".practicum-check-$$"
trap 'rm -f "/home/$LOGIN/$mark"' EXIT
runuser -u "$LOGIN" -- sh -c "echo written on $HEAD >~/$mark"
for node in $REACHED; do
    # shellcheck disable=SC2086
    await 30 runuser -u "$LOGIN" -- $hop "$node" "grep -qx 'written on $HEAD' ~/$mark" || {
        echo "$node does not read what $HEAD wrote to /home" >&2
        exit 1
    }
done
