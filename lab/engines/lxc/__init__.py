"""Guests that really run: LXC containers on the very image that a real site would boot.

Every container lives in namespaces that one process holds, the holder. It is not the lab's
server, so guests go on when that is killed; and when the holder ends, the kernel ends all of them.
"""
