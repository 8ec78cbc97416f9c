"""The engine that runs guests as LXC containers on the image that a real site would boot."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.engines.base import Disk, Figures, Log
from lab.engines.lxc import groups, layer, settings
from lab.engines.lxc.agent import Agent
from lab.engines.lxc.availability import OVERLAY
from lab.engines.lxc.console import Consoles, View
from lab.engines.lxc.disks import Disks
from lab.engines.lxc.holder import Holder
from lab.engines.lxc.images import Images
from lab.engines.lxc.inside import Container
from lab.engines.lxc.machine_limits import put_back, raise_limits
from lab.engines.lxc.programs import run, with_groups, words
from lab.engines.lxc.usage import Usage
from lab.engines.lxc.watch import Watch, note_end
from lab.engines.lxc.wiring import Wiring
from lab.engines.mounted import mounted
from lab.errors import TaskError
from lab.guests import drives
from lab.network.plumb import Plumb
from lab.rootless.keeper import inside
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.guests.record import Guest

POLL_S = 0.05
END_S = 30.0
STARTS_AT_ONCE = 4


class LxcEngine:
    """Guests of one lab; `images` is the folder of built images."""

    name = "lxc"

    def __init__(self, state: Path, images: Path, plumb: Plumb) -> None:
        folder = state / "guests"
        self._holder = Holder(folder)
        self._disks = Disks(folder)
        self._images = Images(self._holder, images, state / "images")
        self._limits = groups.Limits(self._holder.name)
        self._wiring = Wiring(self._holder, plumb)
        self._usage = Usage(self._limits)
        self._consoles = Consoles(self._holder)
        self._watch = Watch(self._ended)
        self._agents: dict[int, Agent] = {}
        self._ending: set[int] = set()
        self._guests: dict[int, Guest] = {}
        self._starting = asyncio.Semaphore(STARTS_AT_ONCE)
        self._state, self._plumb = state, plumb

    def _container(self, vmid: int) -> Container:
        return Container(self._holder, vmid)

    @property
    def adopted(self) -> bool:
        """Whether guests of an earlier start of the lab may go on: their holder is there."""
        return self._holder.adopt()

    async def open(self, hosts: Iterable[str]) -> None:
        """Make the holder and the hosts' networks, or take over those that are there."""
        raise_limits(self._state)
        await self._holder.start()
        layer.write(self._holder.folder / "layer")
        layer.write(self._holder.folder / "layer-new", stages=False)
        (self._holder.folder / "seccomp").write_text(layer.SECCOMP)
        await self._plumb.ensure_hosts(hosts)

    async def start(self, guest: Guest, log: Log) -> None:
        """Boot a stopped guest."""
        volume, file = image_of(guest)
        async with self._starting:
            await self._holder.start()  # somebody may have ended it, and all guests with it
            place = await self._images.mounted(volume, file, self._disks.home(guest.vmid))
            await self._clear(guest.vmid)
            await self._wiring.connect(guest.vmid, guest.node, guest.config)
            try:
                await self._start(guest, place)
            except BaseException:
                await self._clear(guest.vmid)
                raise
        log(f"guest runs in the lab as a container on {Path(volume).name}")
        for sentence in self._limits.missing(self._holder.groups):
            log(sentence)

    async def _start(self, guest: Guest, place: str) -> None:
        vmid, home = guest.vmid, self._disks.home(guest.vmid)
        self._write(guest, place)
        self._limits.set(vmid, settings.cores(guest.config), settings.memory_mib(guest.config))
        lxc = ("lxc-start", "-P", str(home.parent), "-n", str(vmid), "-f", str(home / "config"))
        command = self._holder.inside(*lxc, "-d")
        entered = [self._holder.entrance, *self._limits.files(vmid)]
        code, _, errors = await run(*with_groups(entered, command), check=False)
        if code:
            said = words((home / "lxc.log").read_bytes()) if (home / "lxc.log").exists() else ""
            raise TaskError(f"start failed: {said or words(errors) or f'status {code}'}")
        self._follow(guest)

    def _write(self, guest: Guest, place: str) -> None:
        vmid, home = guest.vmid, self._disks.home(guest.vmid)
        upper = self._disks.make(vmid)
        (home / "export").mkdir(exist_ok=True)
        (home / "lxc.log").unlink(missing_ok=True)
        for name, content in settings.files(guest.config, vmid).items():
            path = upper / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_symlink() or not path.exists() or path.read_text() != content:
                path.unlink(missing_ok=True)
                path.write_text(content)
        (upper / settings.SEED / "user-data").chmod(0o600)
        text = settings.lxc_config(
            vmid, guest.config, lower=self._lower(vmid, place), upper=upper, home=home,
            seccomp=self._holder.folder / "seccomp", limits=self._version2(guest),
            rootless=inside(),
        )  # fmt: skip
        (home / "config").write_text(text)

    def _lower(self, vmid: int, place: str) -> list[str]:
        """What lies below a guest's own files, the nearest first."""
        new = (self._holder.seen(place) / layer.NEW_CLOUD_INIT).exists()
        thin = self._holder.folder / ("layer-new" if new else "layer")
        return [str(thin), *map(str, self._disks.lower(vmid)), place]

    def _version2(self, guest: Guest) -> dict[str, str]:
        cores, memory = settings.cores(guest.config), settings.memory_mib(guest.config)
        return groups.version2(self._holder.groups, cores, memory)

    def _follow(self, guest: Guest) -> None:
        """Know a guest as running: answer for its agent, see its end."""
        vmid, container = guest.vmid, self._container(guest.vmid)
        monitor = container.monitor
        if monitor is None:
            raise TaskError("start failed: the guest has ended at once; see its console.log")
        self._guests[vmid] = guest
        self._agents[vmid] = Agent(container, self._limits.files(vmid))
        self._watch.follow(vmid, monitor)

    async def shutdown(self, guest: Guest, timeout_s: float, _log: Log) -> bool:
        """As the power button: the guest's system stops its services and ends."""
        init = self._container(guest.vmid).init
        self._ending.add(guest.vmid)
        try:
            if init is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(init, signal.SIGRTMIN + 3)
            if not await self._gone(guest.vmid, timeout_s):
                return False
            await self._clear(guest.vmid)
            return True
        finally:
            self._ending.discard(guest.vmid)

    async def stop(self, guest: Guest, _log: Log, /) -> None:
        """Kill the guest's first process; the kernel ends the others."""
        self._ending.add(guest.vmid)
        try:
            await self._kill(guest.vmid)
            await self._clear(guest.vmid)
        finally:
            self._ending.discard(guest.vmid)

    async def _kill(self, vmid: int) -> None:
        container = self._container(vmid)
        with contextlib.suppress(OSError):
            container.freeze(False)
        for pid in (container.init, container.monitor):
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if not await self._gone(vmid, END_S):
            raise TaskError(f"processes of VM {vmid} do not end")

    async def _gone(self, vmid: int, timeout_s: float) -> bool:
        loop, container = asyncio.get_running_loop(), self._container(vmid)
        until = loop.time() + timeout_s
        while not container.over:
            if loop.time() > until:
                return False
            await asyncio.sleep(POLL_S)
        return True

    async def _clear(self, vmid: int) -> None:
        """Remove what an ended guest leaves, its disk excepted."""
        self._watch.drop(vmid)
        self._guests.pop(vmid, None)
        if (agent := self._agents.pop(vmid, None)) is not None:
            agent.close()
        await self._wiring.disconnect(vmid)
        self._container(vmid).remove_groups()
        self._limits.remove(vmid)
        self._usage.forget(vmid)

    async def _ended(self, vmid: int) -> None:
        """A guest has ended by itself: its participant has switched it off."""
        guest = self._guests.get(vmid)
        if vmid not in self._ending and guest is not None:
            await note_end(guest, lambda: self._container(vmid).monitor is not None, self._clear)

    async def reset(self, guest: Guest) -> None:
        """Cut the power and boot again."""
        await self.stop(guest, _silent)
        await self.start(guest, _silent)

    async def pause(self, guest: Guest) -> None:
        """Freeze the guest's processes."""
        self._container(guest.vmid).freeze(True)

    async def resume(self, guest: Guest) -> None:
        """Let them go on."""
        self._container(guest.vmid).freeze(False)

    async def reconfigure(self, guest: Guest, changed: frozenset[str]) -> None:
        """Plug cards, and change limits."""
        self._guests[guest.vmid] = guest
        if any(key.startswith("net") for key in changed):
            await self._wiring.change(guest.vmid, guest.node, guest.config)
        if changed & {"cores", "sockets", "memory"}:
            cores, memory = settings.cores(guest.config), settings.memory_mib(guest.config)
            self._limits.set(guest.vmid, cores, memory)
            self._container(guest.vmid).limit(self._version2(guest))

    async def migrate(self, guest: Guest, target: str, log: Log) -> None:
        """Plug the guest into another host; its processes go on."""
        if guest.running:
            await self._wiring.move(guest.vmid, target)
            log("the lab's hosts share one machine: the guest goes on, its cards have moved")

    async def clone(
        self, source: Guest, vmid: int, snapshot: str | None, /, *, linked: bool
    ) -> None:
        """Give a new guest the content of another one's disks."""
        if linked and not snapshot:
            self._disks.link(source.vmid, vmid)
            return
        async with self._still(source):
            await self._disks.copy(source.vmid, vmid, snapshot)

    async def fill(self, guest: Guest) -> None:
        """Keep an uploaded image that a disk was made from: the guest does without its file now.

        What a guest has written is in one folder, whatever its volumes are.
        """
        image = _image_of(guest)
        if image is not None and image[1] is not None:
            await self._images.keep(*image, self._disks.home(guest.vmid))

    async def resize(self, _guest: Guest, _key: str, _size: int) -> None:
        """Sizes are not enforced."""

    async def destroy(self, guest: Guest) -> None:
        """Remove disk, snapshots and logs."""
        await self._disks.remove(guest.vmid)

    async def snapshot(self, guest: Guest, name: str, with_memory: bool) -> None:
        """Copy what the guest has written, while its processes wait."""
        if with_memory:
            raise TaskError("the lab's engine lxc keeps no memory: take a snapshot without it")
        async with self._still(guest):
            await self._disks.snapshot(guest.vmid, name)

    @contextlib.asynccontextmanager
    async def _still(self, guest: Guest) -> Any:
        container = self._container(guest.vmid)
        freezes = guest.running and guest.qmp != "paused" and container.init is not None
        if freezes:
            container.freeze(True)
        try:
            yield
        finally:
            if freezes:
                container.freeze(False)

    async def drop_snapshot(self, guest: Guest, name: str) -> None:
        """Forget a snapshot."""
        await self._disks.drop(guest.vmid, name)

    async def roll_back(self, guest: Guest, name: str) -> None:
        """Bring the disk back."""
        await self._disks.roll_back(guest.vmid, name)

    async def agent(self, guest: Guest, command: str, arguments: dict[str, Any]) -> Any:
        """What the guest agent answers; None when no system runs in the guest."""
        agent = self._agents.get(guest.vmid)
        return None if agent is None else await agent.ask(command, arguments)

    async def console(self, guest: Guest, _port: str, /) -> View:
        """The container's console, whichever port it is taken for."""
        folder = self._disks.home(guest.vmid).parent
        return await self._consoles.open(self._container(guest.vmid), str(folder))

    @contextlib.asynccontextmanager
    async def disk(self, guest: Guest, /) -> AsyncIterator[Disk]:
        """The overlay that the guest would start on, with its export folder in it."""
        volume, file = image_of(guest)
        await self._holder.start()
        place = await self._images.mounted(volume, file, self._disks.home(guest.vmid))
        upper, home = self._disks.make(guest.vmid), self._disks.home(guest.vmid)
        work = upper.parent / "olwork"
        work.mkdir(exist_ok=True)
        lower = ":".join(map(str, self._lower(guest.vmid, place)))
        script = (
            'with="$6nosuid,nodev,noexec,lowerdir=$2,upperdir=$3,workdir=$4"\n'
            'mount -t overlay -o "$with" none "$1"'
            '\nif [ -d "$5" ] && [ -d "$1/srv/export" ]; then mount --bind "$5" "$1/srv/export"; fi'
        )
        words = (lower, str(upper), str(work), str(home / "export"), OVERLAY if inside() else "")
        async with mounted(self._holder.inside(), script, *words) as disk:
            yield disk

    def figures(self, vmid: int, config: dict[str, Any]) -> Figures:
        """What a running guest uses now."""
        return self._usage.figures(self._container(vmid), settings.cores(config), config)

    async def reconcile(self, guests: Iterable[Guest]) -> frozenset[int]:
        """Take over guests that go on; end those that the lab does not know as running."""
        known = {guest.vmid: guest for guest in guests}
        running = {
            int(path.name.removeprefix("lxc.monitor."))
            for path in self._holder.groups.glob("lxc.monitor.*")
            if path.name.removeprefix("lxc.monitor.").isdigit() and groups.processes(path)
        }
        for vmid in running - known.keys():
            await self._kill(vmid)
        alive = frozenset(running & known.keys())
        await self._wiring.reconcile(alive)
        for vmid in known.keys() - alive:
            await self._clear(vmid)
        for vmid in alive:
            self._follow(known[vmid])
        return alive

    async def close(self) -> None:
        """Let go of the guests, which go on without this process."""
        self._watch.close()
        self._consoles.close()
        for agent in self._agents.values():
            agent.close()


async def power_off(state: Path) -> None:
    """End all guests and networks of a lab whose server does not run; disks are kept."""
    holder = Holder(state / "guests")
    if not holder.folder.is_dir():
        return
    await holder.end()
    await Wiring(holder, Plumb(state)).teardown()
    put_back(state)


def _silent(_text: str) -> None:
    """For work that no task shows."""


def image_of(guest: Guest) -> tuple[str, Path | None]:
    """The image that a guest's first disk was made from: its volume, and the volume's own file."""
    image = _image_of(guest)
    if image is None:
        raise TaskError(
            "start failed: no disk of this guest was made from an image, and the lab's engine lxc "
            "installs none"
        )
    return image


def _image_of(guest: Guest) -> tuple[str, Path | None] | None:
    rows = volumes(guest.lab)
    order = drives.boot_order(guest.config) or [key for key, _ in guest.drives()]
    for key in order:
        if drives.is_drive(key) and guest.config.get(key):
            drive = drives.parse_drive(key, guest.config[key])
            row = None if drives.is_cdrom(drive) else rows.get(drive["file"], guest.node)
            if row is not None and row.get("origin"):
                source = rows.get(row["origin"], guest.node)
                kept = (source or {}).get("file")
                return row["origin"], guest.lab.settings.state / kept if kept else None
    return None
