"""A lab whose handlers are called without HTTP: the same checks, the same code, no port."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from lab.app import Lab, Settings, make_routes
from lab.call import Call, Upload
from lab.errors import ApiError
from lab.routes import Routes
from lab.seed import apply_seed
from lab.spec import load_methods
from lab.store import Store
from lab.validate import validate

ANNA = "anna@pve"
"""Somebody who is not root."""

SEED: dict[str, Any] = {
    "cluster": "lab",
    "nodes": [
        {"name": f"pve{n}", "cores": 8, "memoryMib": 16384, "address": "127.0.0.1"}
        for n in (1, 2, 3)
    ],
    "bridges": ["vmbr0"],
    "storages": [
        {
            "id": "local",
            "type": "dir",
            "path": "/var/lib/vz",
            "content": ["iso", "vztmpl", "import", "backup", "snippets", "images"],
            "shared": False,
            "sizeGib": 200,
        },
        {
            "id": "pool",
            "type": "nfs",
            "server": "127.0.0.9",
            "export": "/pool",
            "content": ["images", "import"],
            "shared": True,
            "sizeGib": 4000,
        },
        {
            "id": "thin",
            "type": "lvmthin",
            "vgname": "vg",
            "thinpool": "data",
            "content": ["images"],
            "shared": False,
            "sizeGib": 100,
        },
    ],
    "volumes": [{"volid": "pool:import/debian.qcow2", "sizeMib": 2048}],
}


@cache
def routes() -> Routes:
    """The tree of all handlers."""
    return make_routes()


class RefusedError(Exception):
    """An answer other than 200."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(f"{error.status} {error.message} {error.errors}")
        self.status, self.message, self.errors = error.status, error.message, error.errors


class Api:
    """Asks a lab directly, as `user`; `q/` in a path stands for `nodes/pve1/qemu/`.

    The privileges that a method's description asks for are not checked here: those are the
    front's, and tested with it.
    """

    def __init__(self, state: Path, seed: dict[str, Any] | None = None) -> None:
        self.state = state
        self.user = "root@pam"
        store = Store(state / "lab.db")
        apply_seed(store, seed or SEED)
        self.lab = Lab(Settings(state=state, task_grace_s=0), store)

    async def asking(self, method: str, path: str, /, **params: str) -> Any:
        """One answer's data; a started task is waited for and its row returned."""
        return await self._answer(method, path, params, None)

    async def _answer(
        self, method: str, path: str, params: dict[str, str], upload: Upload | None
    ) -> Any:
        if path.startswith("q/"):
            path = f"nodes/pve1/qemu/{path[2:]}"
        parts = [part for part in path.split("/") if part]
        found = routes().find(method, parts)
        assert found is not None, f"{method} {path}"
        endpoint, variables = found
        spec = load_methods()[endpoint.method, endpoint.pattern]
        raw = {**params, **variables}
        try:
            call = Call(
                lab=self.lab,
                method=method,
                path="/" + "/".join(parts),
                pattern=endpoint.pattern,
                params=validate(spec, raw),
                user=self.user,
                raw=raw,
                upload=upload,
            )
            data = await endpoint.handler(call)
        except ApiError as error:
            raise RefusedError(error) from error
        else:
            if isinstance(data, str) and data.startswith("UPID:"):
                data = await self.lab.tasks.wait(data)
            return data
        finally:
            await self.lab.store.flush()

    def ask(self, method: str, path: str, /, **params: str) -> Any:
        """The same for a test without a loop of its own."""
        return asyncio.run(self.asking(method, path, **params))

    def upload(self, path: str, file: Upload, /, **params: str) -> Any:
        """A call with a file."""
        return asyncio.run(self._answer("POST", path, params, file))

    def done(self, method: str, path: str, /, **params: str) -> None:
        """A task that must end well."""
        task = self.ask(method, path, **params)
        assert task["status"] == "OK", task

    def config(self, vmid: int, node: str = "pve1", **params: str) -> dict[str, Any]:
        """A guest's configuration as GET shows it."""
        found: dict[str, Any] = self.ask("GET", f"nodes/{node}/qemu/{vmid}/config", **params)
        return found

    def put(self, vmid: int, **params: str) -> None:
        """Change options of a guest on pve1."""
        self.ask("PUT", f"q/{vmid}/config", **params)

    def create(self, vmid: int, **params: str) -> None:
        """A new guest on pve1."""
        self.done("POST", "nodes/pve1/qemu", vmid=str(vmid), **params)

    def start(self, vmid: int) -> None:
        """Boot a guest on pve1."""
        self.done("POST", f"q/{vmid}/status/start")

    def volumes(self, storage: str, node: str = "pve1") -> list[str]:
        """The volume ids of a storage's disks."""
        rows = self.ask("GET", f"nodes/{node}/storage/{storage}/content", content="images")
        return sorted(row["volid"] for row in rows)


def as_anna(api: Api) -> Api:
    """The same, asked by a user who may do nothing yet."""
    api.lab.store.put("user", ANNA, {"enable": 1, "expire": 0})
    api.user = ANNA
    return api


def grant(api: Api, path: str, *privileges: str) -> None:
    """Let that user do something on a path and below."""
    role = f"role{len(api.lab.store.items('role'))}"
    api.lab.store.put("role", role, {"privs": sorted(privileges)})
    entry = {"path": path, "type": "user", "ugid": ANNA, "roleid": role, "propagate": 1}
    api.lab.store.put("acl", f"{path} {ANNA} {role}", entry)


def refusal(api: Api, method: str, path: str, **params: str) -> str:
    """The message of a call that is refused, as it must be."""
    with pytest.raises(RefusedError) as refused:
        api.ask(method, path, **params)
    return refused.value.message
