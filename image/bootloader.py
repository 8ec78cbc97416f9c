"""GRUB for BIOS and for UEFI, from the tree's own packages, without a device to install it on.

For BIOS the first sector names the sector of the core image, which lies in a partition of its
own; the core's first sector names where its rest is. Both numbers are written here.
"""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

from .problems import ImageError
from .recipes import Recipe
from .settings import boot_prefix

MODULES = (
    "part_gpt", "ext2", "search", "search_fs_uuid", "normal", "configfile", "linux", "serial",
    "terminal", "echo", "test", "gzio",
)  # fmt: skip
_CORE_SECTOR = 0x5C  # in boot.img
_REST_SECTOR = 0x1F4  # in the core's first sector


def bios(tree: Path, recipe: Recipe, *, first_sector: int) -> tuple[bytes, bytes]:
    """The disk's first 440 bytes, and the core image to be written at `first_sector`."""
    core = bytearray(_image(tree, recipe, "i386-pc", "biosdisk"))
    struct.pack_into("<Q", core, _REST_SECTOR, first_sector + 1)
    boot = bytearray((tree / "usr/lib/grub/i386-pc/boot.img").read_bytes())
    struct.pack_into("<Q", boot, _CORE_SECTOR, first_sector)
    return bytes(boot[:440]), bytes(core)


def uefi(tree: Path, recipe: Recipe) -> bytes:
    """The program that firmware starts from a disk it does not know: EFI/BOOT/BOOTX64.EFI."""
    return _image(tree, recipe, "x86_64-efi", "fat", "efi_gop", "efi_uga", "all_video")


def _image(tree: Path, recipe: Recipe, platform: str, *more: str) -> bytes:
    prefix, made = tree / "tmp/prefix.cfg", tree / "tmp/core.img"
    prefix.write_text(boot_prefix(recipe))
    command = ["chroot", str(tree), "grub-mkimage", "--format", platform]
    command += ["--config", "/tmp/prefix.cfg", "--prefix", "/boot/grub"]  # noqa: S108 - the tree's
    command += ["--output", "/tmp/core.img", *MODULES, *more]  # noqa: S108 - the tree's
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ImageError(f"the boot loader cannot be made: {done.stderr.strip()}")
    content = made.read_bytes()
    prefix.unlink()
    made.unlink()
    return content
