"""What a verb needs to work on a stack: the engine, its variables, the site's API."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from event.problems import RunError
from event.stack import SiteStack, Stack
from operate import lab_process
from operate.api import Api
from operate.engine import Engine
from operate.engine_parts import ensure_engine
from operate.locks import locks, unreadable
from operate.orphans import end, orphans
from operate.places import Places, own_folder
from operate.progress import Telling
from operate.stacks import reference, site_of
from operate.state_file import stop_if_torn
from operate.variables import TOKEN, EngineParts, engine_variables

SECRET = "practicum:secret"  # noqa: S105 - the name of a key
API_TOKEN = "practicum:apiToken"  # noqa: S105 - the name of a key


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A stack with the engine that works on it. `variables` hold the token when there is one."""

    places: Places
    stack: Stack
    parts: EngineParts
    engine: Engine = field(repr=False)
    telling: Telling = field(repr=False)
    own_token: bool = False  # the variables hold the token that the site made for the event

    def with_token(self, token: str) -> Session:
        """The same with an event's own token, for the engine and for the API."""
        engine = self.engine
        variables = {**engine.variables, TOKEN: token}
        own = Engine(self.parts.pulumi, self.places, engine.stack, variables)
        return replace(self, engine=own, own_token=True)

    @property
    def typed(self) -> str:
        """What a person types for the stack."""
        return self.engine.stack.typed

    @property
    def site(self) -> SiteStack:
        """The site that the stack is on, or is."""
        return site_of(self.stack)

    def at_site(self) -> Session:
        """The same for the site's own stack."""
        return open_session(self.site, self.places, self.telling, parts=self.parts)

    def api(self) -> Api:
        """The site's API with the token of this session; `RunError` when there is no token."""
        return site_api(self.site, self.places, self._token())

    def _token(self) -> str:
        """The token as the program finds it: the stack's own, the one that the site made for the
        event, the site's file, the variable."""
        if has_key(self.stack.path, API_TOKEN):
            return self.engine.told(
                "config", "get", API_TOKEN, "--stack", self.stack.name, config=True
            ).strip()
        named = _path(self.places, self.site.site.api.token_file)
        if named is not None and named.is_file() and not self.own_token:
            return named.read_text().strip()
        return self.engine.variables.get(TOKEN, "")

    def make_stack(self) -> None:
        """Make the stack in the engine's backend."""
        self.engine.told("stack", "init", "--stack", self.stack.name, "--no-select")

    def make_secret(self) -> None:
        """Write the stack's one secret into its file, encrypted, unless it is there."""
        if has_key(self.stack.path, SECRET):
            return
        self.engine.told(
            "config", "set", "--secret", SECRET, "--stack", self.stack.name,
            stdin=secrets.token_hex(32), config=True,
        )  # fmt: skip
        self.telling.step(f"secret of {self.stack.name} written to {self.stack.path}, encrypted")

    def secret(self) -> str:
        """The stack's one secret, decrypted by the engine."""
        if not has_key(self.stack.path, SECRET):
            raise RunError(
                f"{self.stack.name} has no secret yet; type: ./practicum up {self.typed}"
            )
        return self.engine.told(
            "config", "get", SECRET, "--stack", self.stack.name, config=True
        ).strip()

    def stop_if_locked(self) -> None:
        """`RunError` when another run holds the stack.

        What a dead run has left behind is ended: its processes first, then its lock.
        """
        left = orphans(self.engine.variables)
        if left:
            self.telling.warn(
                f"the run before died and left {len(left)} processes ({left[0]}); they are ended"
            )
            end(left)
        backend = self.engine.variables.get("PULUMI_BACKEND_URL", "")
        stop_if_torn(backend, self.stack.name)
        held = locks(backend, self.stack.name)
        alive = [lock for lock in held if not lock.is_stale]
        if alive:
            raise RunError(
                f"{self.stack.name}: another run is in progress ({alive[0]}); wait for it, or if "
                f"it is dead type: ./practicum unlock {self.typed} --force"
            )
        for path in unreadable(backend, self.stack.name):
            self.telling.warn(f"the lock {path} cannot be read; it is removed")
            path.unlink(missing_ok=True)
        if held:
            self.telling.warn(f"the run before ({held[0]}) died; its lock is released")
            self.unlock()

    def unlock(self) -> None:
        """Release the engine's lock on the stack."""
        self.engine.told("cancel", "--stack", self.stack.name, "--yes")


def open_session(
    stack: Stack, places: Places, telling: Telling, *, parts: EngineParts | None = None
) -> Session:
    """Make places, engine and variables ready. Nothing is started, nothing is asked."""
    places.make()
    parts = parts or ensure_engine(places)
    site = site_of(stack)
    variables = dict(os.environ)
    variables |= engine_variables(
        places,
        parts,
        os.environ,
        stack_file=stack.path.absolute(),
        stacks=site.path.absolute().parent,
        trust=trust_folder(site, places),
    )
    token_file = lab_token_file(site, places)
    if token_file is not None:
        # Never the token of a real site that happens to be exported.
        variables.pop(TOKEN, None)
        if token_file.is_file():
            variables[TOKEN] = token_file.read_text().strip()
    engine = Engine(parts.pulumi, places, reference(stack, places), variables)
    return Session(places=places, stack=stack, parts=parts, engine=engine, telling=telling)


def site_api(site: SiteStack, places: Places, token: str) -> Api:
    """The API of a site with a token, trusted as its file says; `RunError` without a token."""
    api = site.site.api
    insecure, ca_file = api.insecure, _path(places, api.ca_file)
    if site.lab is not None:
        # A lab has an authority of its own: nothing else on its port gets to see the token.
        ca_file = lab_process.status(site, places).ca_file
    if not token:
        raise RunError(
            f"no API token for {api.endpoint}; type: export {TOKEN}='user@realm!name=secret', "
            f"or write tokenFile: in {site.path}"
        )
    return Api(api.endpoint, token, insecure=insecure, ca_file=ca_file)


def lab_token_file(site: SiteStack, places: Places) -> Path | None:
    """The file with the token of a site's lab; None for a real site."""
    return None if site.lab is None else lab_process.status(site, places).token_file


def trust_folder(site: SiteStack, places: Places) -> Path | None:
    """A folder that holds the site's authority alone, for the plugins; None without `caFile`."""
    authority = _path(places, site.site.api.ca_file)
    if authority is None:
        return None
    if not authority.is_file():
        problem = site.problem(
            ("site", "api", "caFile"), "is no file", found=str(authority),
            hint="write the path of a PEM file",
        )  # fmt: skip
        raise RunError(str(problem))
    folder = own_folder(places.trust(site.name))
    target = folder / "authority.pem"
    if not target.exists() or target.read_bytes() != authority.read_bytes():
        shutil.copyfile(authority, target)
    return folder


def has_key(stack_file: Path, key: str) -> bool:
    """Whether a stack file has a configuration key, in block style as Pulumi writes it."""
    return re.search(rf"^\s+{re.escape(key)}:", stack_file.read_text(), re.MULTILINE) is not None


def _path(places: Places, written: str | None) -> Path | None:
    """A path of a stack file as the program reads it: from the checkout, ~ expanded."""
    return None if written is None else places.root / Path(written).expanduser()
