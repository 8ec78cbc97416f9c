"""The results as tables: Markdown for the repository, rich for the terminal.

Both are made from the JSON document alone, so a table never says what the document does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

HEADERS = ("result", "figure (IQR)", "bound", "× bound", "peer", "× peer", "target", "met")


def number(value: float) -> str:
    """Three significant digits, without an exponent: 0.279, 13.5, 1040."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:.0f}"
    text = f"{value:.3g}"
    return f"{value:.0f}" if "e" in text else text


def rows(bench: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """One row of texts for each result of a bench."""
    for result in bench["results"]:
        figure, unit, target = result["figure"], result["unit"], result["target"]
        yield (
            result["what"],
            f"{number(figure['median'])} {unit} ({_variation(figure)})",
            *_side(result["bound"], unit),
            *_side(result["peer"], unit),
            _limit(target, unit) if target else "",
            ("yes" if target["met"] else "no") if target else "",
        )


def _variation(figure: Mapping[str, Any]) -> str:
    return number(figure["iqr"]) if figure["runs"] > 1 else "one run"


def _side(arm: Mapping[str, Any], unit: str) -> tuple[str, str]:
    if arm["spread"] is None:
        return arm["what"], ""
    ratio = number(arm["ratio"]) if "ratio" in arm else ""
    return f"{arm['what']}: {number(arm['spread']['median'])} {unit}", ratio


def _limit(target: Mapping[str, Any], unit: str) -> str:
    if target["of"] in ("bound", "peer"):
        return f"≤ {number(target['limit'])} × {target['of']}"
    return f"≤ {number(target['limit'])} {unit}"


def markdown(document: Mapping[str, Any]) -> str:
    """The page `bench/RESULTS.md`."""
    parts = [
        "# Results of the benches",
        "Written by `python -m bench`; every value is from `results.json`. Median of the runs and, "
        "in brackets, the interquartile range. Bound and peer ran interleaved with the figure.",
    ]
    for name, bench in document["benches"].items():
        parts += [f"## {name}", _context(bench), _table(bench), *_more(bench)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _context(bench: Mapping[str, Any]) -> str:
    machine = bench["machine"]
    versions = ", ".join(f"{name} {value}" for name, value in bench["versions"].items())
    seeds = ", ".join(f"{name} {value}" for name, value in bench["seeds"].items())
    load = f"load {machine['loadBefore']} before and {machine['loadAfter']} after"
    return (
        f"{bench['date']}; {machine['cores']} cores ({machine['processor']}), "
        f"{number(machine['memoryGib'])} GiB, {machine['kernel']}, {load}; "
        f"{bench['repeats']} repeats; {versions}; seeds: {seeds}."
    )


def _table(bench: Mapping[str, Any]) -> str:
    lines = ["| " + " | ".join(HEADERS) + " |", "|" + "---|" * len(HEADERS)]
    lines += ["| " + " | ".join(_cell(text) for text in row) + " |" for row in rows(bench)]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _more(bench: Mapping[str, Any]) -> Iterator[str]:
    for result in bench["results"]:
        if not result["more"]:
            continue
        keys = list(dict.fromkeys(key for row in result["more"].values() for key in row))
        lines = ["| " + " | ".join(("", *keys)) + " |", "|" + "---|" * (len(keys) + 1)]
        for name, row in result["more"].items():
            texts = [number(row[key]) if key in row else "" for key in keys]
            lines.append("| " + " | ".join((_cell(name), *texts)) + " |")
        yield f"**{result['what']}**\n\n" + "\n".join(lines)


def terminal(name: str, bench: Mapping[str, Any]) -> Table:
    """The same rows for a terminal."""
    table = Table(*HEADERS, title=f"bench {name}", show_lines=True)
    for row in rows(bench):
        table.add_row(*row, style="red" if row[-1] == "no" else "")
    return table
