"""The way by a host, with a stand-in for SSH and for Proxmox VE's own programs; partition, mount,
lock and files are real."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import time
from pathlib import Path

import pytest

from event.model import Site
from event.problems import RunError
from event.services_model import Ssh
from event.stack import SiteStack
from operate.disk import ways
from operate.disk.verb import Work
from operate.disk.ways import HostWay, way_to
from plan.guest_disk import host_script
from tests.operate.disk.test_program import LINUX, SYSTEM, table

PATIENCE_S = 60
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
START = 4096
SSH = """\
#!/bin/sh
printf '%s\\n' "$@" > "$HERE/words"
for last; do :; done
exec sh -c "$last"
"""
QM = """\
#!/bin/sh
case $1 in
status) cat "$HERE/status" ;;
config) cat "$HERE/config" ;;
esac
"""
STORAGE = """\
package PVE::Storage;
sub config { return {} }
sub activate_volumes { print STDERR "" }
sub map_volume { return "$ENV{HERE}/disk.raw" }
sub path { return "$ENV{HERE}/disk.raw" }
sub parse_volname { return ('images', 'disk', 100, undef, undef, 0, 'raw') }
sub unmap_volume { open(my $file, '>', "$ENV{HERE}/unmapped") }
sub deactivate_volumes { }
1;
"""


class Host:
    """A host's programs in a folder, and a guest's disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in {"bin/ssh": SSH, "bin/qm": QM, "lib/PVE/Storage.pm": STORAGE}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
        (folder / "config").write_text("memory: 512\nscsi0: tank:vm-100-disk-0,size=8G\n")
        (folder / "status").write_text("status: stopped\n")
        etc = folder / "content" / "etc"
        etc.mkdir(parents=True)
        (etc / "fstab").write_text("/dev/none / ext4 defaults 0 1\n")
        os.chown(etc / "fstab", 0, 42)
        (etc / "fstab").chmod(0o640)
        disk = folder / "disk.raw"
        disk.write_bytes(table((SYSTEM, 2048), (LINUX, START)))
        made = ["-F", "-q", "-t", "ext4", "-d", str(folder / "content"), "-E"]
        subprocess.run(["mke2fs", *made, f"offset={START * 512}", str(disk), "8M"], check=True)

    def left(self) -> list[str]:
        """Mounts and loops of the disk."""
        mounts = [line for line in Path("/proc/mounts").read_text().splitlines()
                  if str(self.folder) in line]  # fmt: skip
        loops = [
            str(path)
            for path in Path("/sys/block").glob("loop*/loop/backing_file")
            if str(self.folder) in _text(path)
        ]
        return mounts + loops


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    if os.geteuid() != 0:
        pytest.skip("disks are mounted as root only")
    if not Path("/dev/loop-control").exists():
        pytest.skip("this machine has no loop devices")
    host = Host(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("HERE", str(tmp_path))
    monkeypatch.setenv("PERL5LIB", str(tmp_path / "lib"))
    locks = str(tmp_path / "locks")
    monkeypatch.setattr(ways, "host_script", lambda: host_script(locks=locks))
    return host


SETTINGS = Ssh.model_validate(
    {"keyFile": "~/key", "hosts": {"pve01": {"address": "192.0.2.1", "hostKey": KEY}}}
)


@pytest.fixture
def work(host: Host) -> Work:
    return Work(HostWay(ssh=SETTINGS, host="pve01", vmid=100), "c07-n2")


def test_files_are_read_and_written_and_nothing_is_left(
    host: Host, work: Work, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    fresh = tmp_path / "fstab"
    assert work.do("get", ["/etc/fstab", str(fresh)]) == 0
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o600
    fresh.write_text(fresh.read_text().replace("none", "vda1"))
    assert work.do("put", [str(fresh), "/etc/fstab"]) == 0
    assert work.do("ls", ["/etc"]) == 0
    assert work.do("get", ["etc/fstab"]) == 0
    out = capfdbinary.readouterr().out.decode()
    assert out.startswith("-rw-r-----     0    42")
    assert out.endswith("fstab\n/dev/vda1 / ext4 defaults 0 1\n")
    assert host.left() == []
    assert (host.folder / "unmapped").exists()


def test_the_hosts_key_is_the_one_of_the_file(host: Host, work: Work) -> None:
    work.do("ls", [])
    words = (host.folder / "words").read_text()
    for word in ("StrictHostKeyChecking=yes", "HostKeyAlias=pve01", "BatchMode=yes"):
        assert f"-o\n{word}\n" in words
    assert "root@192.0.2.1\n--\n" in words
    assert str(Path("~/key").expanduser()) in words


def test_a_shell_of_the_host_works_in_the_guests_root_folder(
    host: Host, work: Work, capfd: pytest.CaptureFixture[str]
) -> None:
    assert work.do("shell", ["pwd; cat etc/fstab; exit 7"]) == 7
    assert capfd.readouterr().out == "/mnt/disk\n/dev/none / ext4 defaults 0 1\n"
    script = "cp /bin/true . && ./true || echo no programs of it; mknod null c 1 3; cat null"
    assert work.do("shell", [script]) == 1
    assert "no programs of it" in capfd.readouterr().out
    assert host.left() == []


def test_an_editor_changes_a_file_in_place(
    host: Host, work: Work, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VISUAL", "sed -i s/none/vda1/")
    assert work.do("edit", ["/etc/fstab"]) == 0
    assert work.do("ls", ["/etc/fstab"]) == 0
    assert work.do("get", ["/etc/fstab"]) == 0
    out = capfd.readouterr().out
    assert out.startswith("-rw-r-----     0    42")
    assert "/dev/vda1" in out
    monkeypatch.setenv("VISUAL", "true")
    assert work.do("edit", ["/etc/fstab"]) == 0
    assert capfd.readouterr().err == "nothing was changed\n"
    monkeypatch.setenv("VISUAL", "false")
    with pytest.raises(RunError, match="nothing was changed"):
        work.do("edit", ["/etc/fstab"])


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("status", "status: running\n", "VM 100 is running: switch it off first"),
        ("config", "lock: backup\nscsi0: tank:x\n", r"VM 100 is locked \(backup\)"),
        ("config", "memory: 512\n", "VM 100 has no disk scsi0"),
    ],
)
def test_a_guest_that_may_not_be_touched_is_refused(
    host: Host, work: Work, file: str, text: str, told: str
) -> None:
    (host.folder / file).write_text(text)
    with pytest.raises(RunError, match=rf"^c07-n2: {told}$"):
        work.do("ls", [])
    assert host.left() == []


def test_proxmox_waits_as_long_as_somebody_works_on_it_and_no_longer(
    host: Host, work: Work
) -> None:
    ready = host.folder / "ready"
    words = ["ssh", "--", f"sh -c '{_quoted()}' sh 100 shell 'touch {ready}; sleep 1000'"]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        _until(ready.exists)
        lock = (host.folder / "locks" / "lock-100.conf").open("w")
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for pid in _named("unshare", process.pid):
            os.kill(pid, 9)
        process.wait(PATIENCE_S)
        _until(lambda: not host.left())
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.close()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert work.do("ls", []) == 0


def _quoted() -> str:
    return host_script(locks=str(Path(os.environ["HERE"]) / "locks")).replace("'", "'\\''")


def _until(done: object) -> None:
    assert callable(done)
    end = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


def _named(name: str, session: int) -> list[int]:
    """Processes of a session by their name."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        head, _, rest = _text(path).rpartition(")")
        if head.endswith(f"({name}") and int(rest.split()[3]) == session:
            found.append(int(path.parent.name))
    assert found
    return found


def test_a_site_without_ssh_to_its_hosts_is_told_in_one_line(tmp_path: Path) -> None:
    site = {
        "api": {"endpoint": "https://pve.example.org:8006"},
        "hosts": [{"name": "pve01", "cores": 8, "memoryGib": 8, "diskGib": 8}],
        "storages": {"local": {"type": "dir"}},
    }
    stack = SiteStack(
        name="campus", path=tmp_path / "Pulumi.campus.yaml", locate=lambda _path: None,
        site=Site.model_validate(site), lab=None,
    )  # fmt: skip
    with pytest.raises(
        RunError, match=r"^campus has no SSH to pve01, .* site\.ssh\.hosts in "
    ) as no:
        way_to(stack, None, "pve01", 100)
    assert "\n" not in str(no.value)
