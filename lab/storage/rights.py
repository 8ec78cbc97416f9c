"""Who may use which volume, as Proxmox VE decides it."""

from __future__ import annotations

from lab.call import Call
from lab.errors import ApiError, failure
from lab.storage import names
from lab.storage.definitions import storage_config

ALLOCATE_SPACE = "Datastore.AllocateSpace"
UNLIMITED = -1
DEFAULT_PROTECTED = 5
_READABLE = frozenset({"iso", "vztmpl", "import"})


def require_space(call: Call, storage: str) -> None:
    """403 when the caller may not make volumes on a storage."""
    if not call.is_root:
        call.lab.rights.require(call.user, f"/storage/{storage}", [ALLOCATE_SPACE])


def require_volume(call: Call, vmid: int | None, volid: str) -> None:
    """403 or 500 when the caller may not use a volume for the guest `vmid`."""
    if call.is_root:
        return
    rights, user = call.lab.rights, call.user
    name = names.split_volume_id(volid)
    if name is None:
        place = "/usr/share/perl5/PVE/Storage.pm line 1"
        raise failure(f"Only root can pass arbitrary filesystem paths. at {place}.")
    path = f"/storage/{name[0]}"
    parsed = names.parse_name(storage_config(call.lab, name[0])["type"], name[1])
    if rights.has(user, path, ["Datastore.Allocate"]):
        return
    if parsed.content in _READABLE:
        rights.require(user, path, [ALLOCATE_SPACE, "Datastore.Audit"], one=True)
    elif parsed.vmid is not None and parsed.vmid == vmid:
        return
    elif parsed.content == "backup" and parsed.vmid is not None:
        rights.require(user, path, [ALLOCATE_SPACE])
        rights.require(user, f"/vms/{parsed.vmid}", ["VM.Backup"])
    elif parsed.content in ("images", "rootdir") and parsed.vmid is not None:
        rights.require(user, path, ["Datastore.Audit"])
        rights.require(user, f"/vms/{parsed.vmid}", ["VM.Config.Disk"])
    else:
        raise failure(f"missing privileges to access {volid}")


def may_use(call: Call, vmid: int | None, volid: str) -> bool:
    """Whether `require_volume` would pass."""
    try:
        require_volume(call, vmid, volid)
    except ApiError:
        return False
    return True


def max_protected(call: Call, storage: str) -> int:
    """How many protected backups of a guest a storage takes; -1 for any number."""
    config = storage_config(call.lab, storage)
    if "max-protected-backups" in config:
        return int(config["max-protected-backups"])
    free = call.lab.rights.has(call.user, f"/storage/{storage}", ["Datastore.Allocate"])
    return UNLIMITED if free else DEFAULT_PROTECTED


def too_many_protected(most: int, storage: str) -> str:
    """What is said of one protected backup more than that."""
    return f"The number of protected backups per guest is limited to {most} on storage '{storage}'"
