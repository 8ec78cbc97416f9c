"""The page docs/rights.md: what the API token of an event may do, and why."""

from __future__ import annotations

from plan.rights import GRANTS

INTRODUCTION = """\
# Rights

*Written from `plan/rights.py` by `PRACTICUM_GOLDEN=write ./practicum test unit -k rights_page`;
do not edit.*

A site lists the events that get a narrow API token:

```yaml
config:
  practicum:site:
    events: [laptop, sc09]
```

For each of them the site's `up` makes a pool `practicum-<event>`, the instructors' group with its
rights on it, and a user `practicum-<event>@pve` without a password that has an API token with
separated privileges. User and token have these rights and no others:

"""

CLOSING = """
Nothing of another pool can be seen, changed or deleted with the token, nor can it give rights.
What it still can, because Proxmox VE has no smaller right: security groups belong to the whole
cluster, so `Sys.Modify` on `/` (on that path alone, nothing below it) also reaches the cluster's
firewall options and backup jobs; and a bridge is usable in every VLAN. Bridges are meant as those
of hosts; for a virtual network of SDN, give `SDN.Use` on `/sdn/zones/<zone>/<vnet>` by hand.

`./practicum up`, `refresh` and `destroy` take the token from the site's state, where it is
encrypted, and hand it to the engine in the variable `PROXMOX_VE_API_TOKEN`; it is in no argument,
log or preview. Somebody else who works on the event gets it with `./practicum env <event>
--token`, and sets that variable. Before anything is written the rights are compared with this
table, path by path; what is missing is named, and `./practicum up <site> --refresh` gives it back.

An event that its site does not list makes pool, group and role by itself, with the token that
`up` is given, which then has to be allowed to give rights. An event cannot change from one to the
other while it is up: destroy it first.
"""


def page() -> str:
    """The whole page, in Markdown."""
    lines = ["| path | privilege | what for |", "| --- | --- | --- |"]
    for grant in GRANTS:
        below = " and below" if grant.propagate else ""
        path = grant.path.replace("<", "&lt;").replace(">", "&gt;")
        for name, reason in grant.privileges.items():
            lines.append(f"| {path}{below} | `{name}` | {reason} |")
    return INTRODUCTION + "\n".join(lines) + "\n" + CLOSING
