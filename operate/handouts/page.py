"""Sheets as one HTML page, one printed page for each group; nothing is fetched from anywhere."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from operate.handouts.sheet import Sheet


def page(sheets: Sequence[Sheet], title: str) -> str:
    """The page. Every text is escaped; it may be anything that a title may hold."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    codes = {each.cluster: Markup(_code(each.url)) for each in sheets}  # noqa: S704 - our own SVG
    return environment.get_template("sheets.html.j2").render(
        sheets=sheets, codes=codes, title=title
    )


def _code(text: str) -> str:
    """A QR code as SVG."""
    drawn = io.BytesIO()
    segno.make(text, error="m").save(
        drawn, kind="svg", xmldecl=False, svgns=True, nl=False, border=1, omitsize=True
    )
    return drawn.getvalue().decode()
