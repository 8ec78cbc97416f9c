need openmpi-bin openmpi-common
if [ -n "$COMPILER" ]; then
    need gcc libc6-dev libopenmpi-dev
fi
