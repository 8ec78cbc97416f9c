"""The page of methods says what the lab has, about all that Proxmox VE has."""

from __future__ import annotations

from pathlib import Path

from lab import methods
from lab.spec import load_methods

PAGE = Path(__file__).resolve().parents[2] / "docs" / "lab-methods.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == methods.page(), "type: python -m lab methods > docs/lab-methods.md"


def test_the_lab_has_no_method_that_is_not_in_the_catalogue() -> None:
    assert load_methods().keys() - methods.catalogue() == set()


def test_the_catalogue_names_each_path_once_and_in_order() -> None:
    lines = methods.CATALOGUE.read_text().splitlines()[1:]
    paths = [line.split()[0] for line in lines]
    assert paths == sorted(set(paths))
