"""Recipes, mirrors, the epoch, and what an unclean tree is refused for."""

from __future__ import annotations

import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest

from image import ext4, hygiene, mirror, places, settings
from image.__main__ import main
from image.build import epoch_of
from image.problems import ImageError
from image.recipes import FLAVOURS, NAMES, recipe

MIRROR = "http://mirror.example.org/debian"


def test_every_recipe_has_an_identity_of_its_own() -> None:
    found = [recipe(name, flavour) for name in NAMES for flavour in FLAVOURS]
    assert len({each.root_id for each in found}) == len({each.file for each in found}) == len(found)


def test_only_bookworm_has_ganglia() -> None:
    assert "gmetad" in recipe("debian-12", "exercises").packages
    assert "gmetad" not in recipe("debian-13", "exercises").packages
    assert "slurmd" not in recipe("debian-12").packages


def test_a_name_without_a_recipe_is_told_with_those_that_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "debian-11", "--folder", str(tmp_path)]) == 1
    assert "there are debian-12, debian-13" in capsys.readouterr().err


def test_the_mirror_is_the_one_that_apt_has() -> None:
    targets = [
        ("http://tools.example.org/apt/", "stable", "Somebody"),
        (f"{MIRROR}/", "bookworm", "Debian"),
        (f"{MIRROR}/", "bookworm-updates", "Debian"),
        (f"{MIRROR}-security/", "bookworm-security", "Debian"),
    ]
    assert mirror.choose(targets) == (MIRROR, f"{MIRROR}-security")
    assert mirror.choose(targets[:2]) == (MIRROR, None)
    with pytest.raises(ImageError, match="--mirror URL"):
        mirror.choose(targets[:1])


def test_the_epoch_is_the_recipes_unless_the_variable_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert epoch_of(recipe("debian-12")) == recipe("debian-12").epoch
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert epoch_of(recipe("debian-12")) == 1_700_000_000
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(ImageError, match="seconds since 1970"):
        epoch_of(recipe("debian-12"))


def test_an_image_of_another_recipe_is_told_apart(tmp_path: Path) -> None:
    wanted = recipe("debian-12")
    assert places.record(tmp_path, wanted) is None
    assert places.inputs_digest(wanted, 1) != places.inputs_digest(wanted, 2)
    assert places.inputs_digest(wanted, 1) != places.inputs_digest(recipe("debian-13"), 1)


def test_first_boots_fetch_no_packages() -> None:
    written = settings.files(recipe("debian-12"), [])["etc/cloud/cloud.cfg.d/90_practicum.cfg"]
    assert "package-update-upgrade-install" not in written


def unclean(tree: Path) -> None:
    for name in (*hygiene.EMPTY, "etc/ssh", "etc/munge", "var/lib/apt/lists/partial"):
        (tree / name).mkdir(parents=True, exist_ok=True)
    for name in ("etc/ssh/ssh_host_rsa_key", "etc/munge/munge.key", "var/lib/apt/lists/x_Packages",
                 "var/log/dpkg.log", "etc/passwd-"):  # fmt: skip
        (tree / name).write_text("x")
    (tree / "etc/machine-id").write_text("0123\n")
    (tree / "etc/shadow").write_text("root:*:1::::::\n")


def test_what_is_left_over_is_found_and_removed(tmp_path: Path) -> None:
    unclean(tmp_path)
    found = "\n".join(hygiene.faults(tmp_path))
    for name in ("ssh_host_rsa_key", "munge.key", "x_Packages", "dpkg.log", "etc/passwd-",
                 "machine-id"):  # fmt: skip
        assert name in found
    hygiene.clean(tmp_path)
    assert hygiene.faults(tmp_path) == []


def test_a_login_with_a_password_is_a_fault(tmp_path: Path) -> None:
    unclean(tmp_path)
    hygiene.clean(tmp_path)
    (tmp_path / "etc/shadow").write_text("root:$5$x$y:1::::::\n")
    assert hygiene.faults(tmp_path) == ["root has a password"]


@pytest.mark.skipif(shutil.which("mke2fs") is None, reason="mke2fs is not installed")
def test_a_file_system_made_twice_is_the_same_and_sound(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/old").write_text("from a package")
    (tree / "link").symlink_to("etc/old")
    started = time.time()
    made = []
    for number in (1, 2):
        (tree / "etc/new").write_text("from the build")
        target = tmp_path / f"{number}.ext4"
        # 136 MiB: a second group, with a copy of the superblock.
        ext4.make(
            tree, target, recipe("debian-12"), size=136 << 20, built=started - 1, epoch=1_000_000
        )
        made.append(target.read_bytes())
        time.sleep(1.1)  # the next one is of another second
    assert made[0] == made[1]
    assert struct.unpack_from("<I", made[0], 1024 + 48) == (1_000_000,)
    check = subprocess.run(
        ["e2fsck", "-f", "-n", str(tmp_path / "1.ext4")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert check.returncode == 0, check.stdout


def test_an_empty_folder_is_told_with_what_to_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", "--folder", str(tmp_path)]) == 0
    assert "type: ./practicum image build debian-12" in capsys.readouterr().out


def test_a_machine_without_root_or_programs_is_told_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert main(["build", "debian-12", "--folder", str(tmp_path)]) == 1
    assert "needs root" in capsys.readouterr().err
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["build", "debian-12", "--folder", str(tmp_path)]) == 1
    assert "apt install mmdebstrap" in capsys.readouterr().err
