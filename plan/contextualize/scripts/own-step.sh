# A script of the organiser's own, which comes on standard input; it reads nothing itself.
folder=/var/lib/practicum/steps
umask 077
mkdir -p "$folder"
rm -f "$folder/$STEP"
cat >"$folder/$STEP"
chmod 0700 "$folder/$STEP"
umask 022
export PRACTICUM_EVENT PRACTICUM_CLUSTER PRACTICUM_GUEST PRACTICUM_NODE PRACTICUM_NODE_GROUP
export PRACTICUM_LEVEL PRACTICUM_LOGIN PRACTICUM_FACTS PRACTICUM_ADDRESS PRACTICUM_SUBNET
export PRACTICUM_HEAD PRACTICUM_HEAD_ADDRESS PRACTICUM_NODES PRACTICUM_CLUSTERS
exec "$folder/$STEP" </dev/null
