"""The whole disk: partition table, boot loaders and root file system, packed as qcow2."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from pathlib import Path

from . import bootloader, ext4, fat, gpt
from .problems import ImageError
from .recipes import Recipe

MIB = 1024 * 1024
SECTORS_PER_MIB = MIB // gpt.SECTOR
BIOS_FIRST_MIB, ESP_FIRST_MIB, ROOT_FIRST_MIB = 1, 2, 18
ESP_FILE = "EFI/BOOT/BOOTX64.EFI"


def root_offset() -> int:
    """Where the root file system begins on the disk, in bytes."""
    return ROOT_FIRST_MIB * MIB


def make(tree: Path, target: Path, recipe: Recipe, *, built: float, epoch: int) -> None:
    """Write the disk of a finished tree to `target`; uses the folder it is in for what is half
    made."""
    sectors = recipe.size_gib * 1024 * SECTORS_PER_MIB
    parts = _partitions(recipe, sectors)
    first = parts[0].first
    boot, core = bootloader.bios(tree, recipe, first_sector=first)
    if len(core) > (parts[0].last - first + 1) * gpt.SECTOR:
        raise ImageError("the boot loader's core is larger than its partition")
    esp_sectors = parts[1].last - parts[1].first + 1
    esp = fat.with_file(
        ESP_FILE,
        bootloader.uefi(tree, recipe),
        sectors=esp_sectors,
        serial=recipe.disk_id.fields[0],
    )
    root, raw = target.with_suffix(".ext4"), target.with_suffix(".raw")
    size = (parts[2].last - parts[2].first + 1) * gpt.SECTOR
    ext4.make(tree, root, recipe, size=size, built=built, epoch=epoch)
    with raw.open("wb") as disk:
        disk.truncate(sectors * gpt.SECTOR)
        table = gpt.tables(parts, sectors=sectors, disk_id=recipe.disk_id, boot_code=boot)
        for sector, content in [*table, (first, core), (parts[1].first, esp)]:
            disk.seek(sector * gpt.SECTOR)
            disk.write(content)
    _place(root, raw)
    root.unlink()
    _pack(raw, target)
    raw.unlink()


def _partitions(recipe: Recipe, sectors: int) -> list[gpt.Partition]:
    def partition(number: int, kind: uuid.UUID, first: int, end: int, name: str) -> gpt.Partition:
        unique = recipe.root_id if number == 3 else uuid.uuid5(recipe.disk_id, name)
        return gpt.Partition(kind=kind, unique=unique, first=first, last=end - 1, name=name)

    bios, esp, root = (
        mib * SECTORS_PER_MIB for mib in (BIOS_FIRST_MIB, ESP_FIRST_MIB, ROOT_FIRST_MIB)
    )
    # The last MiB is the second table's.
    end = sectors - SECTORS_PER_MIB
    return [
        partition(1, gpt.BIOS_BOOT, bios, esp, "bios"),
        partition(2, gpt.EFI_SYSTEM, esp, root, "esp"),
        partition(3, gpt.LINUX_ROOT, root, end, "root"),
    ]


def _place(root: Path, raw: Path) -> None:
    """Copy the file system to its place; holes stay holes."""
    command = ["dd", f"if={root}", f"of={raw}", "bs=1M", f"seek={ROOT_FIRST_MIB}"]
    _run([*command, "conv=sparse,notrunc", "status=none"], "the disk cannot be written")


def _pack(raw: Path, target: Path) -> None:
    if shutil.which("qemu-img") is None:
        raise ImageError("qemu-img is missing; on Debian type: apt install qemu-utils")
    # One worker: the order of compressed clusters follows from the content then.
    command = ["qemu-img", "convert", "-m", "1", "-f", "raw", "-O", "qcow2", "-c"]
    command += ["-o", "compression_type=zstd", str(raw), str(target)]
    _run(command, "the disk cannot be packed")


def _run(command: list[str], failed: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ImageError(f"{failed}: {done.stderr.strip()}")
