"""What makes hosts give their guests the site's services: commands over SSH, undone by destroy.

The Proxmox VE API has nothing for it. One command for a host; its text is the plan's, so a changed
service runs it again, and a host's key is pinned.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pulumi
import pulumi_command as command

from plan.records import HostServices as Planned


def host_services(stack: str, hosts: Sequence[Planned]) -> list[pulumi.Resource]:
    """Register the command of each host; guests come after them, since rules must be first.

    `RunError` when the key's file cannot be read.
    """
    return [_command(stack, host) for host in hosts]


def _command(stack: str, host: Planned) -> pulumi.Resource:
    return command.remote.Command(
        f"{stack}-{host.host}-services",
        command.remote.CommandArgs(
            connection=command.remote.ConnectionArgs(
                host=host.address,
                user="root",
                host_key=host.host_key,
                private_key=_private_key(host.key_file),
            ),
            create=host.install,
            delete=host.remove,
            add_previous_output_in_env=False,
            logging=command.remote.Logging.NONE,
        ),
        opts=pulumi.ResourceOptions(delete_before_replace=True),
    )


def _private_key(file: str | None) -> pulumi.Output[str] | None:
    if file is None:
        return None
    path = Path(file).expanduser()
    try:
        return pulumi.Output.secret(path.read_text())
    except OSError as error:
        raise pulumi.RunError(
            f"site.ssh.keyFile: {file} cannot be read ({error.strerror}); name the file of a "
            "private key, or leave it out to use the SSH agent"
        ) from error
