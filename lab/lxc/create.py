"""Create a container from a template: checks that fail the call, then the task."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lab.call import Call
from lab.errors import ApiError, TaskError, failure, forbidden, late_text
from lab.guests.create import check_pool
from lab.guests.ssh_keys import check_ssh_keys
from lab.guests.watch import require_watch, watch
from lab.lxc import mounts
from lab.lxc.options import Permissions, complete_net, given_options, is_net, stored
from lab.lxc.power import start_task
from lab.lxc.record import Container, find_row, from_row, load
from lab.lxc.restore import restore
from lab.machine import check_unused
from lab.routes import handles
from lab.storage import definitions, names
from lab.storage.definitions import storage_config
from lab.storage.rights import require_space, require_volume
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.tasks import TaskLog

DEFAULT_STORAGE = "local"
_SYSTEMS = ("debian", "devuan", "ubuntu", "centos", "fedora", "opensuse", "archlinux", "alpine",
            "gentoo", "nixos")  # fmt: skip
_LIKE_CENTOS = ("almalinux", "rockylinux", "openeuler")
_SIZE = re.compile(r"\d+(?:\.\d+)?")


class Request:
    """One request for a container, new or from a backup, checked as far as that goes without
    the task. `options` are those that are no mounts."""

    def __init__(self, call: Call) -> None:
        params = call.params
        self.call, self.lab = call, call.lab
        self.node, self.vmid = str(params["node"]), int(params["vmid"])
        self.restore = bool(params.get("restore"))
        self.storage = str(params.get("storage", DEFAULT_STORAGE))
        self.archive = str(params["ostemplate"])
        given = given_options(call)
        self.unprivileged: int | None = given.pop("unprivileged", None if self.restore else 1)
        self.mounts = {k: self._sized(v) for k, v in given.items() if mounts.is_mount(k)}
        self.options = {
            key: value
            for key, value in given.items()
            if key not in self.mounts and not mounts.is_unused(key)
        }
        self.before = find_row(self.lab, self.vmid, self.node)

    def _sized(self, value: str) -> str:
        """A bare number is a size on the default storage."""
        return f"{self.storage}:{value}" if _SIZE.fullmatch(value) else value

    @property
    def words(self) -> str:
        """What messages of the task begin with."""
        return f"unable to {'restore' if self.restore else 'create'} CT {self.vmid} -"

    @property
    def overwrites(self) -> bool:
        """Whether the container on that number is to be replaced."""
        force = bool(self.call.params.get("force"))
        return self.before is not None and self.restore and force

    def check(self) -> None:
        """Refuse what fails the call, in Proxmox VE's order."""
        call, rights = self.call, self.lab.rights
        if self.unprivileged == 0 and not self.restore and not call.is_root:
            rights.require(call.user, "/", ["Sys.Modify"])
        require_watch(call)
        self._check_number()
        if keys := call.params.get("ssh-public-keys"):
            check_ssh_keys({"sshkeys": keys})
        check_pool(self.lab, call.params.get("pool"))
        self._require_allocate()
        empty = Container(lab=self.lab, vmid=self.vmid, node=self.node)
        Permissions(call, empty, call.params.get("pool")).check(
            {**self.options, **self.mounts}, [], unprivileged=bool(self.unprivileged)
        )
        self._check_archive()
        self._check_storages(empty)

    def _check_number(self) -> None:
        if not self.overwrites or self.before is None:
            check_unused(self.lab, self.vmid)
            return
        container = from_row(self.lab, self.vmid, self.before)
        if container.running:
            raise failure("can't overwrite running container")
        container.check_protection(f"unable to restore CT {self.vmid}")

    def _require_allocate(self) -> None:
        user, rights, pool = self.call.user, self.lab.rights, self.call.params.get("pool")
        if self.call.is_root or rights.has(user, f"/vms/{self.vmid}", ["VM.Allocate"]):
            return
        if pool and rights.has(user, f"/pool/{pool}", ["VM.Allocate"]):
            return
        if not self.overwrites or not rights.has(user, f"/vms/{self.vmid}", ["VM.Backup"]):
            raise forbidden("")

    def _check_archive(self) -> None:
        wanted = "backup" if self.restore else "vztmpl"
        if self.archive == "-":
            raise failure("pipe requires cli environment")
        if name := names.split_volume_id(self.archive):
            kind = storage_config(self.lab, name[0])["type"]
            if names.parse_name(kind, name[1]).content != wanted:
                text = f"unable to use volume {self.archive} - content type needs to be '{wanted}'"
                raise failure(text)
        require_volume(self.call, self.vmid, self.archive)

    def _check_storages(self, empty: Container) -> None:
        if self.mounts and "rootfs" not in self.mounts:
            raise failure("mount points configured, but 'rootfs' not set - aborting")
        for key in mounts.in_order(self.mounts):
            mount = mounts.parse_mount(key, self.mounts[key])
            if mounts.is_volume(mount):
                self._check_storage(empty, names.parse_volume_id(mount["volume"])[0])
            elif not self.call.is_root:
                raise failure("Only root can pass arbitrary filesystem paths.")
        if not self.mounts:
            self._check_storage(empty, self.storage)

    def _check_storage(self, empty: Container, storage: str) -> None:
        mounts.check_storage(empty, storage)
        require_space(self.call, storage)

    def may_configure_firewall(self) -> bool:
        """Whether the backup's firewall settings come with it: not for those who may only put a
        container back."""
        user, rights, pool = self.call.user, self.lab.rights, self.call.params.get("pool")
        paths = [f"/vms/{self.vmid}"] + ([f"/pool/{pool}"] if pool else [])
        return any(rights.has(user, path, ["VM.Allocate"]) for path in paths)

    def storages(self) -> list[str]:
        """The storages on which volumes are to be made."""
        texts = self.mounts.items()
        found = (mounts.parse_mount(key, text)["volume"] for key, text in texts)
        asked = [new[1] for volid in found if (new := mounts.NEW_VOLUME.fullmatch(volid))]
        return sorted(set(asked)) if self.mounts else [self.storage]

    def configured(self) -> dict[str, Any]:
        """The options as they are stored."""
        config = {key: stored(self.lab, key, value) for key, value in self.options.items()}
        for key in filter(is_net, config):
            config[key] = complete_net(self.lab, config[key])
        if self.unprivileged:
            config["unprivileged"] = 1
        return config

    def archive_path(self) -> str:
        """Where the template or backup is; 500 when it is not there."""
        if names.split_volume_id(self.archive) is None:
            raise failure(f"can't find file '{self.archive}'")
        volumes(self.lab).require(self.archive, self.node)
        return definitions.location(self.lab, self.archive)


@handles("POST", "/nodes/{node}/lxc")
async def create_container(call: Call) -> str:
    """Create a container, or restore one from a backup; its number is taken before the task."""
    request = Request(call)
    request.check()
    lab, node, vmid, config = call.lab, request.node, request.vmid, request.configured()
    _take_number(request)

    async def work(log: TaskLog) -> None:
        async with lab.locks.guest(vmid):
            make = restore if request.restore else _create
            for storage in request.storages():
                async with lab.storage_lock(storage, node):
                    pass  # making a volume takes no time, waiting for one's turn does
            make(request, load(lab, vmid, node), config, log)
            if pool := call.params.get("pool"):
                lab.pool_add(pool, vmid)
        if call.params.get("start"):
            await start_task(call, node, vmid)
        watch(call, f"ct:{vmid}", log)

    kind = "vzrestore" if request.restore else "vzcreate"
    return await lab.tasks.start(call, node, kind, str(vmid), work)


def _take_number(request: Request) -> None:
    """Note that the number is in use; a container that is to be replaced is locked."""
    container = Container(lab=request.lab, vmid=request.vmid, node=request.node)
    if request.before is not None:
        container = from_row(request.lab, request.vmid, request.before)
        if lock := container.config.get("lock"):
            raise failure(f"{request.words} CT is locked ({lock})")
    container.config["lock"] = "create"
    container.save()


def _create(request: Request, container: Container, config: dict[str, Any], log: TaskLog) -> None:
    wanted = request.mounts or {"rootfs": f"{request.storage}:{mounts.DEFAULT_ROOT_GIB}"}
    try:
        container.config = dict(config)
        made = mounts.create(container, wanted, filled=True)
        try:
            path = request.archive_path()
        except ApiError:
            for key, value in made.items():
                mount = mounts.parse_mount(key, value)
                if mounts.NEW_VOLUME.fullmatch(mounts.parse_mount(key, wanted[key])["volume"]):
                    mounts.free(container, mount["volume"])
            raise
    except ApiError as error:
        container.remove()
        text = late_text(error)
        raise TaskError(f"{request.words} {text}") from error
    log(f"extracting archive '{path}'")
    container.config |= made
    complete(container, log, system=_system(request.archive))
    container.save()


def complete(container: Container, log: TaskLog, *, system: str | None = None) -> None:
    """Fill in what was not asked for."""
    config = container.config
    if "arch" not in config:
        log("Detected container architecture: amd64")
        config["arch"] = "amd64"
    if system:
        config.setdefault("ostype", system)
    config["hostname"] = config.get("hostname") or f"CT{container.vmid}"
    config["memory"] = config.get("memory") or 512
    config.setdefault("swap", 512)


def _system(archive: str) -> str:
    """The operating system in a template, which the lab reads from its name."""
    file = archive.rpartition("/")[2].lower()
    if file.startswith(_LIKE_CENTOS):
        return "centos"
    return next((name for name in _SYSTEMS if file.startswith(name)), "unmanaged")
