"""A host's package sources: what is listed, switched on and off. Nothing is installed from them."""

from __future__ import annotations

from typing import Any

from lab.call import Call
from lab.digest import digest_of
from lab.errors import ApiError, failure
from lab.routes import handles
from lab.section_file import Section

_SUITE = "trixie"
_FOLDER = "/etc/apt/sources.list.d"
_DEBIAN = f"{_FOLDER}/debian.sources"
_KEYRING = "/usr/share/keyrings/proxmox-archive-keyring.gpg"
_MIRROR = "http://mirror.example.org"
_DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_COMPONENTS = ["main", "contrib", "non-free-firmware"]
_CEPH = {"enterprise": "Enterprise", "no-subscription": "No-Subscription", "test": "Test"}


def _standard() -> dict[str, dict[str, Any]]:
    """The known sources by handle: name, file and the entry that adding one writes."""
    found = {
        f"{handle}": _product("proxmox", "pve", component, enterprise=handle == "enterprise")
        | {"name": name}
        for handle, component, name in (
            ("enterprise", "pve-enterprise", "Enterprise"),
            ("no-subscription", "pve-no-subscription", "No-Subscription"),
            ("test", "pve-test", "Test"),
        )
    }
    for kind, word in _CEPH.items():
        component = kind if kind != "test" else "test"
        row = _product("ceph", "ceph-squid", component, enterprise=kind == "enterprise")
        found[f"ceph-squid-{kind}"] = row | {"name": f"Ceph Squid {word}"}
    return found


def _product(file: str, product: str, component: str, *, enterprise: bool) -> dict[str, Any]:
    host = "https://enterprise" if enterprise else "http://download"
    name = "pve-enterprise" if enterprise and file == "proxmox" else file
    entry = _entry(f"{host}.proxmox.com/debian/{product.split('-enterprise')[0]}", component)
    return {"path": f"{_FOLDER}/{name}.sources", "entry": entry}


def _entry(uri: str, *components: str, suites: tuple[str, ...] = (_SUITE,)) -> Section:
    keyring = _DEBIAN_KEYRING if uri.startswith(_MIRROR) else _KEYRING
    return {
        "Types": ["deb"],
        "URIs": [uri],
        "Suites": list(suites),
        "Components": list(components),
        "Options": [{"Key": "Signed-By", "Values": [keyring]}],
        "FileType": "sources",
        "Enabled": 1,
    }


def _fresh() -> dict[str, list[Section]]:
    """The files of a host as it was installed."""
    standard = _standard()
    base = (f"{_MIRROR}/debian", (_SUITE, f"{_SUITE}-updates"))
    security = (f"{_MIRROR}/debian-security", (f"{_SUITE}-security",))
    debian = [_entry(uri, *_COMPONENTS, suites=suites) for uri, suites in (base, security)]
    enterprise = standard["enterprise"]
    return {_DEBIAN: debian, enterprise["path"]: [enterprise["entry"]]}


def _key(call: Call) -> str:
    return f"{call.params['node']}/repositories"


def _files(call: Call) -> dict[str, list[Section]]:
    found = call.lab.store.get("nodefile", _key(call))
    files: dict[str, list[Section]] = found["content"] if found else _fresh()
    return files


def _bytes(text: str) -> list[int]:
    return list(bytes.fromhex(text))


def _place(files: dict[str, list[Section]], handle: str) -> tuple[str, int] | None:
    """Where a standard source is listed: file and position."""
    wanted = _standard()[handle]["entry"]
    for path, entries in files.items():
        for position, entry in enumerate(entries):
            if all(entry[k] == wanted[k] for k in ("URIs", "Suites", "Components")):
                return path, position
    return None


def _handle_row(files: dict[str, list[Section]], handle: str, row: dict[str, Any]) -> Section:
    shown: Section = {"handle": handle, "name": row["name"]}
    if (place := _place(files, handle)) is not None:
        shown["status"] = files[place[0]][place[1]]["Enabled"]
    return shown


@handles("GET", "/nodes/{node}/apt/repositories")
async def read_repositories(call: Call) -> Any:
    """All files with their entries, and which standard sources are among them."""
    files = _files(call)
    return {
        "files": [
            {
                "path": path,
                "file-type": "sources",
                "repositories": entries,
                "digest": _bytes(digest_of(entries)),
            }
            for path, entries in files.items()
        ],
        "standard-repos": [_handle_row(files, *item) for item in _standard().items()],
        "errors": [],
        "infos": [],
        "digest": digest_of(files),
    }


def _check_digest(call: Call, files: dict[str, list[Section]]) -> None:
    if call.params.get("digest", digest_of(files)) != digest_of(files):
        raise failure("detected modified configuration - file changed by other user? Try again.")


def _write(call: Call, files: dict[str, list[Section]]) -> None:
    call.lab.store.put("nodefile", _key(call), {"content": files})


@handles("PUT", "/nodes/{node}/apt/repositories")
async def add_repository(call: Call) -> Any:
    """Add a standard source; one that is listed and off is switched on."""
    handle, files = call.params["handle"], _files(call)
    _check_digest(call, files)
    if handle not in _standard():
        raise failure(f"unknown repository handle '{handle}'")
    place = _place(files, handle)
    if place is not None:
        if files[place[0]][place[1]]["Enabled"]:
            raise ApiError(500, f"standard repository {handle} is already configured")
        _write(call, _switched(files, *place, on=True))
        return
    row = _standard()[handle]
    _write(call, {**files, row["path"]: [*files.get(row["path"], []), row["entry"]]})


@handles("POST", "/nodes/{node}/apt/repositories")
async def change_repository(call: Call) -> Any:
    """Switch one entry of a file on or off."""
    path, position, files = call.params["path"], call.params["index"], _files(call)
    _check_digest(call, files)
    if path not in files:
        raise failure(f"invalid path: {path}")
    if not 0 <= position < len(files[path]):
        raise failure(f"invalid index: {position}")
    if "enabled" in call.params:
        _write(call, _switched(files, path, position, on=bool(call.params["enabled"])))


def _switched(
    files: dict[str, list[Section]], path: str, position: int, *, on: bool
) -> dict[str, list[Section]]:
    entries = list(files[path])
    entries[position] = {**entries[position], "Enabled": int(on)}
    return {**files, path: entries}
