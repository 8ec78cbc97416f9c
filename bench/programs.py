"""The two programs that the engine runs: practicum itself, and the floor.

practicum's rooms are copied first, so that a run measures one state of the checkout from the
first repeat to the last. Both programs get the same engine, plugins, flags and lab.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.labs import Served
from bench.processes import BenchError, Part, Run, run
from bench.stacks import EVENT, ROOT, SITE, Size, site, write_stacks
from operate.engine_parts import ensure_engine
from operate.places import Places
from operate.variables import TOKEN, engine_variables

PARALLEL = 16
SECRET_KEY = "practicum:secret"
SECRET = "62656e63682d73656564" * 3  # fixed: passwords are the same in every run
FLAGS = ("--non-interactive", "--color", "never", "--suppress-outputs")
WRITING = ("--yes", "--skip-preview", "--parallel", str(PARALLEL))
STAGES: Mapping[str, tuple[str, ...]] = {
    "preview": ("preview", "--parallel", str(PARALLEL)),
    "up": ("up", *WRITING),
    "no-op up": ("up", *WRITING, "--expect-no-changes"),
    "refresh": ("refresh", *WRITING),
    "destroy": ("destroy", *WRITING),
}
OWN = (  # what a person may have set for other stacks: a bench has its own
    "PULUMI_BACKEND_URL",
    "PULUMI_ACCESS_TOKEN",
    "PULUMI_CONFIG_PASSPHRASE",
    "PULUMI_CONFIG_PASSPHRASE_FILE",
)
COPIED = ("event", "plan", "components", "__main__.py", "Pulumi.yaml")
PART_NAMES = {"pulumi": "engine", "pulumi-resource": "provider", "pulumi-language": "language host"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A Pulumi project in `folder` with one stack, and the variables to run it with."""

    folder: Path
    pulumi: Path
    backend: Path
    project: str
    stack: str
    variables: Mapping[str, str] = field(repr=False)

    def init(self, secret: str | None = None) -> None:
        """Make the stack, and encrypt the secret that its passwords are derived from."""
        self._ask("stack", "init", self.stack)
        if secret is not None:
            self._ask("config", "set", "--secret", SECRET_KEY, "--stack", self.stack, said=secret)

    def with_variables(self, added: Mapping[str, str]) -> Program:
        """The same program, run with further variables."""
        return replace(self, variables={**self.variables, **added})

    def _ask(self, *arguments: str, said: str = "") -> None:
        done = subprocess.run(
            [str(self.pulumi), *arguments, "--non-interactive"],
            cwd=self.folder,
            env=dict(self.variables),
            input=said,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise BenchError(f"pulumi {arguments[0]} {arguments[1]} failed: {done.stderr.strip()}")

    def stage(self, name: str, *, limit_s: float = 900) -> Run:
        """Run one of STAGES to its end."""
        verb, *options = STAGES[name]
        command = [str(self.pulumi), verb, "--stack", self.stack, *FLAGS, *options]
        return run(
            command, folder=self.folder, variables=self.variables, limit_s=limit_s, watch=True
        )

    @property
    def state_mib(self) -> float:
        """Size of the stack's state as the file backend keeps it."""
        path = self.backend / ".pulumi" / "stacks" / self.project / f"{self.stack}.json"
        return path.stat().st_size / 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Everything that the engine is to run on one lab."""

    site: Program
    practicum: Program
    floor: Program
    engine_version: str


def prepare(folder: Path, lab: Served, size: Size) -> Programs:
    """Copy both programs below `folder`, make their stacks, and bring the site up."""
    places = Places(root=ROOT, state=folder / "state").make()
    parts = ensure_engine(places)
    program, floor = folder / "practicum", folder / "floor"
    copy_program(program)
    write_stacks(program / "stacks", size, endpoint=lab.endpoint)
    shutil.copytree(Path(__file__).parent / "floor", floor, ignore=_no_caches)
    given = {name: value for name, value in os.environ.items() if name not in OWN}
    variables = {
        **given,
        **engine_variables(places, parts, given),
        **floor_variables(lab, size),
        TOKEN: lab.token,
        "PRACTICUM_STACKS": str(program / "stacks"),
        "PYTHONHASHSEED": "0",
    }

    def made(where: Path, project: str, stack: str, secret: str | None = SECRET) -> Program:
        each = Program(
            folder=where,
            pulumi=parts.pulumi,
            backend=places.backend,
            project=project,
            stack=stack,
            variables=variables,
        )
        each.init(secret)
        return each

    programs = Programs(
        site=made(program, "practicum", SITE),
        practicum=made(program, "practicum", EVENT),
        floor=made(floor, "floor", "floor", None),
        engine_version=parts.version,
    )
    programs.site.stage("up")
    return programs


def floor_variables(lab: Served, size: Size) -> dict[str, str]:
    """What tells the floor its size, and its provider where the lab is."""
    return {
        "FLOOR_CLUSTERS": str(size.clusters),
        "FLOOR_HOSTS": str(size.hosts),
        "FLOOR_EXPOSED": site(size)["practicum:site"]["network"]["exposed"]["subnet"],
        "PROXMOX_VE_ENDPOINT": lab.endpoint,
        "PROXMOX_VE_INSECURE": "true",
    }


def copy_program(target: Path) -> None:
    """Copy what the engine runs; the virtual environment is linked."""
    target.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=_no_caches)
        else:
            shutil.copy(source, target / name)
    (target / ".venv").symlink_to(ROOT / ".venv")


def _no_caches(_folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name == "__pycache__"}


def role(process: str) -> str:
    """What a process is to us: engine, provider, language host or program."""
    return "program" if process.startswith("python") else PART_NAMES.get(process, process)


def by_role(parts: Mapping[str, Part]) -> dict[str, Part]:
    """The parts of a run by role."""
    return {role(name): part for name, part in parts.items()}
