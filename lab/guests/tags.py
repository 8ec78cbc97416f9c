"""Tags of a guest: `b;a;B` is kept as `a;b`."""

from __future__ import annotations

from typing import Any

from lab.formats import split_list


def unique_tags(text: str, style: str = "") -> str:
    """Tags without doubles, joined by semicolons.

    They are in lower case and sorted unless the cluster's `tag-style` says otherwise
    (`case-sensitive=1`, `ordering=config`).
    """
    options: dict[str, Any] = dict(part.split("=", 1) for part in style.split(",") if "=" in part)
    keep_case = options.get("case-sensitive") in ("1", "true", "yes", "on")
    found = [tag if keep_case else tag.lower() for tag in split_list(text)]
    unique = list(dict.fromkeys(found))
    return ";".join(unique if options.get("ordering") == "config" else sorted(unique))
