"""What storages of other systems offer: their identity, guests to import, files of backups.

Backup servers, ESXi hosts and archives of guests are not there, so only what is told before one
of them is asked is answered; the rest is 501.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.call import Call
from lab.errors import bad_parameter, failure, not_implemented
from lab.routes import handles
from lab.storage import definitions, names
from lab.storage.definitions import storage_config
from lab.storage.rights import require_volume
from lab.storage.status import STORAGE

if TYPE_CHECKING:
    from lab.errors import ApiError

_NO_IDENTITY = (
    "get_identity not implemented for this plugin at /usr/share/perl5/PVE/Storage/Plugin.pm line 1."
)
_ARCHIVES = ("ova", "ovf")


def _not_there(call: Call) -> ApiError:
    return not_implemented(call.method, call.path)


@handles("GET", f"{STORAGE}/identity")
async def read_identity(call: Call) -> None:
    """Which server a storage is on: backup servers have a name for that, others have none."""
    config = storage_config(call.lab, call.params["storage"], call.params["node"])
    raise _not_there(call) if config["type"] == "pbs" else failure(_NO_IDENTITY)


@handles("GET", f"{STORAGE}/import-metadata")
async def read_import(call: Call) -> None:
    """What a guest is like that can be imported."""
    storage, name = call.params["storage"], call.params["volume"]
    kind = storage_config(call.lab, storage)["type"]
    if kind == "esxi":
        raise _not_there(call)
    parsed = names.parse_name(kind, name)
    require_volume(call, None, f"{storage}:{name}")
    if not definitions.has_path({"type": kind}):
        raise failure("storage does not support the importer API")
    if parsed.content != "import":
        raise failure(f"invalid content type '{parsed.content}'")
    if parsed.format not in _ARCHIVES:
        raise failure("invalid format")
    raise _not_there(call)


@handles("GET", f"{STORAGE}/file-restore/list")
@handles("GET", f"{STORAGE}/file-restore/download")
async def restore_files(call: Call) -> None:
    """Files in a backup on a backup server."""
    storage, volid = call.params["storage"], call.params["volume"]
    found = names.split_volume_id(volid)
    if found is None:
        name = volid if volid.startswith("backup/") else f"backup/{volid}"
        volid = f"{storage}:{name}"
    elif found[0] != storage:
        raise bad_parameter("volume", f"storage ID mismatch ({found[0]} != {storage}).")
    kind = storage_config(call.lab, storage)["type"]
    if kind == "pbs":
        raise _not_there(call)
    if names.parse_name(kind, volid.partition(":")[2]).content != "backup":
        raise failure(f"unable to use volume {volid} - content type needs to be 'backup'")
    require_volume(call, None, volid)
    raise bad_parameter("storage", "Only PBS storages supported for file-restore.")
