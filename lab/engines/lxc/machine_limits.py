"""One setting of the machine that many guests need more of; what it was is put back later."""

from __future__ import annotations

import contextlib
from pathlib import Path

# Each systemd takes several; the kernel's default is enough for some twenty guests.
SETTING = Path("/proc/sys/fs/inotify/max_user_instances")
WANTED = 8192
EACH = 6
"""What a guest takes of it."""

_KEPT = "inotify"


def raise_limits(state: Path) -> None:
    """Allow many guests to watch files; a machine that does not let itself be told stays as is."""
    with contextlib.suppress(OSError, ValueError):
        before = int(SETTING.read_text())
        if before < WANTED:
            SETTING.write_text(str(WANTED))
            (state / _KEPT).write_text(str(before))


def put_back(state: Path) -> None:
    """Set the machine to what it was, unless somebody has changed it meanwhile."""
    with contextlib.suppress(OSError, ValueError):
        before = (state / _KEPT).read_text()
        if int(SETTING.read_text()) == WANTED:
            SETTING.write_text(before)
        (state / _KEPT).unlink()


def lacking() -> str | None:
    """What many guests will not find, in a sentence; None where all is well or is not known."""
    with contextlib.suppress(OSError, ValueError):
        now = int(SETTING.read_text())
        if now < WANTED:
            return (
                f"about {now // EACH} guests can run at once; for more type as root: "
                f"sysctl fs.inotify.max_user_instances={WANTED}"
            )
    return None
