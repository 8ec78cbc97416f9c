"""The privileges that exist, and the roles that every cluster has."""

from __future__ import annotations

_DATASTORE = ("Datastore.Allocate", "Datastore.AllocateSpace", "Datastore.AllocateTemplate")
_AUDIT = (
    "Datastore.Audit",
    "Mapping.Audit",
    "Pool.Audit",
    "SDN.Audit",
    "Sys.Audit",
    "VM.Audit",
    "VM.GuestAgent.Audit",
)
_VM_USER = (
    "VM.Audit",
    "VM.Backup",
    "VM.Config.CDROM",
    "VM.Config.Cloudinit",
    "VM.Console",
    "VM.GuestAgent.Audit",
    "VM.GuestAgent.FileRead",
    "VM.GuestAgent.FileSystemMgmt",
    "VM.GuestAgent.FileWrite",
    "VM.PowerMgmt",
)
_VM_ADMIN = (
    *_VM_USER,
    "VM.Allocate",
    "VM.Clone",
    "VM.Config.CPU",
    "VM.Config.Disk",
    "VM.Config.HWType",
    "VM.Config.Memory",
    "VM.Config.Network",
    "VM.Config.Options",
    "VM.GuestAgent.Unrestricted",
    "VM.Migrate",
    "VM.Replicate",
    "VM.Snapshot",
    "VM.Snapshot.Rollback",
)
_ADMIN = (
    *_VM_ADMIN,
    *_DATASTORE,
    *_AUDIT,
    "Group.Allocate",
    "Mapping.Use",
    "Pool.Allocate",
    "Realm.AllocateUser",
    "SDN.Allocate",
    "SDN.Use",
    "Sys.Console",
    "Sys.Syslog",
    "User.Modify",
)
_ROOT_ONLY = (
    "Mapping.Modify",
    "Permissions.Modify",
    "Realm.Allocate",
    "Sys.AccessNetwork",
    "Sys.Incoming",
    "Sys.Modify",
    "Sys.PowerMgmt",
)


def _sorted(*names: str) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


PRIVILEGES: tuple[str, ...] = _sorted(*_ADMIN, *_ROOT_ONLY)

BUILT_IN_ROLES: dict[str, tuple[str, ...]] = {
    "Administrator": PRIVILEGES,
    "NoAccess": (),
    "PVEAdmin": _sorted(*_ADMIN),
    "PVEAuditor": _sorted(*_AUDIT),
    "PVEDatastoreAdmin": _sorted(*_DATASTORE, "Datastore.Audit"),
    "PVEDatastoreUser": ("Datastore.AllocateSpace", "Datastore.Audit"),
    "PVEMappingAdmin": ("Mapping.Audit", "Mapping.Modify", "Mapping.Use"),
    "PVEMappingUser": ("Mapping.Audit", "Mapping.Use"),
    "PVEPoolAdmin": ("Pool.Allocate", "Pool.Audit"),
    "PVEPoolUser": ("Pool.Audit",),
    "PVESDNAdmin": ("SDN.Allocate", "SDN.Audit", "SDN.Use"),
    "PVESDNUser": ("SDN.Audit", "SDN.Use"),
    "PVESysAdmin": ("Sys.Audit", "Sys.Console", "Sys.Syslog"),
    "PVETemplateUser": ("VM.Audit", "VM.Clone"),
    "PVEUserAdmin": ("Group.Allocate", "Realm.AllocateUser", "User.Modify"),
    "PVEVMAdmin": _sorted(*_VM_ADMIN),
    "PVEVMUser": _sorted(*_VM_USER),
}
