"""A picture of an event as SVG: hosts as columns, clusters as rows, each guest where it is."""

from __future__ import annotations

from html import escape

from plan.records import EventPlan, Guest

COLUMN, ROW, LEFT, TOP = 120, 26, 190, 56
HUES = 24  # colours that are told apart; clusters beyond that repeat them


def topology(plan: EventPlan) -> str:
    """The picture. Letters are text, so that it can be searched."""
    hosts = [each.name for each in plan.hosts]
    rows: list[tuple[str, tuple[Guest, ...]]] = []
    if plan.instructor:
        rows.append((plan.instructor.name, (plan.instructor,)))
    rows += [(each.name, each.guests) for each in plan.clusters]
    width, height = LEFT + COLUMN * len(hosts) + 20, TOP + ROW * len(rows) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="11">',
        f"<title>{escape(plan.title or plan.stack)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="10" y="20" font-size="15" font-weight="bold">{escape(plan.title or plan.stack)}'
        "</text>",
    ]
    parts += [_host(host, column) for column, host in enumerate(hosts)]
    columns = {host: column for column, host in enumerate(hosts)}
    for row, (name, guests) in enumerate(rows):
        parts += _row(plan, name, guests, row, columns, width)
    return "\n".join([*parts, "</svg>", ""])


def _host(host: str, column: int) -> str:
    x = LEFT + COLUMN * column
    return f'<text x="{x}" y="{TOP - 10}" font-weight="bold">{escape(host)}</text>'


def _row(
    plan: EventPlan,
    name: str,
    guests: tuple[Guest, ...],
    row: int,
    columns: dict[str, int],
    width: int,
) -> list[str]:
    """A cluster: its VLAN as a line through all hosts, its guests as boxes on it."""
    y = TOP + ROW * row
    cluster = next((each for each in plan.clusters if each.name == name), None)
    label = f"VLAN {cluster.network.vlan} {cluster.network.subnet}" if cluster else "every VLAN"
    colour = f"hsl({(row * 360 // HUES * 7) % 360} 55% 40%)"
    parts = [
        f'<text x="10" y="{y + 14}"><tspan font-weight="bold">{escape(name)}</tspan> '
        f'<tspan fill="#555555">{escape(label)}</tspan></text>',
        f'<line x1="{LEFT - 8}" y1="{y + 10}" x2="{width - 20}" y2="{y + 10}" stroke="{colour}"/>',
    ]
    used: dict[str, int] = {}
    for guest in guests:
        place = used.setdefault(guest.host, 0)
        used[guest.host] += 1
        sharing = sum(other.host == guest.host for other in guests)
        box = (COLUMN - 12) / sharing
        x = LEFT + COLUMN * columns[guest.host] + place * box
        fill = colour if guest.exposed else "#ffffff"
        ink = "#ffffff" if guest.exposed else "#111111"
        parts.append(
            f"<g><title>{escape(guest.name)} on {escape(guest.host)}, VMID {guest.vmid}</title>"
            f'<rect x="{x:.1f}" y="{y + 1}" width="{box - 2:.1f}" height="18" rx="3" '
            f'fill="{fill}" stroke="{colour}"/><text x="{x + 4:.1f}" y="{y + 14}" '
            f'fill="{ink}">{escape(guest.node)}</text></g>'
        )
    return parts
