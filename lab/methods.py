"""The page that lists every method of the API, and what the lab has of it."""

from __future__ import annotations

from collections import defaultdict

from lab.app import make_routes
from lab.spec import FOLDER

CATALOGUE = FOLDER / "catalogue.txt"
VERBS = ("GET", "POST", "PUT", "DELETE")
MODELLED, STORED, ABSENT = "modelled", "stored", "501"
_STORED = (
    "/access/domains",
    "/cluster/acme",
    "/cluster/backup",
    "/cluster/firewall",
    "/cluster/mapping",
    "/cluster/metrics",
    "/cluster/sdn/vnets/{vnet}/firewall",
    "/nodes/{node}/apt",
    "/nodes/{node}/certificates",
    "/nodes/{node}/firewall",
    "/nodes/{node}/lxc/{vmid}/firewall",
    "/nodes/{node}/qemu/{vmid}/firewall",
)
"""Below these, what is written is checked and read back, and nothing else follows from it."""

_HEAD = """# Methods of the API, and what the lab has of them

Made by `python -m lab methods > docs/lab-methods.md`; a test keeps it current.

- **modelled**: checked, and what follows from it happens: guests, tasks, volumes, rights, states
- **stored**: checked, kept and read back; nothing else follows from it
- **501**: answered `501 Method '…' not implemented`
"""


def catalogue() -> set[tuple[str, str]]:
    """Every method of Proxmox VE's API as (verb, path)."""
    lines = CATALOGUE.read_text().splitlines()
    rows = [line.split() for line in lines if not line.startswith("#")]
    return {(verb, path) for path, *verbs in rows for verb in verbs}


def states() -> dict[tuple[str, str], str]:
    """The state of every method by (verb, path): of the catalogue, and of the lab."""
    ours = {(each.method, each.pattern) for each in make_routes().endpoints}
    return {
        key: (STORED if key[1].startswith(_STORED) else MODELLED) if key in ours else ABSENT
        for key in catalogue() | ours
    }


def page() -> str:
    """The page as Markdown: one table for each area, one row for each path."""
    areas: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    found = states()
    for (verb, path), state in found.items():
        areas[_area(path)][path][verb] = state
    counts = [
        f"{sum(s == state for s in found.values())} {state}" for state in (MODELLED, STORED, ABSENT)
    ]
    parts = [_HEAD, f"{len(found)} methods: {', '.join(counts)}.\n"]
    for area, paths in sorted(areas.items()):
        head = f"## {area}\n\n| path | {' | '.join(VERBS)} |\n|---|{'---|' * len(VERBS)}\n"
        rows = (
            f"| `{path}` | {' | '.join(verbs.get(verb, '') for verb in VERBS)} |\n"
            for path, verbs in sorted(paths.items())
        )
        parts.append(head + "".join(rows))
    return "\n".join(parts)


def _area(path: str) -> str:
    """The heading that a path stands under."""
    parts = [part for part in path.split("/") if part]
    depth = {"cluster": 2, "nodes": 3}.get(parts[0] if parts else "", 1)
    return "/" + "/".join(parts[:depth])
