"""The firewalls of exposed guests, which the engine does not know: looked at, and closed again.

A guest's firewall comes with the clone of its template (`components.image`), so it is no resource
of its own, and a refresh by the engine does not see that somebody has opened it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from operate.api import CONNECTIONS, Api, ApiError
from operate.deployed import Deployed, DeployedGuest
from operate.survey import Seen, SeenGuest

CLOSED = {"enable": "1", "dhcp": "1", "macfilter": "1", "policy_in": "DROP", "policy_out": "DROP"}
"""What the templates' firewalls say."""

# Proxmox VE: what counts where a guest's firewall file says nothing.
_UNSAID = {"enable": "0", "dhcp": "0", "macfilter": "1", "policy_in": "DROP",
           "policy_out": "ACCEPT"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFirewall:
    """A guest's firewall that does not say what its template's does."""

    name: str
    path: str
    differs: Mapping[str, str]  # options as they are

    @property
    def words(self) -> str:
        """What is the matter: `its firewall is off`, `its firewall has policy_in ACCEPT`."""
        if self.differs.get("enable") == "0":
            return "its firewall is off"
        return "its firewall has " + ", ".join(f"{key} {has}" for key, has in self.differs.items())


def open_firewalls(
    state: Deployed | None, seen: Seen, api: Api, *, without: Iterable[str] = ()
) -> tuple[OpenFirewall, ...]:
    """Exposed guests of the state whose firewall others have opened; `without` some by name.

    What this token may not read is taken to be as it was.
    """
    skipped = set(without)
    there = [
        (guest, found)
        for guest in (state.guests if state else ())
        if guest.logical not in skipped and _guarded(guest)
        if (found := seen.guests.get(guest.vmid)) and not found.template
    ]
    with ThreadPoolExecutor(max_workers=CONNECTIONS) as threads:
        looked = threads.map(lambda each: _look(each[0], each[1], api), there)
        return tuple(each for each in looked if each is not None)


def close(firewall: OpenFirewall, api: Api) -> None:
    """Let it say again what the template's does."""
    api.put(firewall.path, **{key: CLOSED[key] for key in firewall.differs})


def _guarded(guest: DeployedGuest) -> bool:
    return any(nic.get("firewall") for nic in guest.inputs.get("networkDevices") or ())


def _look(guest: DeployedGuest, there: SeenGuest, api: Api) -> OpenFirewall | None:
    path = f"/nodes/{there.host}/qemu/{there.vmid}/firewall/options"
    try:
        options: Any = api.get(path)
    except ApiError as failure:
        if failure.kind in ("answer", "forbidden"):
            return None
        raise
    has = {key: str((options or {}).get(key, unsaid)) for key, unsaid in _UNSAID.items()}
    differs = {key: value for key, value in has.items() if value != CLOSED[key]}
    return OpenFirewall(name=guest.logical, path=path, differs=differs) if differs else None
