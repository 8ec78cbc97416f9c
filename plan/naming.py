"""Names: what every thing is called, from the stack's name, a cluster's number and a node.

A name never depends on how many others there are, nor on their order, so that adding, retiring
or reordering renames nothing. Names that a stack file itself refers to (c07, n1) are made in
`event.names`; those below are only read.
"""

from __future__ import annotations

import hashlib
import re

MARK = "practicum"
EVENT_TOKEN = "up"  # noqa: S105 - the token's name: what it is for
INSTRUCTOR = "instructor"

# Proxmox VE: ids of security groups are limited to 18 characters (pve-firewall, `pve-fw-rule`
# group names); names of guests are DNS names, so one label of at most 63 characters (RFC 1035).
SECURITY_GROUP_LENGTH = 18
LABEL_LENGTH = 63

_DIGEST_LENGTH = 5
_NOT_IN_SECURITY_GROUP = re.compile(r"[^A-Za-z0-9_-]")
_NOT_IN_TAG = re.compile(r"[^a-z0-9_.+-]")


def guest_name(cluster: str, node: str) -> str:
    """Name of the guest that plays a node, unique in the event: c07-n1."""
    return f"{cluster}-{node}"


def security_group_name(stack: str, scope: str) -> str:
    """Id of a security group: `<stack>-<scope>`, shortened with a digest where it is too long."""
    whole = f"{stack}-{scope}"
    name = _NOT_IN_SECURITY_GROUP.sub("-", whole)
    if not name[0].isalpha():
        name = "g" + name
    if name == whole and len(name) <= SECURITY_GROUP_LENGTH:
        return name
    # A digest of the whole keeps two long names apart that begin alike.
    digest = hashlib.sha256(whole.encode()).hexdigest()[:_DIGEST_LENGTH]
    kept = name[: SECURITY_GROUP_LENGTH - _DIGEST_LENGTH - 1].rstrip("-_")
    return f"{kept}-{digest}"


def tags(*names: str) -> tuple[str, ...]:
    """Tags as Proxmox VE reads them back: lower-case, each once, sorted; the mark among them."""
    wanted = {MARK} | {_NOT_IN_TAG.sub("-", name.lower()) for name in names}
    return tuple(sorted(wanted))


def mark(stack: str, name: str, title: str = "") -> str:
    """One-line description that carries our mark, since the clone call has no tags."""
    line = f"{MARK}:{stack}:{name}"
    text = title if title.isprintable() else "".join(c if c.isprintable() else " " for c in title)
    text = " ".join(text.split())
    return f"{line} {text}" if text else line


def pool(stack: str) -> str:
    """Id of the event's resource pool."""
    return f"{MARK}-{stack}"


def templates_pool(site: str) -> str:
    """Id of the pool that the templates of a site are in, for the rights of its events."""
    return f"{MARK}-{site}-templates"


def site_role(site: str, scope: str) -> str:
    """Id of a role that a site makes for its events."""
    return f"{MARK}-{site}-{scope}"


def event_user(stack: str) -> str:
    """Id of the user that has the API token of an event."""
    return f"{MARK}-{stack}@pve"


def token_id(stack: str) -> str:
    """Id of the API token of an event."""
    return f"{event_user(stack)}!{EVENT_TOKEN}"


def instructors_group(stack: str) -> str:
    """Id of the event's group of instructors."""
    return f"{MARK}-{stack}-instructors"


def instructors_role(stack: str) -> str:
    """Id of the role that instructors have on the event's pool."""
    return f"{MARK}-{stack}-instructor"


def password_label(stack: str, scope: str) -> str:
    """Label of the password of a cluster, of `instructor`, or of a site's user."""
    return f"password/{stack}/{scope}"


def root_label(stack: str, cluster: str) -> str:
    """Label of root's password on all nodes of a cluster."""
    return f"root-password/{stack}/{cluster}"


def cluster_key_label(stack: str, cluster: str) -> str:
    """Label of the SSH key that the nodes of a cluster share."""
    return f"cluster-key/{stack}/{cluster}"


def munge_label(stack: str, cluster: str) -> str:
    """Label of the munge key of a cluster."""
    return f"munge-key/{stack}/{cluster}"


def host_key_label(stack: str, guest: str) -> str:
    """Label of the SSH host key of a guest."""
    return f"host-key/{stack}/{guest}"
