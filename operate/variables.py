"""The variables that the engine runs with, for our own runs and for `practicum env`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from operate.places import Places

TOKEN = "PROXMOX_VE_API_TOKEN"  # noqa: S105 - the name of a variable
STACK_FILE = "PRACTICUM_STACK_FILE"
STACKS = "PRACTICUM_STACKS"
COLLECTOR = {"GOGC": "400", "GOMEMLIMIT": "2GiB"}
"""For Go's garbage collector: the engine writes its whole state at each step. For 131 guests this
takes a seventh of its CPU time away, for up to 660 instead of 300 MiB; the limit holds it back."""
SYSTEM_CERTIFICATES = "/etc/ssl/certs"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineParts:
    """The engine that the toolchain found or built, and what it wants to run with."""

    pulumi: Path
    bin: Path
    source: str
    version: str
    home: Path
    variables: Mapping[str, str] = field(default_factory=dict)


def pulumi_home(places: Places, given: Mapping[str, str]) -> Path:
    """The engine's home: the one that the person names, else ours."""
    return Path(given["PULUMI_HOME"]) if given.get("PULUMI_HOME") else places.pulumi_home


def engine_variables(
    places: Places,
    parts: EngineParts,
    given: Mapping[str, str],
    *,
    stack_file: Path | None = None,
    stacks: Path | None = None,
    trust: Path | None = None,
) -> dict[str, str]:
    """What is added to the variables that we were started with; never a secret's value.

    Whatever the person has set for Pulumi's backend and passphrase holds. `stacks` is the folder
    that the program finds the site of an event in.
    """
    added = {
        **parts.variables,
        "PATH": _path(places, parts, given),
        "VIRTUAL_ENV": str(places.venv),
        "PULUMI_HOME": str(pulumi_home(places, given)),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    for name, value in COLLECTOR.items():
        if name not in given:
            added[name] = value
    if not (given.get("PULUMI_BACKEND_URL") or given.get("PULUMI_ACCESS_TOKEN")):
        added["PULUMI_BACKEND_URL"] = f"file://{places.backend}"
    if not ("PULUMI_CONFIG_PASSPHRASE" in given or given.get("PULUMI_CONFIG_PASSPHRASE_FILE")):
        added["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(places.passphrase)
    if stack_file is not None:
        added[STACK_FILE] = str(stack_file)
    if stacks is not None:
        added[STACKS] = str(stacks)
    if trust is not None:
        # Go reads every folder named here beside the system's bundle of certificates.
        added["SSL_CERT_DIR"] = ":".join(
            (str(trust), given.get("SSL_CERT_DIR") or SYSTEM_CERTIFICATES)
        )
    return added


def shell_lines(
    added: Mapping[str, str],
    *,
    token_file: Path | None,
    token_command: Sequence[str] | None = None,
) -> list[str]:
    """`export` lines for a shell; a token is read from its file, or printed by a command, when the
    shell runs them."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(added.items())]
    if token_command is not None:
        lines.append(f'export {TOKEN}="$({shlex.join(token_command)})"')
    elif token_file is not None:
        lines.append(f'export {TOKEN}="$(cat {shlex.quote(str(token_file))})"')
    return lines


def _path(places: Places, parts: EngineParts, given: Mapping[str, str]) -> str:
    first = [str(parts.bin), str(places.venv / "bin")]
    rest = [entry for entry in given.get("PATH", "").split(":") if entry and entry not in first]
    return ":".join(first + rest)
