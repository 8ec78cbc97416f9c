"""What can be asked about backups: defaults of a run, and the configuration in an archive."""

from __future__ import annotations

from typing import Any

from lab.archives import config_text, require_contents
from lab.call import Call
from lab.errors import failure
from lab.routes import handles
from lab.storage import definitions, names
from lab.storage.definitions import storage_config
from lab.storage.rights import require_volume

VZDUMP = "/nodes/{node}/vzdump"
DEFAULT_STORAGE = "local"
DEFAULTS: dict[str, Any] = {
    "all": 0,
    "bwlimit": 0,
    "compress": "0",
    "fleecing": {"enabled": 0},
    "ionice": 7,
    "lockwait": 180,
    "mailnotification": "always",
    "mode": "snapshot",
    "notification-mode": "auto",
    "performance": {"max-workers": 16, "pbs-entries-max": 1048576},
    "pigz": 0,
    "prune-backups": "keep-all=1",
    "quiet": 0,
    "remove": 1,
    "stdexcludes": 1,
    "stop": 0,
    "stopwait": 10,
    "zstd": 1,
}
_FOR_ADMINISTRATORS = ("tmpdir", "dumpdir", "script", "ionice", "mailto")


@handles("GET", f"{VZDUMP}/defaults")
async def read_defaults(call: Call) -> dict[str, Any]:
    """What a run takes for options that it is not given."""
    lab, storage = call.lab, call.params.get("storage", DEFAULT_STORAGE)
    privileges = ["Datastore.Audit", "Datastore.AllocateSpace"]
    lab.rights.require(call.user, f"/storage/{storage}", privileges, one=True)
    config = storage_config(lab, storage)
    if "backup" not in definitions.contents(config):
        raise failure(f"can't use storage '{storage}' for backups - wrong content type")
    shown = DEFAULTS | {"storage": storage}
    if definitions.has_path(config):
        shown["dumpdir"] = definitions.folder(storage, config, "backup")
    if keep := config.get("prune-backups"):
        shown["prune-backups"] = keep
    if not lab.rights.has(call.user, f"/nodes/{call.params['node']}", ["Sys.Audit"]):
        shown = {key: value for key, value in shown.items() if key not in _FOR_ADMINISTRATORS}
    return shown


@handles("GET", f"{VZDUMP}/extractconfig")
async def extract_config(call: Call) -> str:
    """The guest's configuration in an archive."""
    lab, volid = call.lab, call.params["volume"]
    name = names.split_volume_id(volid)
    if name is not None:
        parsed = names.parse_name(storage_config(lab, name[0])["type"], name[1])
        if parsed.content != "backup":
            text = f"unable to use volume {volid} - content type needs to be 'backup'"
            raise failure(text)
    require_volume(call, None, volid)
    if name is None:
        raise failure(f"can't find file '{volid}'")
    if parsed.vmid is not None and not call.is_root:
        lab.rights.require(call.user, f"/vms/{parsed.vmid}", ["VM.Backup"])
    return config_text(require_contents(lab, volid, call.params["node"]))
