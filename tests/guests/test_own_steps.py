"""Steps of the organiser's own, on guests that really run: scripts and a playbook, and what runs
again when.

The tests of this module are one story and run in order.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.practice import Practice
from tests.guests.test_event import run
from tests.image.conftest import MISSING, cannot

pytestmark = pytest.mark.guests
HEADS = {"c01": "200101", "c02": "200201"}
NODES = {"c01": "200111", "c02": "200211"}
MOTD = '#!/bin/sh\necho "$PRACTICUM_GUEST of $PRACTICUM_NODES" >/etc/motd\necho x >>/etc/ran\n'
STEPS = """\
    contextualize:
      level: base
      steps:
        - {scripts: steps}
        - {scripts: more, clusters: [c02]}
    vmids:"""


@pytest.fixture(scope="module")
def practice(
    images: Path, engine: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Practice]:
    """An event of two clusters of a head and a node, with two folders of scripts."""
    practice = Practice(tmp_path_factory.mktemp("own"))
    practice.edit("lab", "engine: none", "engine: lxc")
    practice.edit("laptop", "clusters: {count: 1}", "clusters: {count: 2}")
    practice.edit("laptop", "count: 2, cores: 1", "count: 1, cores: 1")
    practice.edit("laptop", "    vmids:", STEPS)
    write(practice, "steps/10-motd.sh", MOTD)
    write(practice, "steps/20-share.head.sh", '#!/bin/sh\ncp "$PRACTICUM_FACTS" /srv/facts\n')
    write(practice, "more/10-more.sh", "#!/bin/sh\necho more >/srv/more\n")
    yield practice
    practice.call("lab", "reset", str(practice.file("lab")), "--yes")
    practice.close()


def write(practice: Practice, name: str, text: str) -> None:
    path = practice.stacks / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def on(practice: Practice, vmid: str, script: str) -> str:
    """Output of a script on a guest, wherever it is."""
    host = next(each["node"] for each in practice.guests() if str(each["vmid"]) == vmid)
    return run(practice, host, vmid, script)


def asked(practice: Practice) -> Counter[str]:
    """How often each guest was told to run something."""
    paths = [each["path"] for each in practice.requests() if each["method"] == "POST"]
    return Counter(path.split("/")[-3] for path in paths if path.endswith("/agent/exec"))


def test_scripts_run_with_the_facts_of_their_cluster_where_their_names_say(
    practice: Practice,
) -> None:
    told = practice.good("up", "laptop")
    assert "own script steps/20-share.head.sh: 2 guests (head) of every cluster" in told.texts
    nodes = "c02-head c02-n1"
    assert on(practice, NODES["c02"], "cat /etc/motd") == f"c02-n1 of {nodes}\n"
    assert on(practice, HEADS["c02"], "cat /etc/motd") == f"c02-head of {nodes}\n"
    assert '"guest": "c01-head"' in on(practice, HEADS["c01"], "cat /srv/facts")
    assert on(practice, NODES["c01"], "test ! -e /srv/facts; test ! -e /srv/more") == ""
    assert on(practice, NODES["c02"], "cat /srv/more") == "more\n"


def test_a_changed_script_runs_again_on_the_clusters_that_it_concerns(practice: Practice) -> None:
    before = asked(practice)
    write(practice, "more/10-more.sh", "#!/bin/sh\necho another >/srv/more\n")
    practice.good("up", "laptop")
    assert set(asked(practice) - before) == {HEADS["c02"], NODES["c02"]}
    assert on(practice, NODES["c02"], "cat /srv/more /etc/ran") == "another\nx\n"


def test_a_script_that_fails_is_told_by_guest_and_the_next_up_goes_on_there(
    practice: Practice,
) -> None:
    bad = '#!/bin/sh\ntest "$PRACTICUM_NODE" != n1 || { echo no room here; exit 7; }\n'
    write(practice, "more/20-bad.sh", bad)
    told = practice.run("up", "laptop")
    assert told.code == 1
    failed = "\n".join(told.summary["failed"].values())
    assert "c02-n1: more/20-bad.sh: no room here" in failed
    write(practice, "more/20-bad.sh", "#!/bin/sh\necho good >/srv/good\n")
    practice.good("up", "laptop")
    assert on(practice, NODES["c02"], "cat /srv/good /etc/ran") == "good\nx\n"


PLAYBOOK = """\
- hosts: nodes_head
  gather_facts: false
  tasks:
    - {name: a file, copy: {dest: /srv/played, content: "{{ practicum.guest }} {{ words }}"}}
    - {name: a line, shell: echo line >>/srv/lines}
    - {name: a copy, fetch: {src: /etc/motd, dest: "{{ playbook_dir }}/.motd", flat: true}}
  vars: {words: WORDS}
"""


def test_a_playbook_is_played_through_the_agents_and_again_once_it_has_changed(
    practice: Practice,
) -> None:
    if shutil.which("ansible-playbook") is None:
        cannot(f"ansible-playbook is {MISSING}: sudo apt install ansible-core")
    last = "        - {scripts: more, clusters: [c02]}\n"
    practice.edit("laptop", last, f"{last}        - {{playbook: site/main.yml, clusters: [c02]}}\n")
    write(practice, "site/main.yml", PLAYBOOK.replace("WORDS", "one"))
    practice.good("up", "laptop")
    assert on(practice, HEADS["c02"], "cat /srv/played /srv/lines") == "c02-head oneline\n"
    assert (practice.stacks / "site/.motd").read_text() == "c02-head of c02-head c02-n1\n"
    assert on(practice, HEADS["c01"], "test ! -e /srv/played") == ""
    assert practice.good("up", "laptop").changes == {}
    write(practice, "site/main.yml", PLAYBOOK.replace("WORDS", "two"))
    practice.good("up", "laptop")
    assert on(practice, HEADS["c02"], "cat /srv/played /srv/lines") == "c02-head twoline\nline\n"
    write(practice, "site/main.yml", PLAYBOOK.replace("echo line", "echo no room >&2; exit 3"))
    told = practice.run("up", "laptop")
    assert told.code == 1
    assert "c02-head: site/main.yml: a line: " in "\n".join(told.summary["failed"].values())
