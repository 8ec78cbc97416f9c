"""What is kept of a machine beside its disks: what it was started as, and a memory to go on from.

A lab that is killed leaves machines behind; the next one has to know what they are like to change
them.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.engines.qemu.drives import Medium
from lab.errors import failure

_OF_ONE_START = ("seed.iso", "variables.qcow2", "running.json")


@dataclass(frozen=True, slots=True)
class Notes:
    """The folder of one guest."""

    vmid: int
    home: Path

    def make(self) -> None:
        """Make the folder; it has secrets."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, config: dict[str, Any], media: dict[str, Medium]) -> None:
        """Keep what the machine is like."""
        shown = {key: [str(m.file or ""), m.form, m.cdrom] for key, m in media.items()}
        path = self.home / "running.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps({"config": config, "media": shown}))

    def read(self) -> tuple[dict[str, Any], dict[str, Medium]]:
        """The configuration and media that the machine has now."""
        try:
            found = json.loads((self.home / "running.json").read_text())
        except (OSError, ValueError) as error:
            raise failure(f"what VM {self.vmid} was started as is not known any more") from error
        media = {
            key: Medium(file=Path(file) if file else None, form=form, cdrom=cdrom)
            for key, (file, form, cdrom) in found["media"].items()
        }
        return found["config"], media

    @property
    def memory(self) -> str | None:
        """The name of the state that the next start goes on from."""
        try:
            return (self.home / "memory").read_text()
        except OSError:
            return None

    def keep_memory(self, name: str | None) -> None:
        """Have the next start go on from a state, or boot."""
        if name is None:
            (self.home / "memory").unlink(missing_ok=True)
        else:
            self.make()
            (self.home / "memory").write_text(name)

    def forget_start(self) -> None:
        """The machine is off."""
        for name in _OF_ONE_START:
            (self.home / name).unlink(missing_ok=True)

    def forget_secrets(self) -> None:
        """Remove the name of the cloud-init drive, which the machine has open."""
        (self.home / "seed.iso").unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.home, ignore_errors=True)
