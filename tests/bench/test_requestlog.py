"""What the lab's request log says about an `up`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.requestlog import calls, lines, pattern


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/version", "/version"),
        ("/nodes/pve01/qemu/100101/config", "/nodes/{node}/qemu/{vmid}/config"),
        ("/nodes/pve02/tasks/UPID:pve02:0:1::qmclone:1:a@b:/status",
         "/nodes/{node}/tasks/{upid}/status"),
        ("/nodes/pve01/qemu/1/firewall/rules/0", "/nodes/{node}/qemu/{vmid}/firewall/rules/{pos}"),
        ("/nodes/pve01/storage/shared/content/shared:9/x",
         "/nodes/{node}/storage/{storage}/content/{volume}"),
        ("/pools/practicum-sc09", "/pools/{id}"),
        ("/cluster/firewall/groups/sc09-heads", "/cluster/firewall/groups/{id}"),
        ("/cluster/firewall/groups/sc09-heads/3", "/cluster/firewall/groups/{id}/{pos}"),
        ("/cluster/resources", "/cluster/resources"),
    ],
)  # fmt: skip
def test_names_and_numbers_become_what_they_are(path: str, expected: str) -> None:
    assert pattern(path) == expected


def test_calls_are_counted_inside_the_span_only(tmp_path: Path) -> None:
    log = [
        {"t": second, "method": "GET", "path": f"/nodes/n/qemu/{second}/config", "ms": 2.0}
        for second in range(10)
    ] + [{"t": 4, "method": "POST", "path": "/nodes/n/qemu/1/clone", "ms": 50.0}]
    found = calls(log, 3, 5)
    read, clone = "GET /nodes/{node}/qemu/{vmid}/config", "POST /nodes/{node}/qemu/{vmid}/clone"
    assert list(found) == [read, clone]
    assert (found[read].count, found[read].ms) == (3, 6.0)
    assert (found[clone].count, found[clone].ms) == (1, 50.0)


def test_older_files_of_the_log_are_read_too_and_a_torn_line_is_not(tmp_path: Path) -> None:
    (tmp_path / "requests.jsonl").write_text(json.dumps({"t": 2}) + '\n{"t": 3, "me')
    (tmp_path / "requests.jsonl.1").write_text(json.dumps({"t": 1}) + "\n")
    assert sorted(line["t"] for line in lines(tmp_path)) == [1, 2]
