"""The search for secrets finds them in the forms that they may have."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from plan.secrets import ssh_key
from tests.guests.canaries import Processes, Search, of_event, secret_line
from tests.plan.making import planned

VALUE = "k3y+of/the=house"
SEARCH = Search({"event/c01/password": VALUE, "event/secret": "5e" * 32})


def test_a_secret_is_found_however_it_is_written(tmp_path: Path) -> None:
    plain = f"before {VALUE} after".encode()
    written = {
        "plain": plain,
        "json": json.dumps({"a": VALUE}).encode(),
        "address": f"https://example.org/?q={quote(VALUE, safe='')}".encode(),
        "zip": gzip.compress(plain),
        **{f"base64-{n}": base64.b64encode(b"x" * n + plain) for n in range(3)},
    }
    for name, data in written.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "left-out").write_bytes(plain)
    (tmp_path / "innocent").write_bytes(b"k3y of the house")
    os.mkfifo(tmp_path / "pipe")
    found = SEARCH.in_files(tmp_path, without="images")
    expected = {str(tmp_path / name): {"event/c01/password"} for name in written}
    assert found == expected


def test_a_secret_is_seen_in_the_arguments_and_variables_of_a_process() -> None:
    script = "import sys; print(1, flush=True); sys.stdin.read()"
    with Processes() as shown, subprocess.Popen(
        [sys.executable, "-c", script, VALUE], env={"OTHER": VALUE},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout
        process.stdout.readline()
        shown.look()
        process.communicate(b"")
    assert [names for each in shown.arguments if (names := SEARCH.names(each))]
    assert f"OTHER={VALUE}".encode() in shown.variables


def test_the_line_of_a_key_that_is_looked_for_is_not_public() -> None:
    first, second = (ssh_key(secret * 32, "host-key/a/b", "b") for secret in ("5e", "6f"))
    assert secret_line(first.private) != secret_line(second.private)
    public = base64.b64decode(first.public.split()[1])[-32:]
    before = base64.b64decode("".join(first.private.splitlines()[1:4]) + "==")
    assert public in before  # so no line before it would do


def test_every_group_has_canaries_of_its_own() -> None:
    found = of_event(planned(contextualize={"level": "ssh"}), "5e" * 32)
    assert len(set(found.values())) == len(found)
