"""A Proxmox VE cluster on loopback: API server, storage, network and guests, without hardware.

The room imports nothing of the rest of the program and nobody imports it: the seam is the wire.
What it does not implement it answers with 501 and the call's name; it never pretends.
"""

API_VERSION = "9.2.11"
API_RELEASE = "9.2"
API_REPOID = "14a22df35955d97d"
