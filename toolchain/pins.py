"""What is compiled, in which versions, and the digest that names a set of pins.

The digest covers every source file below the four Go folders, the flags, and the kind of
machine. A changed pin gives another digest, so an old set is never taken for a new one.
"""

from __future__ import annotations

import functools
import hashlib
import platform
from dataclasses import dataclass
from pathlib import Path

from . import versions
from .problems import ToolchainError

ENGINE_VERSION = "3.259.0"
LANGUAGE_HOST_VERSION = "3.79.0"
PROXMOXVE_VERSION = "8.6.0"
COMMAND_VERSION = "1.2.1"

# 3.215: the oldest engine looked at whose protocol has every resource option of the Python SDK
# in requirements.txt (3.200 lacks replacement triggers and replacement together with another
# resource; the SDK then raises in the middle of a run). 4 would be another protocol.
OLDEST_ENGINE = versions.Version(3, 215, 0, True)
FIRST_UNKNOWN_ENGINE = versions.Version(4, 0, 0, False)

SOURCES = Path(__file__).resolve().parent

_ENGINE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
_HOST = "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"
_STAMP = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
_HASHED = {".go", ".mod", ".sum", ".json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """A file that a Go command of the same module writes before the main build."""

    package: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleFile:
    """A script that is taken as it is out of a module that the target depends on."""

    module: str
    path: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One thing to compile. `seconds` was measured on two cores without any cache."""

    folder: str
    title: str
    version: str
    package: str
    output: str
    seconds: int
    stamp: str = ""
    generated: Generated | None = None
    module_file: ModuleFile | None = None

    @property
    def outputs(self) -> tuple[str, ...]:
        """Every file of the finished target, relative to its set."""
        extra = (self.module_file.output,) if self.module_file else ()
        return (self.output, *extra)

    @property
    def linker_flags(self) -> str:
        """Strip symbols, and set the version that the program reports if it has one."""
        return f"-s -w -X {_STAMP}={self.stamp}" if self.stamp else "-s -w"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A resource plugin as Pulumi stores it below PULUMI_HOME/plugins."""

    name: str
    version: str
    target: Target
    server: str = ""

    @property
    def folder(self) -> str:
        """The folder's name; Pulumi finds a plugin by this name alone."""
        return f"resource-{self.name}-v{self.version}"

    @property
    def executable(self) -> str:
        """The file that Pulumi starts inside the folder."""
        return f"pulumi-resource-{self.name}"


def _plugin_target(name: str, version: str, seconds: int, generated: Generated | None) -> Target:
    return Target(
        folder=name,
        title=f"plugin {name}",
        version=version,
        package=".",
        output=f"plugins/resource-{name}-v{version}/pulumi-resource-{name}",
        seconds=seconds,
        generated=generated,
    )


LANGUAGE_HOST = Target(
    folder="language-python",
    title="pulumi-language-python",
    version=LANGUAGE_HOST_VERSION,
    package=_HOST,
    output="bin/pulumi-language-python",
    seconds=60,
    stamp=LANGUAGE_HOST_VERSION,
)
ENGINE = Target(
    folder="pulumi",
    title="pulumi",
    version=ENGINE_VERSION,
    package=_ENGINE,
    output="bin/pulumi",
    seconds=270,
    stamp=ENGINE_VERSION,
    # The language host starts this script to run a program; the engine's release has it.
    module_file=ModuleFile(
        module="github.com/pulumi/pulumi/sdk/v3",
        path="python/cmd/pulumi-language-python-exec",
        output="bin/pulumi-language-python-exec",
    ),
)
PROXMOXVE = Plugin(
    name="proxmoxve",
    version=PROXMOXVE_VERSION,
    target=_plugin_target(
        "proxmoxve",
        PROXMOXVE_VERSION,
        180,
        Generated(package="./cmd/schema", path="generated/schema.json"),
    ),
    server="github://api.github.com/muhlba91/pulumi-proxmoxve",
)
COMMAND = Plugin(
    name="command",
    version=COMMAND_VERSION,
    target=_plugin_target("command", COMMAND_VERSION, 60, None),
)
PLUGINS = (PROXMOXVE, COMMAND)
# Short ones first: a machine that cannot build at all says so within a minute.
TARGETS = (LANGUAGE_HOST, COMMAND.target, ENGINE, PROXMOXVE.target)


def _sources(folder: Path) -> list[Path]:
    kept = (
        path
        for path in folder.rglob("*")
        if path.suffix in _HASHED
        and not path.name.endswith("_test.go")
        and "testdata" not in path.parts
        and path.is_file()
    )
    return sorted(kept)


def digest_of(target: Target, sources: Path) -> str:
    """SHA-256 (hex) of the target's sources, flags and machine; nothing large is read."""
    folder = sources / target.folder
    digest = hashlib.sha256(f"{target!r} {platform.system()} {platform.machine()}".encode())
    for path in _sources(folder):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"\n{path.relative_to(folder).as_posix()} {content}".encode())
    return digest.hexdigest()


@functools.cache
def expected_digest(target: Target) -> str:
    """The digest of this copy's sources when first asked; it stays for the whole run."""
    return digest_of(target, SOURCES)


def set_digest() -> str:
    """The name (16 hex digits) of the set that these pins give on this machine."""
    every = "\n".join(expected_digest(target) for target in TARGETS)
    return hashlib.sha256(every.encode()).hexdigest()[:16]


def needed_go() -> versions.Version:
    """The newest `go` line of the four go.mod files."""
    lines = []
    for target in TARGETS:
        file = SOURCES / target.folder / "go.mod"
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ToolchainError(f"{file} is missing: this copy is not whole") from None
        lines += [line.split()[1] for line in text.splitlines() if line.startswith("go ")]
    return max(found for line in lines if (found := versions.parse(line)))
