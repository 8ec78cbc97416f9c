"""Guests that are machines: QEMU, by KVM where that works, else by software emulation.

Each machine is a process in the namespaces of the lab's holder (`lab/engines/lxc/holder.py`). It
is no child of the lab's server, so guests go on when that is killed; and when the holder ends, the
kernel ends all of them.
"""
