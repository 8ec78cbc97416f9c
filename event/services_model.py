"""What an organiser may write about services that every private network sees, and about the hosts
that carry them. Nothing is derived in this module."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from event.base_model import Model
from event.text import FilePath, HostName, SshPublicKey
from event.values import Address

MIRROR = "mirror"
"""The name of the service that packages come from."""

Port = Annotated[int, Field(ge=1, le=65535)]


class Service(Model):
    """A service that every private network sees at the same address, given by a guest's own host.

    There is no route behind it: the named port and nothing else.
    """

    address: Address = Field(
        description="Address that guests see; in no subnet of theirs, e.g. 10.255.255.10."
    )
    port: Port = Field(description="Port that guests see, e.g. 3142.")
    protocol: Literal["tcp", "udp"] = Field(
        default="tcp", description="Protocol; udp needs mode: masquerade."
    )
    to: Address = Field(
        description="Who answers, as the hosts reach it; 127.0.0.1 is each host itself."
    )
    to_port: Port | None = Field(default=None, description="Port there; the same if not given.")
    mode: Literal["proxy", "masquerade"] = Field(
        default="proxy",
        description="Whether a host hands connections on, or translates addresses (and forwards).",
    )


class HostAccess(Model):
    """How a host is reached by SSH, as root."""

    address: Address | None = Field(
        default=None, description="Address of the host; its name if not given."
    )
    host_key: SshPublicKey = Field(
        description="The host's public key, from /etc/ssh/ssh_host_ed25519_key.pub there."
    )


class Ssh(Model):
    """SSH to the hosts as root, for what the API has nothing for: services, and disks of guests
    that do not boot."""

    key_file: FilePath | None = Field(
        default=None, description="Private key; the SSH agent's if not given."
    )
    hosts: dict[HostName, HostAccess] = Field(
        default={}, max_length=512, description="Hosts that are reached so."
    )
