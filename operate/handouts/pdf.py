"""Sheets as a PDF file, A5, one page for each group; written without a browser."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import font_source_sans_pro
import segno
from fpdf import FPDF

from operate.handouts.sheet import Sheet

FONT = "Source"
WIDTH_MM = 124.0  # of the text on a page of A5, 148 mm wide with margins of 12 mm
CODE_MM = 28.0
A5_MM = (148.0, 210.0)


def pdf(sheets: Sequence[Sheet], title: str) -> bytes:
    """The file's content. Letters that the font lacks are left out, never an error."""
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    logging.getLogger("fpdf").setLevel(logging.ERROR)
    made = FPDF(orientation="portrait", unit="mm", format=A5_MM)
    folder = Path(font_source_sans_pro.font_directory)
    for style, file in (("", "Regular"), ("B", "Semibold")):
        made.add_font(FONT, style, folder / f"SourceSansPro-{file}.ttf")
    made.set_margins(12, 12)
    made.set_auto_page_break(auto=True, margin=10)
    made.set_title(title)
    for sheet in sheets:
        _page(made, sheet)
    return bytes(made.output())


def _page(made: FPDF, sheet: Sheet) -> None:
    made.add_page()
    _draw_code(made, sheet.url, x=A5_MM[0] - 12 - CODE_MM, y=12)
    _line(made, sheet.event, 10, width=WIDTH_MM - CODE_MM - 2)
    _line(made, sheet.cluster, 26, bold=True, height=11)
    if sheet.title:
        _line(made, sheet.title, 12, width=WIDTH_MM - CODE_MM - 2)
    made.set_y(max(made.get_y(), 12 + CODE_MM + 2))
    _line(made, f"ssh {sheet.user}@{sheet.address}", 12, bold=True)
    fields = [("Login", sheet.user), ("Password", sheet.password)]
    fields += [("Password of root", sheet.root_password)] if sheet.root_password else []
    fields += [("Your network", sheet.subnet)] if sheet.subnet else []
    for name, value in fields:
        _row(made, (34, WIDTH_MM - 34), (name, value))
    made.ln(2)
    widths = (20.0, 34.0, 34.0, 16.0, 20.0)
    _row(made, widths, ("Node", "Name", "Address", "CPUs", "MiB"), bold=True)
    for node in sheet.nodes:
        cells = (node.node, node.guest, node.address, str(node.cores), str(node.memory_mib))
        _row(made, widths, cells)
    if sheet.nodes[0].fingerprint:
        made.ln(2)
        _line(made, "Host keys (Ed25519)", 10, bold=True)
        for node in sheet.nodes:
            _line(made, f"{node.guest} {node.fingerprint}", 8, height=4)
    made.ln(2)
    _line(made, "First step", 10, bold=True)
    _line(made, sheet.first_step, 10)


def _line(
    made: FPDF, text: str, size: int, *, bold: bool = False, width: float = 0, height: float = 5.5
) -> None:
    made.set_font(FONT, "B" if bold else "", size)
    made.multi_cell(width, height, text, new_x="LMARGIN", new_y="NEXT")


def _row(made: FPDF, widths: Sequence[float], cells: Sequence[str], *, bold: bool = False) -> None:
    made.set_font(FONT, "B" if bold else "", 10)
    for width, cell in zip(widths, cells, strict=True):
        made.cell(width, 5.5, cell)
    made.ln(5.5)


def _draw_code(made: FPDF, text: str, *, x: float, y: float) -> None:
    """A QR code as black squares."""
    rows: Any = tuple(segno.make(text, error="m").matrix_iter(border=1))
    side = CODE_MM / len(rows)
    for down, row in enumerate(rows):
        for right, dark in enumerate(row):
            if dark:
                made.rect(x + right * side, y + down * side, side, side, style="F")
