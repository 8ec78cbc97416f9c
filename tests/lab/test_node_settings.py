"""The small files of a host: what is refused, and what is read back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.served import ServedLab


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("x", "Invalid IP 'x'"),
        ("127.0.0.1 localhost\n1.2.3 a", "Invalid IP '1.2.3'"),
        (" 10.0.0.1 a", "Invalid IP ''"),
        ("10.0.0.1 a b_c", "Invalid Hostname 'b_c'"),
        ("10.0.0.1 a # c", "Invalid Hostname '#'"),
    ],
)
def test_a_hosts_file_has_addresses_with_names(lab: ServedLab, data: str, text: str) -> None:
    answer = lab.call("POST", "nodes/pve1/hosts", data=data)
    assert (answer.status, answer.errors) == (400, {"data": text})


def test_a_hosts_file_keeps_comments_and_its_end(lab: ServedLab) -> None:
    text = "# ü\n\n10.0.0.1 a.b a\n::1\t c"
    lab.call("POST", "nodes/pve1/hosts", data=text).ok()
    assert lab.get("nodes/pve1/hosts")["data"] == text


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"search": "a b", "dns2": "1.1.1.1"}, {"search": "a", "dns1": "1.1.1.1"}),
        (
            {"search": "a", "dns1": "1.1.1.1", "dns2": "1.1.1.1", "dns3": "::1"},
            {"search": "a", "dns1": "1.1.1.1", "dns2": "::1"},
        ),
        ({"search": "", "dns1": "0.0.0.0"}, {}),
    ],
)
def test_resolvers_are_lines_of_a_file(
    lab: ServedLab, given: dict[str, str], read: dict[str, str]
) -> None:
    lab.call("PUT", "nodes/pve1/dns", **given).ok()
    assert lab.get("nodes/pve1/dns") == read


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (
            {"startall-onboot-delay": "5"},
            {"startall-onboot-delay": "5", "description": ""},
        ),
        ({"description": "a\n\nb\n\n"}, {"description": "a\n\nb\n"}),
        ({"description": ""}, {}),
    ],
)
def test_the_options_of_a_host_come_with_a_description(
    lab: ServedLab, given: dict[str, str], read: dict[str, Any]
) -> None:
    lab.call("PUT", "nodes/pve1/config", **given).ok()
    found = lab.get("nodes/pve1/config")
    assert found.pop("digest", None) is not None if read else found == {}
    assert found == read
    assert lab.get("nodes/pve1/config", property="description") == (
        {"description": read["description"]} if read else {}
    )


def test_retention_by_number_of_files_is_gone_from_backup_jobs(lab: ServedLab) -> None:
    answer = lab.call("POST", "cluster/backup", all="1", schedule="daily", maxfiles="1")
    assert list(answer.errors) == ["maxfiles"]
