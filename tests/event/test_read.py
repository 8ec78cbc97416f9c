"""Reading stacks: names and paths, places, several problems at once, what the engine decoded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from event.problems import EventError
from event.read import EventStack, SiteStack, read_stack
from event.source import read_source
from event.stack_names import stack_path

ROOT = Path(__file__).resolve().parents[2]
ACCEPTED = ROOT / "tests/event/accepted"
COURSE = ACCEPTED / "Pulumi.course.yaml"


def decoded(path: Path = COURSE) -> dict[str, Any]:
    """What the engine hands over for a file."""
    sections = read_source(path, path.name).sections
    data = {f"practicum:{name}": section.data for name, section in sections.items()}
    copy: dict[str, Any] = json.loads(json.dumps(data))
    return copy


def course(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    """A folder with the good stacks, in which the event's file is changed."""
    for path in ACCEPTED.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        for old, new in changes if path == COURSE else ():
            assert old in text
            text = text.replace(old, new)
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    return tmp_path


def problems(*arguments: Any, **options: Any) -> list[str]:
    with pytest.raises(EventError) as caught:
        read_stack(*arguments, **options)
    return [str(problem) for problem in caught.value.problems]


def test_an_event_is_read_with_its_site() -> None:
    stack = read_stack("course", ACCEPTED)
    assert isinstance(stack, EventStack)
    assert stack.name == "course"
    assert stack.event.clusters.count == 6
    assert stack.site.name == "lab"
    assert stack.site.site.hosts[0].name == "pve[01-06]"


def test_a_site_is_read_with_its_lab() -> None:
    stack = read_stack("lab", ACCEPTED)
    assert isinstance(stack, SiteStack)
    assert stack.lab is not None
    assert stack.lab.engine == "auto"


def test_a_stack_is_found_by_name_and_by_path() -> None:
    by_name, by_path = stack_path("course", ACCEPTED), stack_path(str(COURSE), ROOT)
    assert by_name == by_path == ("course", COURSE)


def test_a_misspelt_stack_is_answered_with_the_nearest_name() -> None:
    (message,) = problems("coarse", ACCEPTED)
    assert '"coarse" is no stack in' in message
    assert "did you mean course?" in message


def test_a_missing_file_is_answered_with_the_nearest_name() -> None:
    (message,) = problems(str(ACCEPTED / "Pulumi.labs.yaml"), ACCEPTED)
    assert "does not exist; did you mean lab?" in message


def test_a_folder_is_not_a_stack_file(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.lab.yaml").mkdir()
    (message,) = problems("lab", tmp_path)
    assert "is not a file" in message


def test_a_name_that_is_no_name_is_refused_before_its_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.SC09.yaml").write_text("config: {}\n", encoding="utf-8")
    (message,) = problems("SC09", tmp_path)
    assert "is not allowed as the name of a stack" in message


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("event", "on"), 5),
        (("event", "clusters", "count"), 6),
        (("event", "nodeGroups", "compute", "cores"), 9),
        (("event", "network", "egress", 0, "port"), 15),
        (("event", "network", "ingress", 0), 11),
        (("event",), 3),
    ],
)
def test_a_path_is_located_at_its_line_or_the_one_it_belongs_under(path: Any, line: int) -> None:
    where = read_stack("course", ACCEPTED).locate(path)
    assert where is not None
    assert where.line == line


def test_all_problems_of_a_file_and_of_its_site_come_in_one_pass(tmp_path: Path) -> None:
    folder = course(
        tmp_path,
        ("count: 6", "count: -6"),
        ("cores: 2", "cores: 0, coers: 2"),
        ("egress", "egres"),
        ("instructor: {image", "instructor: {imag"),
    )
    site = folder / "Pulumi.lab.yaml"
    site.write_text(site.read_text().replace("vlans: 100-999", "vlans: 0-999"), encoding="utf-8")
    found = problems("course", folder)
    assert [part.split(": ")[0].rpartition("Pulumi.")[2] for part in found] == [
        "course.yaml:6 event.clusters.count",
        "course.yaml:8 event.nodeGroups.head.coers",
        "course.yaml:8 event.nodeGroups.head.cores",
        "course.yaml:10 event.instructor.imag",
        "course.yaml:15 event.network.egres",
        "lab.yaml:16 site.network.vlans",
    ]


def test_references_are_checked_along_with_the_rest_of_a_good_file(tmp_path: Path) -> None:
    folder = course(tmp_path, ("image: debian-12}\n    network", "image: deb}\n    network"))
    (message,) = problems("course", folder)
    assert "is not an image of the site lab" in message


def test_an_error_says_how_many_problems_it_does_not_show() -> None:
    data = decoded()
    data["practicum:event"]["nodeGroups"] |= {f"Group{number}": {} for number in range(300)}
    with pytest.raises(EventError) as caught:
        read_stack("course", ACCEPTED, config=data)
    assert str(caught.value).splitlines()[-1].startswith("… and ")


# ---------------------------------------------------------------- what the engine decoded


def test_what_the_engine_decoded_keeps_its_places_when_it_is_what_the_file_says() -> None:
    stack = read_stack("course", ACCEPTED, config=decoded())
    where = stack.locate(("event", "clusters", "count"))
    assert where is not None
    assert where.line == 6


def test_what_the_engine_decoded_counts_where_it_differs_from_the_file() -> None:
    data = decoded()
    data["practicum:event"]["clusters"]["count"] = 3
    stack = read_stack("course", ACCEPTED, config=data)
    assert isinstance(stack, EventStack)
    assert stack.event.clusters.count == 3
    assert stack.locate(("event", "clusters", "count")) is None


def test_absent_keys_of_the_engine_leave_the_file_in_force() -> None:
    config = {"practicum:event": None, "practicum:site": None, "practicum:lab": None}
    assert read_stack("course", ACCEPTED, config=config).name == "course"


def test_what_the_engine_decoded_needs_no_file(tmp_path: Path) -> None:
    folder = course(tmp_path)
    (folder / "Pulumi.course.yaml").unlink()
    stack = read_stack("course", folder, config=decoded())
    assert isinstance(stack, EventStack)


def test_a_whole_number_that_the_engine_hands_over_for_a_decimal_is_the_same(
    tmp_path: Path,
) -> None:
    folder = course(tmp_path)
    site = folder / "Pulumi.lab.yaml"
    site.write_text(site.read_text().replace("memoryGib: 64", "memoryGib: 64.0"), encoding="utf-8")
    data = decoded(site)
    data["practicum:site"]["hosts"][0]["memoryGib"] = 64
    stack = read_stack("lab", folder, config=data)
    assert stack.locate(("site", "hosts", 0, "memoryGib")) is not None


def test_a_value_that_the_file_keeps_encrypted_is_taken_from_the_engine(tmp_path: Path) -> None:
    title = "title: Linux Cluster Construction"
    folder = course(tmp_path, (title, "title: {secure: v1:abc}"))
    data = decoded()
    data["practicum:event"]["title"] = "Surprise"
    stack = read_stack("course", folder, config=data)
    assert isinstance(stack, EventStack)
    assert stack.event.title == "Surprise"
    assert stack.locate(("event", "title")) is not None


def test_a_decrypted_value_is_in_no_message(tmp_path: Path) -> None:
    title = "title: Linux Cluster Construction"
    folder = course(tmp_path, (title, "title: {secure: v1:abc}"))
    data = decoded()
    data["practicum:event"]["title"] = "canary\n"
    (message,) = problems("course", folder, config=data)
    assert "canary" not in message
    assert "the encrypted value" in message


def test_a_doubtful_word_is_told_even_if_the_engine_has_decided_about_it(tmp_path: Path) -> None:
    folder = course(tmp_path, ("count: 6", "count: 010"))
    data = decoded()
    data["practicum:event"]["clusters"]["count"] = 8
    (message,) = problems("course", folder, config=data)
    assert "010 without quotes is 8" in message


def test_a_list_instead_of_an_object_from_the_engine_is_a_problem() -> None:
    (message,) = problems("course", ACCEPTED, config={"practicum:event": ["lab"]})
    assert message.startswith("event: a list is not allowed")
