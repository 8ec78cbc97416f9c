"""Identity of a guest on the network: its SSH host key, and those of the hosts that it may meet.

A rebuilt guest has the key that it had, so that nobody is asked about a changed one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from plan.naming import host_key_label
from plan.records import EventPlan, Guest
from plan.secrets import SshKey, ssh_key

HOST_KEY_PATH = "/etc/ssh/ssh_host_ed25519_key"
KNOWN_HOSTS_PATH = "/etc/ssh/ssh_known_hosts"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretDocument:
    """A text for a guest that derives from the event's secret; never part of a representation."""

    path: str
    mode: str
    text: str = field(repr=False)


def host_key(secret: str, stack: str, guest: str) -> SshKey:
    """The SSH host key of a guest of an event."""
    return ssh_key(secret, host_key_label(stack, guest), guest)


def identity_documents(plan: EventPlan, guest: Guest, secret: str) -> tuple[SecretDocument, ...]:
    """A guest's host key, and the keys of all nodes of its cluster.

    The instructors' node knows the nodes of all clusters, by guest name.
    """
    own = host_key(secret, plan.stack, guest.name)
    return (
        SecretDocument(path=HOST_KEY_PATH, mode="0600", text=own.private),
        SecretDocument(path=f"{HOST_KEY_PATH}.pub", mode="0644", text=own.public + "\n"),
        SecretDocument(
            path=KNOWN_HOSTS_PATH,
            mode="0644",
            text=known_hosts(plan.stack, _met(plan, guest), secret),
        ),
    )


def known_hosts(stack: str, guests: Iterable[tuple[Guest, bool]], secret: str) -> str:
    """Lines of a known_hosts file; with the node's short name where the flag says so."""
    lines = []
    for guest, inside in guests:
        names = [guest.node, guest.name] if inside else [guest.name]
        names += [str(nic.address.ip) for nic in guest.interfaces if nic.address]
        key_type, key, _ = host_key(secret, stack, guest.name).public.split(" ")
        lines.append(f"{','.join(names)} {key_type} {key}\n")
    return "".join(lines)


def _met(plan: EventPlan, guest: Guest) -> Iterable[tuple[Guest, bool]]:
    """Guests that a guest may meet, and whether it is in one cluster with them."""
    for cluster in plan.clusters:
        if guest.cluster in (cluster.name, None):
            for other in cluster.guests:
                yield other, guest.cluster is not None
