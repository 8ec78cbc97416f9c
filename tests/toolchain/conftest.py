"""A PATH with nothing on it but what a test puts there, and a cache in a temporary folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from toolchain import pins, places

REAL_SOURCES = pins.SOURCES

# What the fake programs themselves need.
_TOOLS = ("sh", "nice", "chmod", "sleep", "touch", "cat", "mkdir")

# A Go command that "compiles" in no time: every output is a script that does nothing.
_GO = """#!/bin/sh
echo "$*" >> "$FAKE_LOG"; echo $$ > "$FAKE_LOG.pid"
case "$1" in
env) echo go1.99.0 ;;
list) echo "$FAKE_MODULE" ;;
build)
  if [ -n "$FAKE_FAIL" ]; then
    if [ ! -e "$FAKE_LOG.failed" ] || [ -n "$FAKE_ALWAYS" ]; then
      touch "$FAKE_LOG.failed"; echo "$FAKE_FAIL"; exit 1
    fi
  fi
  case "$*" in *"$FAKE_BROKEN"*) [ -n "$FAKE_BROKEN" ] && { echo "$FAKE_SAYS"; exit 1; } ;; esac
  [ -n "$FAKE_SLOW" ] && sleep "$FAKE_SLOW"
  while [ "$1" != -o ]; do shift; done
  printf '#!/bin/sh\\n:\\n' > "$2"; chmod +x "$2" ;;
esac
"""


class Machine:
    """The pretended machine: its PATH folder, its cache, and what its programs were told."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.bin = root / "path"
        self.bin.mkdir()
        self.cache = places.Cache(root=root / "cache", digest="0123456789abcdef")
        self.log = root / "go-calls"
        self.lines: list[str] = []
        self._monkeypatch = monkeypatch
        self.sources = root / "sources"
        copy_pins(self.sources)
        monkeypatch.setattr(pins, "SOURCES", self.sources)
        pins.expected_digest.cache_clear()
        for tool in _TOOLS:
            found = shutil.which(tool)
            assert found, tool
            (self.bin / tool).symlink_to(found)
        for name in ("FAIL", "ALWAYS", "BROKEN", "SAYS", "SLOW"):
            monkeypatch.delenv(f"FAKE_{name}", raising=False)
        monkeypatch.setenv("PATH", str(self.bin))
        monkeypatch.setenv("FAKE_LOG", str(self.log))
        monkeypatch.setenv("FAKE_MODULE", str(root / "module"))
        script = root / "module" / "python" / "cmd" / "pulumi-language-python-exec"
        script.parent.mkdir(parents=True)
        script.write_text("# runs a program\n")

    def say(self, line: str) -> None:
        """Collect progress instead of printing it."""
        self.lines.append(line)

    def put(self, name: str, text: str, folder: Path | None = None) -> Path:
        """Place an executable script, on PATH unless another folder is given."""
        path = (folder or self.bin) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def put_go(self, **behaviour: str) -> None:
        """Place the fake Go; FAIL, ALWAYS, BROKEN, SAYS and SLOW change what it does."""
        self.put("go", _GO)
        for name, value in behaviour.items():
            self._monkeypatch.setenv(f"FAKE_{name.upper()}", value)

    def put_engine(self, version: str = "v3.260.0", folder: Path | None = None) -> Path:
        """Place an engine of that version with a language host that starts."""
        self.put("pulumi-language-python", "#!/bin/sh\necho 41234\nsleep 5\n", folder)
        self.put("pulumi-language-python-exec", "#!/bin/sh\n:\n", folder)
        return self.put("pulumi", _ENGINE.replace("VERSION", version), folder)


# It answers `version`; `plugin install resource NAME VERSION` leaves a plugin in its home.
_ENGINE = """#!/bin/sh
case "$1" in
version) echo VERSION ;;
plugin)
  dir="$PULUMI_HOME/plugins/resource-$4-v$5"
  mkdir -p "$dir"; : > "$dir/pulumi-resource-$4"; chmod +x "$dir/pulumi-resource-$4" ;;
esac
"""


def copy_pins(folder: Path) -> None:
    """The real go.mod and go.sum files, each with one small program."""
    for target in pins.TARGETS:
        inner = folder / target.folder
        inner.mkdir(parents=True)
        for name in ("go.mod", "go.sum"):
            shutil.copyfile(REAL_SOURCES / target.folder / name, inner / name)
        (inner / "main.go").write_text("package main\n")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """An empty machine."""
    yield Machine(tmp_path, monkeypatch)
    pins.expected_digest.cache_clear()


@pytest.fixture
def calls(machine: Machine) -> Callable[[], list[str]]:
    """What the fake Go was asked to do, one line per call."""
    return lambda: machine.log.read_text().splitlines() if machine.log.exists() else []
