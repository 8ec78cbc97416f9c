"""What guests write: a folder for each, laid over the image; snapshots are copies of it."""

from __future__ import annotations

from pathlib import Path

from lab.engines.lxc.programs import run
from lab.errors import TaskError


class Disks:
    """The disks of one lab's guests, below `folder`/VMID.

    `disk/upper` is what the guest has written, `snapshots/NAME` what it was, `base` the number of
    the template that a linked clone reads through, `image` the bits that all of it lies over.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def home(self, vmid: int) -> Path:
        """Everything of a guest."""
        return self._folder / str(vmid)

    def upper(self, vmid: int) -> Path:
        """What the guest has written."""
        return self.home(vmid) / "disk" / "upper"

    def make(self, vmid: int) -> Path:
        """The folder that the guest writes to, there after this."""
        upper = self.upper(vmid)
        upper.mkdir(parents=True, exist_ok=True)
        for each in (self._folder, self.home(vmid)):
            each.chmod(0o711)
        return upper

    def lower(self, vmid: int) -> list[Path]:
        """What templates below a guest have written, the nearest first."""
        found, seen = [], {vmid}
        while (base := self._base(vmid)) is not None and base not in seen:
            seen.add(base)
            vmid = base
            if self.upper(vmid).is_dir():
                found.append(self.upper(vmid))
        return found

    def _base(self, vmid: int) -> int | None:
        try:
            return int((self.home(vmid) / "base").read_text())
        except (OSError, ValueError):
            return None

    def link(self, source: int, vmid: int) -> None:
        """Make a guest read through a template, if that or one below it was ever written to, and
        lie over the same bits."""
        if self.upper(source).is_dir() or self._base(source) is not None:
            self.home(vmid).mkdir(parents=True, exist_ok=True)
            (self.home(vmid) / "base").write_text(str(source))
        self._share_image(source, vmid)

    async def copy(self, source: int, vmid: int, snapshot: str | None) -> None:
        """Give a guest a copy of what another one has written, now or at a snapshot."""
        place = self._snapshot(source, snapshot) if snapshot else self.upper(source)
        if (base := self._base(source)) is not None:
            self.home(vmid).mkdir(parents=True, exist_ok=True)
            (self.home(vmid) / "base").write_text(str(base))
        self._share_image(source, vmid)
        if place.is_dir():
            self.upper(vmid).parent.mkdir(parents=True, exist_ok=True)
            await _copy(place, self.upper(vmid))

    def _share_image(self, source: int, vmid: int) -> None:
        if (image := self.home(source) / "image").exists():
            self.home(vmid).mkdir(parents=True, exist_ok=True)
            (self.home(vmid) / "image").write_text(image.read_text())

    async def snapshot(self, vmid: int, name: str) -> None:
        """Keep what the guest has written under a name; it must not write meanwhile."""
        place = self._snapshot(vmid, name)
        fresh = place.with_name(f".{name}.part")
        place.parent.mkdir(parents=True, exist_ok=True)
        await _remove(fresh)
        self.make(vmid)
        await _copy(self.upper(vmid), fresh)
        await _remove(place)
        fresh.rename(place)

    async def roll_back(self, vmid: int, name: str) -> None:
        """Bring back what was kept under a name; the guest is off."""
        place = self._snapshot(vmid, name)
        if not place.is_dir():
            raise TaskError(f"snapshot '{name}' has no disk")
        upper = self.make(vmid)
        fresh, old = upper.with_name("upper.part"), upper.with_name("upper.old")
        await _remove(fresh)
        await _copy(place, fresh)
        await _remove(old)
        upper.rename(old)
        fresh.rename(upper)
        await _remove(old)
        await _remove(upper.parent / "olwork")

    async def drop(self, vmid: int, name: str) -> None:
        """Forget a snapshot."""
        await _remove(self._snapshot(vmid, name))

    async def remove(self, vmid: int) -> None:
        """Remove everything of a guest."""
        await _remove(self.home(vmid))

    def _snapshot(self, vmid: int, name: str) -> Path:
        return self.home(vmid) / "snapshots" / name


async def _copy(source: Path, target: Path) -> None:
    await run("cp", "-a", "--reflink=auto", str(source), str(target))


async def _remove(path: Path) -> None:
    if path.exists():
        await run("rm", "-rf", "--one-file-system", str(path))
