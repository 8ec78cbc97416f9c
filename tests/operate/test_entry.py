"""The `practicum` entry and the first run: what it accepts, what it says, what it never breaks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from operate.places import ROOT

SH = shutil.which("dash") or "sh"
TOOLS = ("cmp", "readlink", "sh", "cat", "env")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose command line only prints what it was given."""
    root = tmp_path / "check out"
    (root / "operate").mkdir(parents=True)
    shutil.copy(ROOT / "practicum", root)
    shutil.copy(ROOT / "operate" / "first_run.py", root / "operate")
    (root / "operate" / "__init__.py").write_text("")
    (root / "operate" / "__main__.py").write_text(
        "import os, sys\nprint('ran', os.getcwd(), *sys.argv[1:])\nsys.exit(3)\n"
    )
    (root / "requirements.txt").write_text("")
    return root


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A PATH of its own: the tools that the entry uses, and no Python yet."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found
        (folder / tool).symlink_to(found)
    return folder


def fake_python(path: Path, name: str, body: str) -> None:
    """A program on PATH under the name of a Python."""
    file = path / name
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)


def run(
    checkout: Path, path: Path, *arguments: str, cwd: Path | None = None, entry: Path | None = None
) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": str(path), "HOME": str(path.parent), "PIP_NO_INDEX": "1"}
    return subprocess.run(
        [SH, str(entry or checkout / "practicum"), *arguments],
        cwd=cwd or checkout,
        env=variables,
        capture_output=True,
        text=True,
    )


def real_python(path: Path, name: str = "python3", *, shadow: str = "") -> None:
    """The Python of this test under a name, with modules of `shadow` in front of its own."""
    variables = f"PYTHONPATH='{shadow}' " if shadow else ""
    fake_python(path, name, f'{variables}exec "{sys.executable}" "$@"')


def make_venv(checkout: Path) -> None:
    """A .venv that runs our Python, without a stamp."""
    folder = checkout / ".venv" / "bin"
    folder.mkdir(parents=True)
    (folder / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (folder / "python").chmod(0o755)


def stamped_venv(checkout: Path) -> None:
    make_venv(checkout)
    shutil.copy(checkout / "requirements.txt", checkout / ".venv" / "practicum.lock")


def test_a_venv_that_fits_is_used_without_looking_for_python(checkout: Path, path: Path) -> None:
    stamped_venv(checkout)
    done = run(checkout, path, "plan", "a b")
    assert (done.returncode, done.stdout) == (3, f"ran {checkout} plan a b\n")
    assert done.stderr == ""


def test_it_runs_through_a_symlink_and_from_another_folder(
    checkout: Path, path: Path, tmp_path: Path
) -> None:
    stamped_venv(checkout)
    links = tmp_path / "links"
    links.mkdir()
    (links / "inner").symlink_to(Path("..") / "check out" / "practicum")
    (links / "outer").symlink_to("inner")
    done = run(checkout, path, "plan", cwd=links, entry=links / "outer")
    assert (done.returncode, done.stdout) == (3, f"ran {links} plan\n")
    done = run(checkout, path, "plan", cwd=links, entry=Path("./outer"))
    assert done.stdout == f"ran {links} plan\n"


def test_a_module_in_the_present_folder_does_not_shadow_ours(
    checkout: Path, path: Path, tmp_path: Path
) -> None:
    stamped_venv(checkout)
    (tmp_path / "operate").mkdir()
    (tmp_path / "operate" / "__main__.py").write_text("print('shadow')")
    assert "shadow" not in run(checkout, path, cwd=tmp_path).stdout


def test_a_venv_made_by_hand_that_satisfies_the_lock_is_accepted(
    checkout: Path, path: Path
) -> None:
    make_venv(checkout)
    real_python(path)
    (checkout / "requirements.txt").write_text(
        "pytest==" + pytest.__version__ + " \\\n    --hash=sha256:00\n"
        "colorama==0.1 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n"
    )
    done = run(checkout, path)
    assert (done.returncode, done.stderr) == (3, "")
    assert (checkout / ".venv" / "practicum.lock").read_text().startswith("pytest==")


def test_a_changed_lock_is_installed_again_before_anything_runs(checkout: Path, path: Path) -> None:
    stamped_venv(checkout)
    real_python(path)
    (checkout / "requirements.txt").write_text("nobody-has-this==1 --hash=sha256:00\n")
    done = run(checkout, path)
    assert done.returncode == 1
    assert "ran" not in done.stdout
    assert not (checkout / ".venv" / "practicum.lock").exists()
    assert (checkout / ".venv" / "practicum.installing").exists()


def test_without_python_one_line_says_what_to_type(checkout: Path, path: Path) -> None:
    done = run(checkout, path)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "practicum: needs Python 3.11 or newer (no python3 on PATH); "
        "type: sudo apt install python3 python3-venv"
    ]


def test_an_old_python_is_named_and_a_newer_one_is_found(checkout: Path, path: Path) -> None:
    fake_python(path, "python3", "echo 3.9")
    done = run(checkout, path)
    assert "(python3 is Python 3.9)" in done.stderr
    make_venv(checkout)
    real_python(path, "python3.13")
    assert run(checkout, path).returncode == 3


def test_a_shim_that_fails_is_passed_over(checkout: Path, path: Path) -> None:
    fake_python(path, "python3", "echo 'python3: command not found' >&2; exit 127")
    make_venv(checkout)
    real_python(path, "python3.12")
    assert run(checkout, path).returncode == 3


def test_missing_ensurepip_names_the_package_to_install(
    checkout: Path, path: Path, tmp_path: Path
) -> None:
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    (shadow / "ensurepip.py").write_text("raise ImportError('No module named ensurepip')\n")
    real_python(path, shadow=str(shadow))
    done = run(checkout, path)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"type: sudo apt install python{version}-venv" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on "
            "device",
            "no disk space left for ",
        ),
        (
            "WARNING: Retrying: NewConnectionError: Failed to establish a new connection: [Errno "
            "-3] Temporary failure in name resolution\nERROR: No matching distribution found",
            "the package index cannot be reached; connect to the network, or name a mirror",
        ),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
            "a package differs from requirements.txt",
        ),
        (
            "ERROR: No matching distribution found for orjson==3",
            "is not offered for Python",
        ),
        ("ERROR: something else", "pip failed: ERROR: something else"),
    ],
)
def test_each_failure_of_pip_is_one_line_and_names_the_log(
    checkout: Path, path: Path, output: str, said: str
) -> None:
    make_venv(checkout)
    pip = f"""#!/bin/sh
case "$*" in
*install*) printf '%s\\n' "{output}"; exit 1 ;;
*) exec "{sys.executable}" "$@" ;;
esac
"""
    (checkout / ".venv" / "bin" / "python").write_text(pip)
    (checkout / "requirements.txt").write_text("nobody-has-this==1\n")
    real_python(path)
    done = run(checkout, path)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert said in last
    assert "Traceback" not in done.stderr
    log = Path(last.rpartition("details: ")[2].rstrip(")"))
    assert output.splitlines()[0] in log.read_text()
    assert str(log).startswith(str(path.parent))


@pytest.mark.wire
def test_a_half_made_venv_is_made_anew(checkout: Path, path: Path) -> None:
    make_venv(checkout)
    (checkout / ".venv" / "practicum.installing").touch()
    (checkout / ".venv" / "leftover").touch()
    real_python(path)
    done = run(checkout, path)
    assert done.returncode == 3, done.stderr
    assert not (checkout / ".venv" / "leftover").exists()
    assert (checkout / ".venv" / "practicum.lock").exists()
    assert not (checkout / ".venv" / "practicum.installing").exists()
    assert "practicum: ready" in done.stderr


@pytest.mark.wire
def test_two_starts_at_once_make_one_venv(checkout: Path, path: Path) -> None:
    real_python(path)
    variables = {"PATH": str(path), "HOME": str(path.parent), "PIP_NO_INDEX": "1"}
    runs = [
        subprocess.Popen(
            [SH, str(checkout / "practicum")],
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [each.communicate()[1] for each in runs]
    assert [each.returncode for each in runs] == [3, 3], said
    assert sum("making" in text and "/.venv with" in text for text in said) == 1


def test_it_adds_little_time_when_everything_is_in_place(checkout: Path, path: Path) -> None:
    stamped_venv(checkout)
    (checkout / ".venv" / "bin" / "python").write_text("#!/bin/sh\nexit 0\n")
    before = os.times()
    for _ in range(10):
        assert run(checkout, path).returncode == 0
    after = os.times()
    used = after.children_user + after.children_system - before.children_user
    assert (used - before.children_system) / 10 < 0.03
