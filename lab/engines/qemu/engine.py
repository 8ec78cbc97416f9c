"""The engine that runs guests as machines of QEMU, with kernels and disks of their own."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.engines.base import Disk, Figures, Log
from lab.engines.lxc.console import View
from lab.engines.lxc.holder import Holder
from lab.engines.lxc.watch import Watch, note_end
from lab.engines.qemu import command, states
from lab.engines.qemu import process as processes
from lab.engines.qemu.agent import Agent
from lab.engines.qemu.availability import accelerator
from lab.engines.qemu.cards import cards
from lab.engines.qemu.console import Consoles
from lab.engines.qemu.copies import Copies
from lab.engines.qemu.disks import Disks
from lab.engines.qemu.drives import Medium, node_name
from lab.engines.qemu.media import Media, system_disk
from lab.engines.qemu.monitor import Monitor
from lab.engines.qemu.notes import Notes
from lab.engines.qemu.offline import opened
from lab.engines.qemu.plugging import Plugging
from lab.engines.qemu.process import Process
from lab.engines.qemu.taps import Taps
from lab.engines.qemu.usage import Usage
from lab.errors import ApiError, TaskError, failure
from lab.guests.drives import parse_drive
from lab.network.plumb import Plumb
from lab.network.system import NAMESPACES

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.guests.record import Guest

END_S = 60.0
PRESS_S = 15.0
STARTS_AT_ONCE = 4


class QemuEngine:
    """Machines of one lab; `images` is the folder of built images."""

    name = "qemu"

    def __init__(self, state: Path, images: Path, plumb: Plumb) -> None:
        self._folder = state / "guests"
        self._holder = Holder(self._folder)
        self._disks = Disks(state, images)
        self._media = Media(self._disks)
        self._copies = Copies(self._disks)
        self._plumb = plumb
        self._taps = Taps(plumb)
        self._usage = Usage()
        self._consoles = Consoles()
        self._watch = Watch(self._ended)
        self._monitors: dict[int, Monitor] = {}
        self._agents: dict[int, Agent] = {}
        self._guests: dict[int, Guest] = {}
        self._ending: set[int] = set()
        self._starting = asyncio.Semaphore(STARTS_AT_ONCE)

    @property
    def adopted(self) -> bool:
        """Whether machines of an earlier start of the lab may go on: their holder is there."""
        return self._holder.adopt()

    async def open(self, hosts: Iterable[str], lab: Lab) -> None:
        """Make the holder and the hosts' networks, or take over those that are there."""
        await self._holder.start()
        self._disks.clean(lab)
        await self._plumb.ensure_hosts(hosts)

    def _process(self, vmid: int) -> Process:
        return Process(self._holder, vmid)

    def _notes(self, vmid: int) -> Notes:
        return Notes(vmid, self._folder / str(vmid))

    async def start(self, guest: Guest, log: Log) -> None:
        """Boot a stopped guest, or let it go on from a memory that was kept."""
        notes = self._notes(guest.vmid)
        async with self._starting:
            await self._holder.start()  # somebody may have ended it, and all guests with it
            await self._clear(guest.vmid)
            notes.make()
            media = await self._media.all(guest, notes.home)
            try:
                await self._boot(guest, media, log)
                await self._join(guest)
                await self._wake(guest, log)
                await self._pull_cables(guest)
                notes.write(guest.config, media)
            except BaseException:
                await self._end(guest.vmid)
                raise
            finally:
                notes.forget_secrets()
        await self._tell(guest, log)

    async def _boot(self, guest: Guest, media: dict[str, Medium], log: Log) -> None:
        vmid, found, taps = guest.vmid, cards(guest.config), dict[int, int]()
        process, notes = self._process(vmid), self._notes(vmid)
        try:
            for card in found:
                tap = await self._taps.connect(vmid, guest.node, card)
                if tap is not None:
                    taps[card.number] = tap
            words = command.command(
                vmid,
                guest.config,
                accelerator=await self._accelerator(guest),
                media=media,
                cards=found,
                taps=taps,
                sockets=command.Sockets(folder=process.folder, log=str(notes.home / "console.log")),
                asleep=notes.memory is not None,
            )
            await process.launch(words, list(taps.values()), notes.home / "qemu.log", log)
        finally:
            for descriptor in taps.values():
                os.close(descriptor)

    async def _accelerator(self, guest: Guest) -> str:
        return await asyncio.to_thread(accelerator) if guest.config.get("kvm", 1) else "tcg"

    async def _tell(self, guest: Guest, log: Log) -> None:
        found = await self._accelerator(guest)
        by = {"kvm": "KVM", "tcg": "software emulation, which is slow"}[found]
        log(f"guest runs in the lab as a machine of QEMU, by {by}")
        for key in command.left_out(guest.config):
            log(f"the lab's engine qemu leaves out '{key}'")

    async def _join(self, guest: Guest) -> None:
        """Know a guest as running: hear its monitor, answer for its agent, see its end."""
        vmid, process = guest.vmid, self._process(guest.vmid)
        pid = process.pid
        if pid is None:
            raise TaskError("start failed: the machine has ended at once")
        monitor = Monitor(process.socket("qmp"))
        await monitor.open()
        self._guests[vmid] = guest
        self._monitors[vmid] = monitor
        self._agents[vmid] = Agent(vmid, process.socket("agent"), monitor)
        self._watch.follow(vmid, pid)

    async def _wake(self, guest: Guest, log: Log) -> None:
        notes = self._notes(guest.vmid)
        if (tag := notes.memory) is None:
            return
        notes.keep_memory(None)  # a state that cannot be loaded is not tried again
        try:
            files = self._media.files(guest, guest.config)
            await states.wake(files, tag, self._monitors[guest.vmid])
        except TaskError:
            log("the kept memory cannot be loaded: the next start boots the guest")
            raise

    async def _pull_cables(self, guest: Guest) -> None:
        plugging = self._plugging(guest)
        for card in cards(guest.config):
            if not card.connected:
                await plugging.link(card)

    def _plugging(self, guest: Guest) -> Plugging:
        return Plugging(guest.vmid, guest.node, self._monitors[guest.vmid], self._taps)

    async def shutdown(self, guest: Guest, timeout_s: float, _log: Log) -> bool:
        """Ask the agent, else press the power button: again and again, as a guest that boots
        does not hear it."""
        vmid = guest.vmid
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        self._ending.add(vmid)
        try:
            with contextlib.suppress(ApiError, TaskError, TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self.agent(guest, "shutdown", {"mode": "powerdown"})
            while loop.time() < until:
                with contextlib.suppress(TaskError):
                    await self._monitors[vmid].order("system_powerdown")
                if await self._process(vmid).gone(min(PRESS_S, max(until - loop.time(), 0))):
                    await self._clear(vmid)
                    return True
            return False
        finally:
            self._ending.discard(vmid)

    async def stop(self, guest: Guest, _log: Log, /) -> None:
        """Let QEMU end, which writes its disks' tables; kill one that does not."""
        self._ending.add(guest.vmid)
        try:
            await self._end(guest.vmid)
        finally:
            self._ending.discard(guest.vmid)

    async def _end(self, vmid: int) -> None:
        process = self._process(vmid)
        monitor = self._monitors.get(vmid)
        if monitor is not None and process.pid is not None:
            with contextlib.suppress(TaskError, TimeoutError):
                async with asyncio.timeout(END_S):
                    await monitor.order("quit")
                    await process.gone(END_S)
        process.kill()
        if not await process.gone(END_S):
            raise TaskError(f"processes of VM {vmid} do not end")
        await self._clear(vmid)

    async def _clear(self, vmid: int) -> None:
        """Remove what stays behind a guest that has ended: its taps, sockets and group."""
        self._watch.drop(vmid)
        self._guests.pop(vmid, None)
        if agent := self._agents.pop(vmid, None):
            await agent.close()
        if monitor := self._monitors.pop(vmid, None):
            await monitor.close()
        await self._taps.disconnect_all(vmid)
        self._process(vmid).forget()
        self._usage.forget(vmid)
        self._notes(vmid).forget_start()

    async def _ended(self, vmid: int) -> None:
        """A machine has ended by itself: its participant has switched it off."""
        guest = self._guests.get(vmid)
        if vmid not in self._ending and guest is not None:
            await note_end(guest, lambda: self._process(vmid).pid is not None, self._clear)

    def _monitor(self, guest: Guest) -> Monitor:
        found = self._monitors.get(guest.vmid)
        if found is None:
            raise TaskError(f"VM {guest.vmid} not running")
        return found

    async def reset(self, guest: Guest) -> None:
        """Press the reset button."""
        await self._monitor(guest).order("system_reset")

    async def pause(self, guest: Guest) -> None:
        """Stop the machine's processors."""
        await self._monitor(guest).order("stop")

    async def resume(self, guest: Guest) -> None:
        """Let them go on."""
        await self._monitor(guest).order("cont")

    async def reconfigure(self, guest: Guest, changed: frozenset[str]) -> None:
        """Plug cards and drives in and out."""
        self._guests[guest.vmid] = guest
        notes = self._notes(guest.vmid)
        config, media = notes.read()
        plugging = self._plugging(guest)
        try:
            if any(key.startswith("net") for key in changed):
                await plugging.cards(config, guest.config)
            wanted = dict(media)
            for key in changed & (media.keys() | {key for key, _ in guest.drives()}):
                wanted.pop(key, None)
                if key in guest.config:
                    drive = parse_drive(key, guest.config[key])
                    wanted[key] = await self._media.one(guest, key, drive, notes.home)
            await plugging.drives(media, wanted, guest.config)
        except TaskError as error:
            raise failure(f"hotplug problem - {error}") from error
        finally:
            notes.forget_secrets()
        notes.write(guest.config, wanted)

    async def resize(self, guest: Guest, key: str, size: int) -> None:
        """Tell a running machine that a disk has grown."""
        monitor = self._monitors.get(guest.vmid)
        if monitor is not None:
            await monitor.order("block_resize", size=size, **{"node-name": node_name(key)})

    async def migrate(self, guest: Guest, target: str, log: Log) -> None:
        """Plug the machine into another host; it goes on."""
        if guest.running:
            await self._taps.move(guest.vmid, target)
            log("the lab's hosts share one machine: the guest goes on, its cards have moved")

    async def clone(
        self, source: Guest, vmid: int, snapshot: str | None, /, *, linked: bool
    ) -> None:
        """Copy what is to be copied now; a linked clone's files are made when it starts."""
        if not linked:
            await self._copies.of_clone(source, vmid, snapshot, self._monitors.get(source.vmid))

    async def fill(self, guest: Guest) -> None:
        """Make the copies now that volumes of a guest are said to be."""
        await self._copies.fill(guest)

    async def destroy(self, guest: Guest) -> None:
        """Remove logs and states; the files of disks go with their volumes."""
        self._notes(guest.vmid).remove()

    async def snapshot(self, guest: Guest, name: str, with_memory: bool, /) -> None:
        """Keep the disks' state in their files, and the memory's beside it."""
        for _, volid in guest.disks(guest.config):
            await self._disks.file(guest.lab, volid, guest.node)
        suspends = guest.config.get("lock") == "suspending"
        tag = states.SUSPENDED if suspends else name
        files = self._media.files(guest, guest.config)
        monitor = self._monitors.get(guest.vmid)
        await states.take(files, tag, monitor, with_memory=with_memory)
        if suspends:
            self._notes(guest.vmid).keep_memory(tag)

    async def drop_snapshot(self, guest: Guest, name: str) -> None:
        """Forget a snapshot."""
        files = self._media.files(guest, guest.snapshot(name))
        monitor = self._monitors.get(guest.vmid)
        used = self._media.files(guest, guest.config) if monitor else {}
        attached = {key: file for key, file in files.items() if used.get(key) == file}
        await states.drop(attached, name, monitor)
        rest = {key: file for key, file in files.items() if key not in attached}
        await states.drop(rest, name, None)

    async def roll_back(self, guest: Guest, name: str) -> None:
        """Bring the disks back; a memory that was kept is loaded by the start that follows."""
        snap, notes = guest.snapshot(name), self._notes(guest.vmid)
        notes.keep_memory(None)
        files = self._media.files(guest, snap)
        if len(files) < len([key for key, _ in guest.disks(snap) if key != "tpmstate0"]):
            raise TaskError(f"snapshot '{name}' has no disk")
        await states.go_back(files, name)
        if snap.get("vmstate"):
            notes.keep_memory(name)

    async def agent(self, guest: Guest, command: str, arguments: dict[str, Any], /) -> Any:
        """What the guest's agent answers; None when none has opened its port."""
        agent = self._agents.get(guest.vmid)
        return None if agent is None else await agent.ask(command, arguments)

    async def console(self, guest: Guest, port: str, /) -> View:
        """The machine's serial port; the others that a configuration may have are not there."""
        if port != "serial0":
            raise TaskError("guests of the lab's engine qemu have the port serial0 only")
        if guest.vmid not in self._monitors:
            raise TaskError(f"VM {guest.vmid} not running")
        return await self._consoles.open(self._process(guest.vmid).socket("serial0"))

    @contextlib.asynccontextmanager
    async def disk(self, guest: Guest, /) -> AsyncIterator[Disk]:
        """The root partition of the disk that the guest would start from."""
        await self._holder.start()
        volid = system_disk(guest)
        file = await self._disks.file(guest.lab, volid, guest.node)
        async with opened(self._holder.inside(), file) as disk:
            yield disk

    def figures(self, vmid: int, config: dict[str, Any]) -> Figures:
        """What a running guest uses now; its disks' figures may be some seconds old."""
        monitor = self._monitors.get(vmid)
        if monitor is None:
            return Figures()
        hosts = {NAMESPACES / self._plumb.namespace(host) for host in self._taps.hosts(vmid)}
        return self._usage.figures(self._process(vmid), monitor, config, hosts)

    async def reconcile(self, guests: Iterable[Guest]) -> frozenset[int]:
        """Take over guests that go on; end those that the lab does not know as running."""
        known = {guest.vmid: guest for guest in guests}
        alive = set()
        for vmid in processes.running(self._holder):
            if vmid in known:
                with contextlib.suppress(TaskError):
                    await self._join(known[vmid])
                    alive.add(vmid)
        await self._plumb.reconcile(alive)
        for vmid in (processes.running(self._holder) | known.keys()) - alive:
            await self._end(vmid)
        return frozenset(alive)

    async def close(self) -> None:
        """Let go of the guests, which go on without this process."""
        self._watch.close()
        self._consoles.close()
        for vmid, monitor in self._monitors.items():
            await self._agents[vmid].close()
            await monitor.close()
