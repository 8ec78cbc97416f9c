"""Provide the Pulumi engine and its two plugins on any machine.

Promise: after `python -m toolchain ensure --home DIR` a `pulumi` with a working Python
language host and the plugins `proxmoxve` and `command` are there, taken from PATH, from
Pulumi's own downloads, or compiled from pinned Go modules where only package registries
are reachable. Standard library only; nothing of this repository is imported.
"""
