"""Where practicum keeps what it must remember: the engine's home, states, passphrase, labs, logs.

Everything is below one folder of mode 0700, so that a login to another Pulumi backend
(`~/.pulumi`) is never read or changed. The standard variables of Pulumi override each place.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from event.problems import RunError

ROOT = Path(__file__).resolve().parent.parent
KEPT_LOGS = 40
"""Runs whose logs are kept for each stack; older ones are removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The folders and files of one person's practicum on one machine."""

    root: Path  # the checkout: Pulumi.yaml, stacks/, .venv
    state: Path

    @classmethod
    def of(cls, variables: Mapping[str, str], *, root: Path = ROOT) -> Places:
        """The places that the variables name: PRACTICUM_STATE, XDG_STATE_HOME, HOME."""
        base = Path(variables.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        state = Path(variables.get("PRACTICUM_STATE") or base / "practicum")
        return cls(root=root, state=state.expanduser().absolute())

    @property
    def stacks(self) -> Path:
        """Folder of the stack files that come with the checkout."""
        return self.root / "stacks"

    @property
    def venv(self) -> Path:
        """The virtual environment that the language host runs the program in."""
        return self.root / ".venv"

    @property
    def pulumi_home(self) -> Path:
        """PULUMI_HOME: plugins and credentials."""
        return self.state / "pulumi-home"

    @property
    def backend(self) -> Path:
        """States of the stacks, as Pulumi's file backend keeps them."""
        return self.state / "backend"

    @property
    def passphrase(self) -> Path:
        """File with the passphrase that encrypts the secrets of stacks."""
        return self.state / "passphrase"

    @property
    def logs(self) -> Path:
        """Logs of runs, by stack."""
        return self.state / "logs"

    def lab(self, site: str) -> Path:
        """State folder of the lab that stands in for a site."""
        return self.state / "lab" / site

    def trust(self, site: str) -> Path:
        """Folder with the certificate authority of a site, in the form that the plugins read."""
        return self.state / "trust" / site

    def make(self) -> Places:
        """Make the folders (0700) and, once, the passphrase (0600); returns itself."""
        for folder in (self.state, self.pulumi_home, self.backend, self.logs):
            own_folder(folder)
        if not self.passphrase.exists():
            _write_once(self.passphrase, secrets.token_urlsafe(32) + "\n")
        return self


def own_folder(folder: Path) -> Path:
    """Make a folder that nobody else may look into; returns it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        raise RunError(
            f"{folder}: cannot be made ({error.strerror}); "
            "name another folder with PRACTICUM_STATE=DIR"
        ) from None
    return folder


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file of mode 0600: the old content or the new one is there, never a part."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def _write_once(path: Path, text: str) -> None:
    """Like `write_private`, but of two starts at once the first one's text stays."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    write_private(fresh, text)
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
