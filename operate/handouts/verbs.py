"""`sheets` and `topology`: files for an event, in a folder that only its owner may read."""

from __future__ import annotations

from pathlib import Path

from event.problems import RunError
from event.stack import EventStack
from operate.handouts.entry import lab_way
from operate.handouts.page import page
from operate.handouts.pdf import pdf
from operate.handouts.sheet import instructor_sheet
from operate.handouts.sheet import sheets as sheets_of
from operate.handouts.tables import as_csv, inventory, known_hosts, ssh_config
from operate.handouts.topology import topology as picture
from operate.places import Places, write_private
from operate.progress import Telling
from operate.session import open_session
from plan.plan import plan_event


def sheets(stack: EventStack, out: Path | None, places: Places, telling: Telling) -> None:
    """Write all handouts of an event; tells where they are. They hold passwords."""
    plan = plan_event(stack)
    secret = open_session(stack, places, telling).secret()
    folder = (out or Path(f"{stack.name}-sheets")).absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"{folder}: cannot be made ({error.strerror}); name another folder with --out"
        ) from None
    groups, own = sheets_of(plan, secret), instructor_sheet(plan, secret)
    title = plan.title or plan.stack
    write_private(folder / "sheets.html", page(groups, title))
    write_private(folder / "sheets.pdf", pdf(groups, title))
    write_private(folder / "groups.csv", as_csv(groups))
    if own is not None:
        write_private(folder / "instructors.html", page((own, *groups), f"{title}: instructors"))
    write_private(folder / "known_hosts", known_hosts(plan, secret))
    write_private(
        folder / "ssh_config",
        ssh_config(plan, str(folder / "known_hosts"), proxy=lab_way(stack, places)),
    )
    write_private(folder / "inventory.json", inventory(plan, str(folder / "ssh_config")))
    write_private(folder / "topology.svg", picture(plan))
    telling.step(f"{len(groups)} sheets, WITH THEIR PASSWORDS: {folder / 'sheets.pdf'}")
    telling.step(f"the same as a page, the list of groups, SSH settings and more: {folder}")


def topology(stack: EventStack, out: Path | None) -> str:
    """The picture of an event, and where it was written: empty when it is to be printed."""
    drawn = picture(plan_event(stack))
    if out is None:
        return drawn
    out.write_text(drawn)
    return ""
