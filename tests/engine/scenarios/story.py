"""A Pulumi program's life against a lab: made, refreshed, previewed again, changed, destroyed.

One run of the real engine and the real provider serves many scenarios; what each step did is kept
by the name of the resource, so that every scenario is a test of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.direct import SEED
from tests.lab.served import ServedLab

PROGRAMS = Path(__file__).parent / "programs"
ROOT = Path(__file__).resolve().parents[3]
QUIET = {"same", "refresh", "read"}
PROJECT = "name: scenarios\nruntime: python\n"
Steps = dict[str, str]


@dataclass(slots=True)
class Story:
    """A program beside a lab of its own; `steps` has what each stage did, by resource.

    With `site` the program runs against another endpoint: the variables that the provider and the
    program find it by.
    """

    folder: Path
    engine: dict[str, Any]
    program: str
    site: dict[str, str] = field(default_factory=dict)
    lab: ServedLab = field(init=False)
    steps: dict[str, Steps] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start the lab and lay out the project."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.site:
            self.lab = ServedLab(self.folder, SEED)
            self.site = self._own_site()
        (self.folder / "Pulumi.yaml").write_text(PROJECT)
        (self.folder / "__main__.py").write_text((PROGRAMS / f"{self.program}.py").read_text())
        (self.folder / "states").mkdir()
        self._run("stack", "init", "story")

    def tell(self) -> None:
        """All stages in order; a stage that fails leaves its text and the story goes on."""
        self._stage("create", "up")
        self._stage("refresh", "refresh")
        self._stage("again", "preview")
        self._stage("update", "up", step="update")
        self._stage("settled", "refresh", step="update")
        self._stage("still", "preview", step="update")

    def end(self) -> None:
        """Destroy what there is."""
        self._stage("destroy", "destroy", step="update")

    def close(self) -> None:
        """Stop the lab."""
        if hasattr(self, "lab"):
            self.lab.close()

    def _own_site(self) -> dict[str, str]:
        return {
            "PROXMOX_VE_ENDPOINT": f"https://127.0.0.1:{self.lab.server.port}",
            "PROXMOX_VE_API_TOKEN": (self.lab.state / "token").read_text(),
            "PROXMOX_VE_INSECURE": "true",
            "SCENARIO_LAB": str(self.lab.state),
            "SCENARIO_NODE": "pve1",
            "SCENARIO_STORAGE": "local",
            "SCENARIO_POOL": "reserved",
            "SCENARIO_VMID": "40000",
        }

    def _stage(self, name: str, verb: str, step: str = "create") -> None:
        log = self.folder / f"{name}.jsonl"
        options = ["--event-log", str(log), "--suppress-outputs", "--non-interactive"]
        options += ["--yes", "--skip-preview"] if verb != "preview" else []
        done = self._run(verb, *options, step=step, check=False)
        self.steps[name] = _operations(log)
        if done.returncode:
            self.failed[name] = done.stdout + done.stderr

    def _run(
        self, *words: str, step: str = "create", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("PULUMI_", "PROXMOX_"))},
            **self.engine["env"],
            "PATH": f"{self.engine['bin']}:{sys.prefix}/bin:{os.environ['PATH']}",
            "VIRTUAL_ENV": sys.prefix,
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'states'}",
            "PULUMI_CONFIG_PASSPHRASE": "scenarios",
            "PULUMI_DEBUG_COMMANDS": "true",
            **self.site,
            "SCENARIO_STEP": step,
        }
        return subprocess.run(
            [self.engine["pulumi"], *words, "--color", "never"],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=check,
        )


def _operations(log: Path) -> Steps:
    """What happened to each resource that did not stay the same, by its name."""
    found: Steps = {}
    for line in log.read_text().splitlines() if log.exists() else ():
        event = json.loads(line)
        for kind in ("resourcePreEvent", "resOutputsEvent", "resOpFailedEvent"):
            metadata = (event.get(kind) or {}).get("metadata")
            if metadata is None or "pulumi:" in metadata["urn"].split("::")[2]:
                continue
            name = metadata["urn"].rpartition("::")[2]
            changed = metadata["op"] not in QUIET or _drifted(metadata)
            if changed and kind != "resourcePreEvent":
                found[name] = "failed" if kind == "resOpFailedEvent" else metadata["op"]
            elif changed and "preview" not in log.name:
                found.setdefault(name, metadata["op"])
    return found


def _drifted(metadata: dict[str, Any]) -> bool:
    """Whether a refresh found something else than the state says."""
    if metadata["op"] != "refresh":
        return False
    old, new = metadata.get("old") or {}, metadata.get("new") or {}
    return bool(old.get("outputs") != new.get("outputs"))
