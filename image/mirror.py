"""Where Debian's packages come from: the mirror that this machine's apt is configured with."""

from __future__ import annotations

import subprocess

from .problems import ImageError

_FORMAT = "$(REPO_URI) $(RELEASE) $(ORIGIN)"


def sources(suite: str, mirror: str | None = None) -> list[str]:
    """Lines for sources.list of a release: the release, and its security updates where the machine
    has a place for them. `mirror` is an address to use instead.

    Raises `ImageError` when apt knows no Debian mirror.
    """
    if mirror is not None:
        return [f"deb {mirror.rstrip('/')} {suite} main"]
    release, security = choose(_targets())
    lines = [f"deb {release} {suite} main"]
    if security:
        lines.append(f"deb {security} {suite}-security main")
    return lines


def choose(targets: list[tuple[str, str, str]]) -> tuple[str, str | None]:
    """Addresses of Debian's packages and security updates among apt's (address, suite, origin)."""
    debian = [(site, suite) for site, suite, origin in targets if origin == "Debian"]
    security = [site for site, suite in debian if suite.endswith("-security")]
    plain = [site for site, suite in debian if "-" not in suite and "/" not in suite]
    if not plain:
        raise ImageError(
            "apt on this machine is configured with no Debian mirror; name one: --mirror URL"
        )
    return plain[0].rstrip("/"), security[0].rstrip("/") if security else None


def _targets() -> list[tuple[str, str, str]]:
    command = ["apt-get", "indextargets", "--format", _FORMAT, "Created-By: Packages"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        told = ""
    rows = (line.split() for line in told.splitlines())
    return [(row[0], row[1], row[2]) for row in rows if len(row) == 3]
