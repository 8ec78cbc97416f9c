"""Makes `.venv` fit requirements.txt, once, and says in one line what to type if it cannot.

Run by the `practicum` entry with the system's Python, so it uses the standard library only.
Safe against interruption (a marker stays until pip has ended well) and against a parallel start
(one of them holds a file lock, the others wait). A `.venv` that somebody else made is kept: it is
accepted as it is when it satisfies the lock, and completed when it does not.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STAMP = "practicum.lock"  # copy of the requirements.txt that this .venv satisfies
MARKER = "practicum.installing"  # present while pip runs: a half-made .venv is made anew
NEEDED_MIB = 500  # measured: 261 MiB in place; pip keeps wheels beside it meanwhile
PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input", "--no-color")

# Prints the first requirement that is not met, run by the Python of the .venv. A package counts
# when its RECORD is there, which pip writes last.
_FIRST_UNMET = """
import re, sys
from importlib.metadata import PackageNotFoundError, distribution
for line in open(sys.argv[1], encoding="utf-8"):
    found = re.match(r"([A-Za-z0-9._-]+)==([^ ;\\\\]+)([^\\\\]*)", line)
    if not found or "sys_platform == 'win32'" in found[3]:
        continue
    try:
        package = distribution(found[1])
        met = package.version == found[2] and package.read_text("RECORD") is not None
    except PackageNotFoundError:
        met = False
    if not met:
        sys.exit(f"{found[1]}=={found[2]}")
"""

# What pip's output means, in the order of looking; {root} and {log} are filled in.
_REASONS = (
    (
        r"No space left on device|Errno 28\b",
        f"no disk space left for {{root}}/.venv; free {NEEDED_MIB} MiB and type the same again",
    ),
    (
        r"DO NOT MATCH THE HASHES",
        "a package differs from requirements.txt, so nothing was installed from it; "
        "check the package index that pip is told to use (pip config list)",
    ),
    (
        r"NewConnectionError|Name or service not known|Temporary failure in name resolution|"
        r"Network is unreachable|Connection refused|ConnectTimeout|ReadTimeout|ProxyError|"
        r"Failed to establish a new connection|timed out",
        "the package index cannot be reached; connect to the network, or name a mirror with "
        "PIP_INDEX_URL=https://…/simple, and type the same again",
    ),
    (
        r"requires a different Python|No matching distribution found|Failed building wheel|"
        r"failed-wheel-build",
        "a package of requirements.txt is not offered for Python {version}; name another one, "
        "e.g. PRACTICUM_PYTHON=python3.12 ./practicum",
    ),
    (r"Permission denied|Errno 13\b", "no right to write to {root}/.venv; check its owner"),
)


class FirstRunError(Exception):
    """`.venv` could not be made; the text is one line that says what to type."""


def say(text: str) -> None:
    """One line of progress, on stderr so that a verb's own output stays clean."""
    print(f"practicum: {text}", file=sys.stderr, flush=True)


def state_dir() -> Path:
    """The folder of state, as in `operate.places`, which needs nothing but the variables."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(os.environ.get("PRACTICUM_STATE") or Path(base) / "practicum")


def log_path() -> Path:
    """Where pip's output goes: the state folder, or the temporary one if that is not writable."""
    folder = state_dir() / "logs"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        folder = Path(os.environ.get("TMPDIR", "/tmp"))  # noqa: S108 - a log without secrets
    return folder / "install.log"


@contextmanager
def only_one(root: Path) -> Iterator[None]:
    """Hold the lock of this checkout; a second start waits for the first."""
    with (root / ".venv.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another start is making .venv; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def stamped(root: Path) -> bool:
    """Whether `.venv` has been found to satisfy the present requirements.txt."""
    stamp = root / ".venv" / STAMP
    python = root / ".venv" / "bin" / "python"
    return (
        os.access(python, os.X_OK)
        and stamp.is_file()
        and stamp.read_bytes() == (root / "requirements.txt").read_bytes()
    )


def usable(python: Path) -> bool:
    """Whether the .venv's Python runs, is new enough, and has pip."""
    check = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([python, "-I", "-c", check], capture_output=True).returncode == 0
    except OSError:
        return False


def first_unmet(root: Path) -> str | None:
    """The first requirement that `.venv` does not satisfy, as name==version."""
    python = root / ".venv" / "bin" / "python"
    try:
        done = subprocess.run(
            [python, "-I", "-c", _FIRST_UNMET, root / "requirements.txt"],
            capture_output=True,
            text=True,
        )
    except OSError:
        return "python"
    return None if done.returncode == 0 else (done.stderr.strip() or "python")


def stamp(root: Path) -> None:
    """Note which requirements.txt `.venv` satisfies; complete or not there at all."""
    target = root / ".venv" / STAMP
    fresh = target.with_suffix(".new")
    shutil.copyfile(root / "requirements.txt", fresh)
    fresh.replace(target)


def create(root: Path) -> None:
    """Make an empty `.venv` with pip, in the place of what is there."""
    venv = root / ".venv"
    try:
        import ensurepip  # noqa: F401 - Debian keeps it in the package python3-venv
        import venv as venv_module
    except ImportError as error:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise FirstRunError(
            f"Python {version} cannot make a .venv ({error}); "
            f"type: sudo apt install python{version}-venv"
        ) from None
    say(f"making {venv} with {sys.executable}")
    builder = venv_module.EnvBuilder(clear=True, symlinks=True, with_pip=False)
    builder.create(venv)
    (venv / MARKER).touch()
    done = subprocess.run(
        [venv / "bin" / "python", "-I", "-m", "ensurepip", "--default-pip"],
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise explained(root, done.stdout + done.stderr)


def explained(root: Path, output: str) -> FirstRunError:
    """The error that pip's output stands for; all of the output is in the log that it names."""
    log = log_path()
    try:
        log.write_text(output, encoding="utf-8")
    except OSError:
        output += "\nNo space left on device" if shutil.disk_usage(log.parent).free < 4096 else ""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for pattern, text in _REASONS:
        if re.search(pattern, output):
            return FirstRunError(f"{text.format(root=root, version=version)} (details: {log})")
    last = next((line for line in reversed(output.splitlines()) if line.strip()), "no output")
    return FirstRunError(f"pip failed: {last.strip()} (details: {log})")


def install(root: Path) -> None:
    """Install what requirements.txt says, by hash, with a line of progress now and then."""
    venv = root / ".venv"
    (venv / STAMP).unlink(missing_ok=True)
    (venv / MARKER).touch()
    total = len(re.findall(r"^[A-Za-z0-9]", (root / "requirements.txt").read_text(), re.MULTILINE))
    say(f"installing {total} packages into .venv, once; this takes a minute or two")
    command = [str(venv / "bin" / "python"), "-I", *PIP, "install", "--require-hashes"]
    command += ["--retries", "2", "--timeout", "20", "-r", str(root / "requirements.txt")]
    output: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as pip:
        seen = 0
        for line in pip.stdout or ():
            output.append(line)
            if line.startswith("Collecting "):
                seen += 1
                if seen % 20 == 0:
                    say(f"{seen} of {total} packages fetched")
            elif line.startswith("Installing collected packages"):
                say("unpacking")
    unmet = first_unmet(root) if pip.returncode == 0 else "pip"
    if unmet is not None:
        raise explained(root, "".join(output))
    stamp(root)
    (venv / MARKER).unlink()


def make(root: Path) -> None:
    """Bring `.venv` in step with requirements.txt; nothing is done when it is already."""
    with only_one(root):
        if stamped(root):
            return
        venv = root / ".venv"
        if (venv / MARKER).exists() or not usable(venv / "bin" / "python"):
            create(root)
        elif first_unmet(root) is None:
            stamp(root)
            return
        install(root)
        say("ready")


def main() -> int:
    """Exit code 0 when `.venv` fits, 1 after one line that says what to type."""
    root = Path(sys.argv[1])
    try:
        make(root)
    except FirstRunError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted; the same command starts over")
        return 130
    except OSError as error:
        say(str(explained(root, f"{error}")))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
