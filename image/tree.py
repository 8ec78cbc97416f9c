"""The root tree of an image: Debian's packages by mmdebstrap, our settings, nothing left over."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from . import confined, hygiene, settings
from .problems import ImageError
from .recipes import IDLE_SERVICES, Recipe

# Guests are looked up in, not read at: their manuals are on the web.
LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*")
KEPT = ("/usr/share/doc/*/copyright", "/usr/share/locale/locale.alias")


def make(tree: Path, recipe: Recipe, sources: list[str], epoch: int, log: Path) -> None:
    """Fill an absent folder; `ImageError` with the last words of what has failed."""
    _bootstrap(tree, recipe, sources, log)
    for name, content in settings.files(recipe, sources).items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            path.unlink()
        path.write_text(content)
    (tree / "etc/dpkg/dpkg.cfg.d/99mmdebstrap").rename(tree / "etc/dpkg/dpkg.cfg.d/practicum")
    _services(tree)
    _initramfs(tree, epoch, log)
    _shadow_dates(tree, epoch)


def packages(tree: Path) -> dict[str, str]:
    """Versions of the installed packages by name."""
    status = (tree / "var/lib/dpkg/status").read_text()
    found = {}
    for paragraph in status.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Version|Status): (.*)$", paragraph, re.M))
        if fields.get("Status", "").endswith(" installed"):
            found[fields["Package"]] = fields["Version"]
    return dict(sorted(found.items()))


def tidy(tree: Path) -> None:
    """Remove what the build has left; `ImageError` when something unwanted stays."""
    hygiene.clean(tree)
    if found := hygiene.faults(tree):
        raise ImageError("the image is not clean: " + "; ".join(found))


def _bootstrap(tree: Path, recipe: Recipe, sources: list[str], log: Path) -> None:
    command = ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory"]
    command += [f"--include={','.join(recipe.packages)}", "--aptopt=Apt::Install-Recommends false"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    command += [f"--dpkgopt=path-include={pattern}" for pattern in KEPT]
    # The initial RAM disk is made once, at the end, and not for each package that asks for it.
    variables = {**os.environ, "INITRD": "No", "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
    variables.pop("SOURCE_DATE_EPOCH", None)  # modules of Python would be checked at each start
    variables["TMPDIR"] = str(tree.parent)
    done = confined.run([*command, recipe.suite, str(tree), *sources], log, variables)
    if done != 0:
        shutil.rmtree(tree, ignore_errors=True)
        raise ImageError(f"mmdebstrap has failed: {_last_words(log)} (log: {log})")


def _last_words(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("E:")] or lines or ["no word"]
    return told[0]


def _services(tree: Path) -> None:
    for name in IDLE_SERVICES:
        places = ("lib/systemd/system", "usr/lib/systemd/system")
        if any((tree / place / name).exists() for place in places):
            _systemctl(tree, "disable", name)
    _systemctl(tree, "enable", "systemd-networkd.service", "systemd-resolved.service")


def _systemctl(tree: Path, verb: str, *units: str) -> None:
    command = ["systemctl", f"--root={tree}", verb, *units]
    if shutil.which("systemctl") is None:
        command = ["chroot", str(tree), "systemctl", verb, *units]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ImageError(f"systemctl {verb} {' '.join(units)} has failed: {done.stderr.strip()}")


def _initramfs(tree: Path, epoch: int, log: Path) -> None:
    """One initial RAM disk for the one kernel, dated so that it is the same in every build."""
    variables = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "LC_ALL": "C.UTF-8"}
    variables.pop("TMPDIR", None)
    variables.pop("INITRD", None)
    for path in (tree / "boot").glob("initrd.img-*"):
        path.unlink()
    command = ["chroot", str(tree), "update-initramfs", "-c", "-k", "all"]
    if confined.run(command, log, variables) != 0:
        raise ImageError(f"update-initramfs has failed: {_last_words(log)} (log: {log})")
    kernels = sorted((tree / "boot").glob("vmlinuz-*"))
    if len(kernels) != 1:
        raise ImageError(f"one kernel is expected in the image, not {len(kernels)}")
    version = kernels[0].name.removeprefix("vmlinuz-")
    for link, target in (("vmlinuz", "vmlinuz"), ("initrd.img", "initrd.img")):
        (tree / link).unlink(missing_ok=True)
        (tree / link).symlink_to(f"boot/{target}-{version}")


def _shadow_dates(tree: Path, epoch: int) -> None:
    """Logins were last changed on the day of the epoch, not of the build."""
    day = str(epoch // 86_400)
    path = tree / "etc/shadow"
    rows = [line.split(":") for line in path.read_text().splitlines()]
    path.write_text("".join(":".join([*row[:2], day, *row[3:]]) + "\n" for row in rows))
